"""What Kasmina is measured beside: PyTorch, torch.compile, ONNX Runtime and nginx, brought into build/ on demand."""
import glob
import os
import shutil
import subprocess
import venv

from benchmarks.figures import ROOT, Dialogue

FOLDER = os.path.join(ROOT, "build", "peers")
PYTHON = os.path.join(FOLDER, "bin", "python")
NGINX_FOLDER = os.path.join(ROOT, "build", "nginx")
NGINX = os.path.join(NGINX_FOLDER, "usr", "sbin", "nginx")


class Peers(Dialogue):
    """PyTorch, torch.compile and ONNX Runtime, in a process of their own."""

    def __init__(self):
        super().__init__(PYTHON, os.path.join(ROOT, "bench", "peers.py"))
        self.versions = self.read()


def fetch():
    if not os.path.exists(PYTHON):
        venv.create(FOLDER, with_pip=True)
        subprocess.run([PYTHON, "-m", "pip", "install", "--quiet", "numpy", "onnxruntime", "torch"], check=True)
    if not shutil.which("nginx") and not os.path.exists(NGINX):  # unpacked, not installed: nobody wants it to be started
        folder = os.path.dirname(FOLDER)
        fetched = subprocess.run(["apt-get", "download", "-qq", "nginx"], cwd=folder, capture_output=True, text=True)
        if fetched.returncode:
            raise SystemExit(f"apt-get download nginx: {fetched.stderr}")
        for package in glob.glob(os.path.join(folder, "nginx_*.deb")):
            subprocess.run(["dpkg", "-x", package, NGINX_FOLDER], check=True)
            os.remove(package)
