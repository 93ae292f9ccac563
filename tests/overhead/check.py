#!/usr/bin/env python3
"""Has callgrind count the instructions of dormant passes and of the same products called directly.

    check.py VALGRIND PROGRAM
"""
import re
import subprocess
import sys
import tempfile

LIMIT = 600  # instructions that a pass may take beside its product
CALLS = 100  # of each, as in dormant.c
SIZES = [(64, 10, 1), (512, 256, 1), (64, 48, 7), (128, 64, 32)]


def inclusive_costs(text, names):
    """Instructions within each of these functions, from callgrind's output format: a call's cost stands in the line
    after `calls=`, a function's own in lines of positions and cost."""
    costs, known, function, called = dict.fromkeys(names, 0), {}, None, False
    for line in text.splitlines():
        match = re.match(r"(c?fn)=\((\d+)\)(?: (.*))?$", line)
        if match:
            kind, number, name = match.groups()
            if name is not None:
                known[number] = name
            if kind == "fn":
                function = known[number]
        elif line.startswith("calls="):
            called = True
        elif function in costs and re.match(r"[+*\-\d]", line):
            costs[function] += int(line.split()[1])
            called = False
    return costs


def measure(valgrind, program, size):
    names = ["measured_passes", "measured_products"]
    with tempfile.TemporaryDirectory() as folder:
        out = f"{folder}/out"
        command = [valgrind, "--tool=callgrind", f"--callgrind-out-file={out}", "--dump-instr=no"]
        command += [f"--toggle-collect={name}" for name in names]
        done = subprocess.run(command + [program] + [str(n) for n in size], capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            sys.exit(f"callgrind exited {done.returncode}:\n{done.stderr}")
        with open(out, encoding="utf-8") as file:
            costs = inclusive_costs(file.read(), names)
    return [costs[name] / CALLS for name in names]


def self_test():
    text = "fn=(1) f\n3 10\ncfn=(2) g\ncalls=1 5\n+1 100\nfn=(2)\n5 100\nfn=(1)\n* 1\n"
    assert inclusive_costs(text, ["f"]) == {"f": 111}, inclusive_costs(text, ["f"])


def main():
    self_test()
    failed = False
    for size in SIZES:
        through, direct = measure(sys.argv[1], sys.argv[2], size)
        if direct <= 0 or through <= direct:
            print(f"{size}: nothing was counted: {through} and {direct}")
            return 1
        failed |= through - direct > LIMIT
        print("%d to %d, %d rows: %.0f instructions, directly %.0f: %.0f beside the product (limit %d)"
              % (*size, through, direct, through - direct, LIMIT))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
