#!/usr/bin/env python3
"""What idle and very slow connections do to the others: p99 of a small pass alone, and beside 2,000 idle connections and 500
clients that send a byte a second. Prints the ratio, which should stay under 1.25."""
import argparse
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests", "http"))
from server import Client, Server, floats  # noqa: E402

HEAD = b"POST /v1/layers/bench/forward HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"


class Crowd:
    """Idle connections that have asked once, and slow ones in the middle of a body."""

    def __init__(self, server, idle, slow):
        self.stopping = threading.Event()
        self.idle = [server.connect() for _ in range(idle)]
        for one in self.idle:
            one.sendall(b"GET /v1/health/live HTTP/1.1\r\nHost: x\r\n\r\n")
            one.recv(4096)
        self.slow = [server.connect() for _ in range(slow)]
        for one in self.slow:
            one.sendall(HEAD)
        self.thread = threading.Thread(target=self.drip)
        self.thread.start()

    def drip(self):
        """Each slow one gives a byte a second, spread over the second."""
        while not self.stopping.is_set():
            begin = time.monotonic()
            for number, one in enumerate(self.slow):
                one.send(b"x")
                if number % 50 == 49:
                    self.stopping.wait(0.1)
            self.stopping.wait(max(0, begin + 1 - time.monotonic()))

    def close(self):
        self.stopping.set()
        self.thread.join()
        for one in self.idle + self.slow:
            one.close()


def p99(server, folder, seconds):
    """Of 8 connections of wrk, in µs."""
    script = os.path.join(folder, "pass.lua")
    with open(os.path.join(folder, "row"), "wb") as file:
        file.write(floats([0.5] * 512))
    with open(script, "w") as file:
        file.write(f'local file = io.open("{folder}/row", "rb")\nwrk.method = "POST"\nwrk.body = file:read("*a")\nwrk.headers["Content-Type"] = "application/octet-stream"\n')
    out = subprocess.run(["wrk", "-t1", "-c8", f"-d{seconds}s", "--latency", "-s", script, f"{server.url}/v1/layers/bench/forward"], stdout=subprocess.PIPE, check=True, text=True).stdout
    value, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", out).groups()
    return float(value) * {"us": 1, "ms": 1e3, "s": 1e6}[unit]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--idle", type=int, default=2000)
    parser.add_argument("--slow", type=int, default=500)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    server = Server()
    client = Client(server.port)
    client.post("/v1/layers", {"name": "bench", "input_size": 512, "output_size": 256})
    alone, crowded = [], []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(options.rounds):
            alone.append(p99(server, folder, options.seconds))
            crowd = Crowd(server, options.idle, options.slow)
            crowded.append(p99(server, folder, options.seconds))
            crowd.close()
    client.close()
    server.stop()
    before, after = statistics.median(alone), statistics.median(crowded)
    print(f"p99 alone {before:.0f} µs, beside {options.idle} idle and {options.slow} slow connections {after:.0f} µs: {after / before:.3f}")


if __name__ == "__main__":
    main()
