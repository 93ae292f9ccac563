#!/usr/bin/env python3
"""Proves that the tests notice when a queue does not wait: each wait in backends/ is left out in turn, and a test must fail.

    waits.py [--table FILE] [--only TEXT] BUILD…

A wait is a statement that ends in the comment `wait`: what comes after it relies on something having ended. Its mutant
lacks the statement; a declaration or a return keeps its form, with the value of having had nothing to wait for. In files
that synchronise threads with atomics, each ordering of an access is weakened to relaxed, too.

BUILD: build directories that are up to date. A mutant's object stands before the backend's library, so that the linker takes it in place of the sound one."""
import argparse
import concurrent.futures
import glob
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MARK = "/* wait */"
TRIES = 5

# Files, and who must notice: tests in the order in which they are asked, each in the first build that has it. `tsan:`
# are those that only the thread sanitizer sees.
TESTS = [
    ("backends/core/device.c", ["tsan:device_threads"]),
    ("backends/core/lost.c", ["tsan:device_threads"]),
    ("backends/core/pieces.c", ["core_submissions", "queue_waits", "pieces_cuda_double"]),
    ("backends/core/queue.c", ["core_submissions", "core_faults", "queue_waits"]),
    ("backends/cuda/*.c", ["cuda", "waits_cuda_double", "device_cuda_double", "cuda_fast"]),
    ("backends/opencl/*.c", ["opencl_waits", "opencl_replay", "waits_opencl", "device_opencl"]),
    ("backends/vulkan/*.c", ["waits_vulkan", "vulkan_waits", "device_vulkan"]),
    ("backends/host/pass.c", ["host_pass"]),
    ("backends/host/pool.c", ["tsan:host_pool"]),
    ("backends/host/queue.c", ["core_submissions", "core_faults"]),
]
ATOMICS = ["backends/core/device.c", "backends/core/lost.c", "backends/host/pool.c"]


def covered():
    """TESTS, and the same for backends that it does not name: what tests/devices runs on each device must notice."""
    named = {pattern.split("/")[1] for pattern, _ in TESTS}
    others = sorted({path.split("/")[1] for path in glob.glob("backends/*/", root_dir=ROOT)} - named)
    return TESTS + [(f"backends/{name}/*.c", [f"waits_{name}", f"device_{name}"]) for name in others]


class Mutant:
    def __init__(self, path, start, end, replacement):
        with open(os.path.join(ROOT, path), encoding="utf-8") as file:
            source = file.read()
        self.path = path
        self.line = source.count("\n", 0, start) + 1
        self.what = " ".join(source[start:end].split())
        self.text = source[:start] + replacement + source[end:]
        self.noticed = None


def start_of_statement(source, end):
    """Where the statement that ends at `end` begins: after the last ; { or } outside parentheses and inner blocks."""
    depth, at = 0, end - 1
    if source[at] in ";}":
        depth = source[at] == "}"
        at -= 1
    while at > 0:
        c = source[at]
        if c in ")}":
            if c == "}" and depth == 0:
                break
            depth += 1
        elif c in "({":
            if depth == 0:
                break
            depth -= 1
        elif depth == 0 and (c == ";" or source.startswith("*/", at - 1)):
            break
        at -= 1
    return at + 1 + re.match(r"\s*", source[at + 1:]).end()


def without(statement):
    """What stands in the place of a wait."""
    declaration = re.match(r"((?:const )?\w+ \**\w+) = ", statement)
    if declaration:
        value = "true" if re.match(r"(const )?bool ", statement) else "0"
        return f"{declaration.group(1)} = {value};"
    if statement.startswith("return "):
        return "return 0;"
    return ";"


def mutants_of(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        source = file.read()
    for mark in re.finditer(r"(?<=[;}])[ \n]+" + re.escape(MARK), source):
        start = start_of_statement(source, mark.start())
        yield Mutant(path, start, mark.start(), without(source[start:mark.start()]))
    if path in ATOMICS:
        for order in re.finditer(r"memory_order_(acquire|release|acq_rel)", source):
            mutant = Mutant(path, order.start(), order.end(), "memory_order_relaxed")
            line = source[source.rfind("\n", 0, order.start()) + 1:source.find("\n", order.end())]
            mutant.what = f"{order.group(1)}: {line.strip()}"
            yield mutant


class Build:
    """A build directory: how its files are compiled, its tests linked and run."""

    def __init__(self, folder):
        self.folder = os.path.abspath(folder)
        self.is_tsan = os.path.basename(self.folder) == "tsan"
        with open(os.path.join(self.folder, "compile_commands.json"), encoding="utf-8") as file:
            self.commands = {entry["file"]: entry for entry in json.load(file)}
        listing = subprocess.run(["ctest", "--test-dir", self.folder, "--show-only=json-v1"], check=True, capture_output=True)
        self.tests = {test["name"]: test for test in json.loads(listing.stdout)["tests"]}

    def compile(self, path, text, name):
        entry = self.commands[os.path.join(ROOT, path)]
        with open(f"{name}.c", "w", encoding="utf-8") as file:
            file.write(text)
        words = shlex.split(entry["command"])
        words[words.index("-o") + 1] = f"{name}.o"
        words[words.index("-c") + 1] = f"{name}.c"
        subprocess.run(words + ["-w"], check=True, cwd=entry["directory"])
        return f"{name}.o"

    def link(self, program, object_file, name):
        target = os.path.relpath(program, self.folder)
        steps = subprocess.run(["ninja", "-C", self.folder, "-t", "commands", "-s", target], check=True, capture_output=True, text=True)
        words = shlex.split(steps.stdout.strip().splitlines()[-1])
        at = words.index("-o")
        words[at:at + 2] = [object_file, "-o", name]
        words = [word for word in words if word not in (":", "&&")]
        subprocess.run(words, check=True, cwd=self.folder)
        return name

    def run(self, test, mutant, name):
        """What the test says of the mutant; None: nothing. What a wait is there for may go well without it, more often than not: so the
        test is asked again."""
        entry = self.tests[test]
        program = entry["command"][0]
        if mutant:
            program = self.link(program, self.compile(mutant.path, mutant.text, name), name)
        for _ in range(TRIES if mutant else 1):
            words = run_once(entry, program)
            if words:
                return words
        return None


def run_once(entry, program):
    properties = {one["name"]: one["value"] for one in entry["properties"]}
    environment = dict(os.environ, **dict(one.split("=", 1) for one in properties.get("ENVIRONMENT", [])))
    running = subprocess.Popen([program, *entry["command"][1:]], env=environment, text=True, errors="replace", start_new_session=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=properties["WORKING_DIRECTORY"])
    try:
        output, _ = running.communicate(timeout=30)
    except subprocess.TimeoutExpired:
        end_session(running)
        return "does not end"
    return said(output) if running.returncode else None


def end_session(running):
    """Kills a test program and the processes that it runs its tests in, which outlive it."""
    for entry in os.listdir("/proc"):
        try:
            if entry.isdigit() and os.getsid(int(entry)) == running.pid:
                os.kill(int(entry), signal.SIGKILL)
        except ProcessLookupError:
            continue  # it has ended
    running.communicate()


def said(output):
    """The first word of what went wrong."""
    for pattern in (r"\[FAIL\] (\w+::\w+)", r"\[CRASH\] (\w+::\w+)", r"SUMMARY: (ThreadSanitizer: [\w -]+?) [/.]", r"(\S+\(\d+\)|\w+): failed"):
        found = re.search(pattern, output)
        if found:
            return found.group(1).replace("::", ": ").replace("_", " ")
    return "ends in a crash"


def find(builds, test):
    """The build that has a test, and its name there."""
    name = test.removeprefix("tsan:")
    for build in builds:
        if name in build.tests and build.is_tsan == test.startswith("tsan:"):
            return build, name
    sys.exit(f"waits.py: none of the builds has the test {test}")


def judge(builds, tests, mutant, name):
    for number, test in enumerate(tests):
        build, plain = find(builds, test)
        words = build.run(plain, mutant, f"{name}-{number}")
        if words:
            mutant.noticed = f"{plain}: {words}"
            return mutant
    return mutant


def row(mutant):
    return f"| `{mutant.path}` | `{mutant.what}` | {mutant.noticed or '**nobody**'} |".replace("||", "\\|\\|")


def write_table(path, mutants):
    lines = ["# Mutations", "", __doc__.split("\n\n")[2].replace("\n", " "), "",
             "This page is written by `./dev mutations`.", "",
             "| file | left out | noticed by |", "|---|---|---|"]
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines + [row(mutant) for mutant in mutants]) + "\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--table")
    parser.add_argument("--only", default="")
    parser.add_argument("builds", nargs="+")
    arguments = parser.parse_args()
    builds = [Build(folder) for folder in arguments.builds]
    jobs = []
    for pattern, tests in covered():
        for path in sorted(glob.glob(pattern, root_dir=ROOT)):
            jobs += [(tests, mutant) for mutant in mutants_of(path) if arguments.only in path]
    for test in sorted({test for tests, _ in jobs for test in tests}):
        build, name = find(builds, test)
        words = build.run(name, None, "")
        if words:
            sys.exit(f"waits.py: {test} fails without any mutation: {words}")
    with tempfile.TemporaryDirectory(prefix="kasmina-waits-") as folder, concurrent.futures.ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(judge, builds, tests, mutant, os.path.join(folder, str(number)))
                   for number, (tests, mutant) in enumerate(jobs)]
        for future in futures:
            mutant = future.result()
            print(f"{mutant.path}:{mutant.line}: {mutant.what}\n    {mutant.noticed or 'NOBODY NOTICED'}", flush=True)
    mutants = [mutant for _, mutant in jobs]
    if arguments.table:
        write_table(arguments.table, mutants)
    unnoticed = sum(not mutant.noticed for mutant in mutants)
    print(f"{len(mutants)} waits left out in turn, {unnoticed} unnoticed")
    return 0 if mutants and not unnoticed else 1


if __name__ == "__main__":
    sys.exit(main())
