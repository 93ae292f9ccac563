"""What idle and very slow connections do to the others."""
import os
import resource
import statistics
import subprocess
import tempfile

from benchmarks.figures import BUILD
from benchmarks.servers import serve, serve_bare, wrk, wrk_script

ROUNDS = 5


class Crowd:
    """2,000 idle connections, and 500 clients that send a byte a second."""

    IDLE, SLOW = 2000, 500

    def __init__(self, port):
        self.process = subprocess.Popen([os.path.join(BUILD, "bench", "slow_clients"), str(port), str(self.IDLE), str(self.SLOW)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise SystemExit("the slow clients could not all connect")

    def close(self):
        self.process.stdin.close()
        if self.process.wait() != 0:
            raise SystemExit("the slow clients did not last")


def measure(figures, artifacts, options, _):
    """p99 of a small pass alone and beside a crowd, in turns; and the same of the bare program, which tells the machine's own share."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory() as folder:
        script = wrk_script(folder, "forward", b"\x00\x00\x80\x3e" * 512, {"Content-Type": "application/octet-stream"})
        servers = {"forward 1 row": (serve(folder, artifacts), "/v1/layers/bench/forward"), "bare libmicrohttpd": (serve_bare(), "/")}
        alone, beside = ({name: [] for name in servers} for _ in range(2))
        try:
            for _ in range(ROUNDS):
                for name, (server, path) in servers.items():
                    url = f"http://127.0.0.1:{server.port}{path}"
                    alone[name].append(wrk(url, 8, options.seconds, script)[2])
                    crowd = Crowd(server.port)
                    beside[name].append(wrk(url, 8, options.seconds, script)[2])
                    crowd.close()
        finally:
            for server, _ in servers.values():
                server.close()
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    for name in servers:
        reference = statistics.median(alone[name])
        figures.add(f"{name}, p99 alone", reference, "µs")
        figures.add(f"{name}, p99 beside {Crowd.IDLE} idle and {Crowd.SLOW} slow connections", statistics.median(beside[name]), "µs", "alone", reference)
