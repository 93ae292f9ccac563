"""Requests a second of the HTTP control plane and of inference over it, beside the least that a server can do."""
import json
import shutil
import tempfile
from statistics import median

from benchmarks.peers import NGINX
from benchmarks.servers import Nginx, load, serve, serve_bare, wrk, wrk_script

RATE, P50, P99, TIME = range(4)


def infer_body(rows, inputs, binary):
    """The request, and its headers, as a client of the Open Inference Protocol sends it."""
    tensor = {"name": "input", "shape": [rows, inputs], "datatype": "FP32"}
    if not binary:
        tensor["data"] = [0.25] * (rows * inputs)
        return json.dumps({"inputs": [tensor]}).encode(), {"Content-Type": "application/json"}
    raw = b"\x00\x00\x80\x3e" * (rows * inputs)
    tensor["parameters"] = {"binary_data_size": len(raw)}
    head = json.dumps({"inputs": [tensor], "outputs": [{"name": "output", "parameters": {"binary_data": True}}]}).encode()
    return head + raw, {"Inference-Header-Content-Length": str(len(head)), "Content-Type": "application/octet-stream"}


class Beside:
    """Our server beside the bare one. They take turns of a second, as on a shared machine the next second may be another."""

    def __init__(self, figures, server, bare, turns):
        self.figures, self.server, self.bare, self.turns = figures, server, bare, turns

    def compare(self, name, path, connections, script=None):
        ours, theirs = [], []
        for _ in range(self.turns):
            theirs.append(load(self.bare, "/", connections, 1, script))
            ours.append(load(self.server, path, connections, 1, script))

        def middle(which):
            return median(turn[which] for turn in ours), median(mine[which] / other[which] for mine, other in zip(ours, theirs))

        rate, ratio = middle(RATE)
        self.figures.add(f"{name}, {connections} connections", rate, "requests/s", "bare libmicrohttpd, same body", ratio=ratio)
        self.figures.add("    p50", middle(P50)[0], "µs")
        self.figures.add("    p99", middle(P99)[0], "µs")
        time, ratio = middle(TIME)
        self.figures.add("    processor time a request, with the client's", time, "µs", "bare libmicrohttpd, same body", ratio=ratio)
        return median(turn[RATE] for turn in theirs)


def measure(figures, artifacts, options, _):
    turns = 2 * options.seconds - 1
    with tempfile.TemporaryDirectory() as folder:
        server, bare = serve(folder, artifacts), serve_bare()
        binary = shutil.which("nginx") or shutil.which(NGINX)
        nginx = Nginx(binary, folder) if binary else None
        try:
            beside = Beside(figures, server, bare, turns)
            for connections in (1, 8, 64):
                rate = beside.compare("GET /v1/health/live", "/v1/health/live", connections)
                figures.add(f"bare libmicrohttpd GET, {connections} connections", rate, "requests/s")
                if nginx:
                    figures.add(f"nginx return 200, {connections} connections", wrk(f"http://127.0.0.1:{nginx.port}/", connections, turns)[0],
                                "requests/s", "bare libmicrohttpd", rate)
                for rows in (1, 32):
                    for kind in ("binary", "JSON"):
                        script = wrk_script(folder, f"infer-{rows}-{kind}", *infer_body(rows, 512, kind == "binary"))
                        beside.compare(f"infer {rows} rows, {kind}", "/v2/models/bench/infer", connections, script)
        finally:
            for one in (server, bare, nginx):
                if one:
                    one.close()
