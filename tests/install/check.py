#!/usr/bin/env python3
"""Installs into a folder of its own, builds the example against what is there, as a user would, and runs it.

    check.py CMAKE BUILD SOURCE CC [FLAGS…]
"""
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

RIGHT = {"0.0": 1366, "0.5": 1485, "1.0": 1792}  # of 1,797: examples/digits/expected.json


def run(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"{shlex.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def declared(include):
    """Functions that the public headers offer."""
    names = set()
    for name in os.listdir(include):
        with open(os.path.join(include, name), encoding="utf-8") as file:
            text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
        names |= set(re.findall(r"KAS_API\b[^;{]*?\b(kas_\w+)\s*\(", text))
    return names


def exported(library):
    return {line.split()[-1] for line in run(["nm", "-D", "--defined-only", library]).splitlines() if line.strip()}


def check_symbols(prefix, library):
    offered, there = declared(os.path.join(prefix, "include/kasmina")), exported(library)
    if len(offered) < 40 or offered != there:
        sys.exit(f"declared but not exported: {sorted(offered - there)}\nexported but not declared: {sorted(there - offered)}")
    print(f"{len(there)} symbols, each of them declared in a public header")


def pkg_config(prefix, *arguments):
    found = [folder for folder, _, names in os.walk(prefix) if "kasmina.pc" in names]
    environment = dict(os.environ, PKG_CONFIG_PATH=":".join(found))
    return run(["pkg-config", *arguments, "kasmina"], env=environment).split()


def build_and_run(compiler, source, folder, flags, library_path):
    program = os.path.join(folder, "embed")
    run(compiler + ["-std=c11", "-Wall", "-Wextra", "-Werror", os.path.join(source, "examples/embed/embed.c"), "-o", program] + flags)
    environment = dict(os.environ, LD_LIBRARY_PATH=library_path)
    output = run([program, os.path.join(source, "examples/digits")], env=environment)
    right = {alpha: int(count) for alpha, count in re.findall(r"alpha (\S+): (\d+) of 1797 right", output)}
    if right != RIGHT:
        sys.exit(f"{right}, not {RIGHT}:\n{output}")


def main():
    cmake, build, source, *compiler = sys.argv[1:]
    with tempfile.TemporaryDirectory() as prefix:
        run([cmake, "--install", build, "--prefix", prefix])
        libraries = os.path.dirname(pkg_config(prefix, "--libs-only-L")[0][2:] + "/")
        shared = os.path.realpath(os.path.join(libraries, "libkasmina.so"))
        check_symbols(prefix, shared)
        build_and_run(compiler, source, prefix, pkg_config(prefix, "--cflags", "--libs"), libraries)
        print("built with the shared library")
        for name in os.listdir(libraries):
            if name.startswith("libkasmina.so"):
                os.remove(os.path.join(libraries, name))
        build_and_run(compiler, source, prefix, pkg_config(prefix, "--static", "--cflags", "--libs"), "")
        print("built with the static library")
        version = run([os.path.join(prefix, "bin/kasmina"), "--version"]).strip()
        if not re.search(r"\d+\.\d+\.\d+", version) or not shutil.which("nm"):
            sys.exit(f"kasmina --version says {version!r}")


if __name__ == "__main__":
    main()
