#!/usr/bin/env python3
"""Packages the build, unpacks it in a folder of its own and uses it there: nothing but glibc may come from outside.

    check.py SOURCE BUILD
"""
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile

GLIBC = re.compile(r"^(ld-linux-x86-64|libc|libm|libdl|libpthread|librt|libresolv)\.so\.\d+$")
NEWEST_GLIBC = (2, 36)


def run(*command):
    environment = {name: value for name, value in os.environ.items() if name != "LD_LIBRARY_PATH"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def check_libraries(top):
    """Every library that the program loads is the package's own, and every one of the package's is loaded."""
    program, loaded = f"{top}/bin/kasmina", set()
    for line in run("ldd", program).splitlines():
        name, arrow, where = line.strip().partition(" => ")
        if not arrow or GLIBC.match(name):
            continue
        if os.path.dirname(os.path.realpath(where.split(" (")[0])) != os.path.realpath(f"{top}/lib"):
            sys.exit(f"comes from outside: {line.strip()}")
        loaded.add(name)
    shipped = set(os.listdir(f"{top}/lib"))
    if not loaded or loaded != shipped:
        sys.exit(f"loaded but not shipped: {loaded - shipped}; shipped but not loaded: {shipped - loaded}")
    print(f"{len(loaded)} libraries, all of them the package's own")


def check_glibc(top):
    for path in [f"{top}/bin/kasmina"] + [f"{top}/lib/{name}" for name in sorted(os.listdir(f"{top}/lib"))]:
        versions = re.findall(r"\bGLIBC_(\d+)\.(\d+)", run("readelf", "--version-info", "--wide", path))
        newest = max(((int(major), int(minor)) for major, minor in versions), default=(0, 0))
        if newest > NEWEST_GLIBC:
            sys.exit(f"{path} needs glibc {newest[0]}.{newest[1]}")


def check_paths(top):
    """Looked for beside the program, not where it was built."""
    dynamic = run("readelf", "--dynamic", "--wide", f"{top}/bin/kasmina")
    paths = re.findall(r"\((RPATH|RUNPATH)\).*\[(.*)\]", dynamic)
    if paths != [("RPATH", "$ORIGIN/../lib")]:
        sys.exit(f"the program's search path is {paths}")


def check_files(top):
    for name in ("LICENSE", "share/man/man1/kasmina.1", "share/bash-completion/completions/kasmina"):
        if os.path.getsize(f"{top}/{name}") == 0:
            sys.exit(f"{name} is empty")
    if len(os.listdir(f"{top}/share/doc/kasmina/licences")) == 0:
        sys.exit("no licence of a library")


def check_use(top):
    if not re.match(r"kasmina \d+\.\d+\.\d+", run(f"{top}/bin/kasmina", "--version")):
        sys.exit("version says something else")
    report = json.loads(run(f"{top}/bin/kasmina", "devices", "--selftest", "--json"))
    if not report["passed"] or "host:0" not in [device["id"] for device in report["devices"]]:
        sys.exit(f"the self test: {report}")


def main():
    source, build = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        archive = f"{folder}/kasmina.tar.gz"
        run(sys.executable, f"{source}/tools/package", build, archive)
        with tarfile.open(archive) as tar:
            tar.extractall(f"{folder}/elsewhere")
        os.remove(archive)
        top, = (f"{folder}/elsewhere/{name}" for name in os.listdir(f"{folder}/elsewhere"))
        for check in (check_libraries, check_glibc, check_paths, check_files, check_use):
            check(top)


if __name__ == "__main__":
    main()
