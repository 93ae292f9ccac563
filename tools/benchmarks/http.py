"""Requests a second of the HTTP control plane and of inference over it, beside the least that a server can do."""
import json
import shutil
import tempfile

from benchmarks.peers import NGINX
from benchmarks.servers import Nginx, serve, serve_bare, wrk, wrk_script


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


def measure(figures, artifacts, options, _):
    seconds = options.seconds
    with tempfile.TemporaryDirectory() as folder:
        server, bare = serve(folder, artifacts), serve_bare()
        binary = shutil.which("nginx") or shutil.which(NGINX)
        nginx = Nginx(binary, folder) if binary else None
        try:
            for connections in (1, 8, 64):
                url, reference = f"http://127.0.0.1:{server.port}", f"http://127.0.0.1:{bare.port}/"
                rate = wrk(reference, connections, seconds)[0]
                figures.add(f"bare libmicrohttpd GET, {connections} connections", rate, "requests/s")
                ours = wrk(url + "/v1/health/live", connections, seconds)
                figures.add(f"GET /v1/health/live, {connections} connections", ours[0], "requests/s", "bare libmicrohttpd", rate)
                figures.add("    p50", ours[1], "µs")
                figures.add("    p99", ours[2], "µs")
                if nginx:
                    figures.add(f"nginx return 200, {connections} connections", wrk(f"http://127.0.0.1:{nginx.port}/", connections, seconds)[0],
                                "requests/s", "bare libmicrohttpd", rate)
                for rows in (1, 32):
                    for kind, binary in (("binary", True), ("JSON", False)):
                        body, headers = infer_body(rows, 512, binary)
                        script = wrk_script(folder, f"infer-{rows}-{kind}", body, headers)
                        rate = wrk(reference, connections, seconds, script)[0]
                        ours = wrk(url + "/v2/models/bench/infer", connections, seconds, script)
                        figures.add(f"infer {rows} rows, {kind}, {connections} connections", ours[0], "requests/s", "bare libmicrohttpd, same body", rate)
                        figures.add("    p50", ours[1], "µs")
                        figures.add("    p99", ours[2], "µs")
        finally:
            for one in (server, bare, nginx):
                if one:
                    one.close()
