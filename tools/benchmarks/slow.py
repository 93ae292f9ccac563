"""What idle and very slow connections do to the others."""
import itertools
import os
import resource
import subprocess
import tempfile
import time
from statistics import median

from benchmarks.figures import BUILD
from benchmarks.servers import serve, serve_bare, wrk, wrk_script

CONNECTIONS = 2, 8  # with 8 two cores have no time left, and p99 tells of the scheduler's slices more than of the crowd
TURNS = 9
CALM_S = 0.3  # after thousands of connections have come or gone


class Crowd:
    """2,000 idle connections, and 500 clients that send a byte a second. They stand for other machines, so they take the
    processor only when nobody else wants it: otherwise each tick of theirs would interrupt server and client alike."""

    IDLE, SLOW = 2000, 500

    def __init__(self, port):
        self.process = subprocess.Popen([os.path.join(BUILD, "bench", "slow_clients"), str(port), str(self.IDLE), str(self.SLOW)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=lambda: os.nice(19))
        if self.process.stdout.readline() != "ready\n":
            raise SystemExit("the slow clients could not all connect")
        time.sleep(CALM_S)

    def close(self):
        self.process.stdin.close()
        sent = self.process.stdout.read().split()
        if self.process.wait() != 0:
            raise SystemExit("the slow clients did not last")
        if int(sent[0]) < 0.9 * self.SLOW * int(sent[1]) / 1000:
            raise SystemExit(f"the slow clients sent only {sent[0]} bytes in {sent[1]} ms")
        time.sleep(CALM_S)


def turns_of(server, path, connections, seconds, script):
    """p99 in µs alone and beside a crowd, a pair for each turn; which of the two is first changes."""
    def p99():
        return wrk(f"http://127.0.0.1:{server.port}{path}", connections, seconds, script)[2]

    for turn in range(TURNS):
        first = p99() if turn % 2 else None
        crowd = Crowd(server.port)
        beside = p99()
        crowd.close()
        yield first or p99(), beside


def measure(figures, artifacts, options, _):
    """p99 of a small pass alone and beside a crowd, in turns; and the same of the bare program, which tells the machine's own share."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory() as folder:
        script = wrk_script(folder, "forward", b"\x00\x00\x80\x3e" * 512, {"Content-Type": "application/octet-stream"})
        servers = {"forward 1 row": (serve(folder, artifacts), "/v1/layers/bench/forward"), "bare libmicrohttpd": (serve_bare(), "/")}
        try:
            for connections, (name, (server, path)) in itertools.product(CONNECTIONS, servers.items()):
                turns = list(turns_of(server, path, connections, options.seconds, script))
                name = f"{name}, {connections} connections, p99"
                figures.add(f"{name} alone", median(alone for alone, _ in turns), "µs")
                figures.add(f"{name} beside {Crowd.IDLE} idle and {Crowd.SLOW} slow", median(beside for _, beside in turns), "µs", "alone",
                            ratio=median(beside / alone for alone, beside in turns))
        finally:
            for server, _ in servers.values():
                server.close()
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
