"""What Kasmina is measured beside: PyTorch, torch.compile, ONNX Runtime, nginx, OpenBLAS and oneDNN, brought into build/ on demand."""
import glob
import os
import shutil
import subprocess
import tempfile
import venv

from benchmarks.figures import ROOT, Dialogue

FOLDER = os.path.join(ROOT, "build", "peers")
PYTHON = os.path.join(FOLDER, "bin", "python")
NGINX_FOLDER = os.path.join(ROOT, "build", "nginx")
NGINX = os.path.join(NGINX_FOLDER, "usr", "sbin", "nginx")
BLAS_FOLDER = os.path.join(ROOT, "build", "blas")


RUNTIMES = ["numpy", "onnxruntime", "torch"]


def are_installed():
    """Other verbs put other packages into the same virtual environment."""
    ask = f"import importlib.util, sys; sys.exit(not all(map(importlib.util.find_spec, {RUNTIMES})))"
    return os.path.exists(PYTHON) and subprocess.run([PYTHON, "-c", ask]).returncode == 0


class Peers(Dialogue):
    """PyTorch, torch.compile and ONNX Runtime, in a process of their own."""

    def __init__(self):
        super().__init__(PYTHON, os.path.join(ROOT, "bench", "peers.py"))
        self.versions = self.read()


def unpack(packages, folder):
    """Debian packages, unpacked and not installed: nobody wants a server to be started or another BLAS to be the system's."""
    with tempfile.TemporaryDirectory() as downloads:
        os.chmod(downloads, 0o755)
        fetched = subprocess.run(["apt-get", "download", "-qq", *packages], cwd=downloads, capture_output=True, text=True)
        if fetched.returncode:
            raise SystemExit(f"apt-get download {' '.join(packages)}: {fetched.stderr}")
        for package in glob.glob(os.path.join(downloads, "*.deb")):
            subprocess.run(["dpkg", "-x", package, folder], check=True)


def fetch():
    if not os.path.exists(PYTHON):
        venv.create(FOLDER, with_pip=True)
    if not are_installed():
        subprocess.run([PYTHON, "-m", "pip", "install", "--quiet", *RUNTIMES], check=True)
    if not shutil.which("nginx") and not os.path.exists(NGINX):
        unpack(["nginx"], NGINX_FOLDER)
    if not os.path.exists(BLAS_FOLDER):
        unpack(["libopenblas0-pthread", "libgfortran5", "libquadmath0", "libdnnl2", "libgomp1"], BLAS_FOLDER)


def blas_environment():
    """For a program that opens OpenBLAS and oneDNN where they are installed, or where fetch has unpacked them."""
    libraries = os.path.join(BLAS_FOLDER, "usr", "lib", "x86_64-linux-gnu")
    known = os.environ.get("LD_LIBRARY_PATH")
    path = [os.path.join(libraries, "openblas-pthread"), libraries] + ([known] if known else [])
    return {**os.environ, "LD_LIBRARY_PATH": ":".join(path)}
