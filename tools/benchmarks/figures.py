"""Where the programs to be measured are, how they are asked, and what is written down about them."""
import datetime
import json
import os
import platform
import re
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, "build", "release")
KAS_BENCH = os.path.join(BUILD, "bench", "kas_bench")
SHAPES = [(1, 512, 256), (32, 512, 256), (128, 1024, 1024), (512, 2048, 2048)]


class Figures:
    """The list that --json writes: {name, value, unit, against, ratio}. A name that begins with spaces says more of the
    last one that does not, and is written with that before it."""

    def __init__(self):
        self.rows, self.about = [], ""

    def add(self, name, value, unit, against=None, reference=None, ratio=None):
        """The ratio to the reference is told, or given where it is not one of these two values."""
        if reference:
            ratio = value / reference
        if not name.startswith(" "):
            self.about = name
        whole = name if name == self.about else f"{self.about}: {name.strip()}"
        self.rows.append({"name": whole, "value": value, "unit": unit, "against": against, "ratio": ratio})
        compared = f"   {ratio:6.3f} × {against}" if ratio is not None else ""
        print(f"{name:58} {value:12.2f} {unit:10}{compared}", flush=True)


def run_bench(*arguments):
    out = subprocess.run([KAS_BENCH, *map(str, arguments)], stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(out.stdout)


class Dialogue:
    """A process that answers lines with lines of JSON."""

    def __init__(self, *command):
        self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def read(self):
        return json.loads(self.process.stdout.readline())

    def ask(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        return self.read()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def machine():
    with open("/proc/cpuinfo") as file:
        name = re.search(r"model name\s*:\s*(.*)", file.read())
    return f"{name.group(1) if name else platform.processor()}, {os.cpu_count()} CPUs, Linux {platform.release()}"


def write_results(figures, peers):
    path = os.path.join(ROOT, "bench", "RESULTS.md")
    with open(path, "w") as file:
        file.write(f"# Measurements\n\nBy `./dev bench` on {datetime.date.today()}: {machine()}.")
        if peers:
            file.write(" Beside " + ", ".join(f"{name} {version}" for name, version in peers.versions.items()) + ".")
        file.write("\n\nEvery ratio is within this one run: ours over the reference. Machines are noisy; compare ratios, not times.\n\n"
                   "| what | value | unit | ratio | against |\n|---|---|---|---|---|\n")
        for row in figures.rows:
            ratio = f"{row['ratio']:.3f}" if row["ratio"] is not None else ""
            file.write(f"| {row['name']} | {row['value']:.2f} | {row['unit']} | {ratio} | {row['against'] or ''} |\n")
    print(f"wrote {os.path.relpath(path, ROOT)}")
