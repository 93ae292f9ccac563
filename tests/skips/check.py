#!/usr/bin/env python3
"""What tests print when they skip is found by tools/skipped: check.py tools/skipped test_corpus"""
import os
import subprocess
import sys
import tempfile

NOWHERE = "/nowhere"
CASES = """
import unittest
@unittest.skipUnless(False, "no 'data'")
class Whole(unittest.TestCase):
    def test_it(self): pass
class Each(unittest.TestCase):
    def test_it(self):
        "Has a text of its own."
        self.skipTest("no device")
    def test_part(self):
        with self.subTest(part=1): self.skipTest("no device")
    def test_that_runs(self): pass
unittest.main()
"""


def output(*command, text=None, **environment):
    done = subprocess.run(command, input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, **environment}, timeout=60, check=True)
    return done.stdout


def told(tool, log):
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
        file.write(log)
        file.flush()
        return output(tool, "label", file.name).splitlines()


def main():
    tool, criterion = sys.argv[1:]
    # As ./dev runs them.
    log = output(criterion, "--jobs", "1", KASMINA_SHARED=NOWHERE, CRITERION_VERBOSITY_LEVEL="1")
    log += output(sys.executable, "-", "-v", text=CASES)
    log += "SKIPPED: no driver\nprogram: SKIPPED: no driver\n"
    assert told(tool, log) == [
        "label: 6 skipped",
        "     2 × no device",
        "     2 × no driver",
        f"     1 × {NOWHERE}/data/manifest.json is not there: no shared data to test with",
        "     1 × no 'data'",
    ], told(tool, log)
    assert told(tool, "[PASS] suite::test: (0.00s)\ntest_it ... ok\n") == ["label: nothing was skipped"]


if __name__ == "__main__":
    main()
