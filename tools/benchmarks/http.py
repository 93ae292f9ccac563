"""Requests a second of the HTTP control plane and of inference over it, beside the least that a server can do."""
import http.client
import json
import os
import re
import shutil
import subprocess
import tempfile

from benchmarks.figures import BUILD
from benchmarks.peers import NGINX


def wrk(url, connections, seconds, script=None):
    """Requests a second, p50 and p99 in µs."""
    command = ["wrk", "-t", "1" if connections == 1 else "2", "-c", str(connections), "-d", f"{seconds}s", "--latency"]
    if script:
        command += ["-s", script]
    out = subprocess.run(command + [url], stdout=subprocess.PIPE, check=True, text=True).stdout
    if "Non-2xx" in out or "Socket errors" in out:
        raise SystemExit(f"wrk saw errors at {url}:\n{out}")

    def quantile(name):
        value, unit = re.search(rf"{name}%\s+([\d.]+)(us|ms|s)", out).groups()
        return float(value) * {"us": 1, "ms": 1e3, "s": 1e6}[unit]

    return float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1)), quantile("50"), quantile("99")


def wrk_script(folder, name, body, headers):
    path, data = os.path.join(folder, name + ".lua"), os.path.join(folder, name + ".body")
    with open(data, "wb") as file:
        file.write(body)
    with open(path, "w") as file:
        file.write(f'wrk.method = "POST"\nlocal file = io.open("{data}", "rb")\nwrk.body = file:read("*a")\nfile:close()\n')
        file.writelines(f'wrk.headers["{key}"] = "{value}"\n' for key, value in headers.items())
    return path


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


class Server:
    def __init__(self, command, pattern):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(re.search(pattern, self.process.stdout.readline()).group(1))

    def close(self):
        self.process.stdin.close()
        self.process.terminate()
        self.process.wait()


class Nginx:
    """nginx with one fixed answer."""

    def __init__(self, binary, folder, port=18089):
        self.port = port
        conf = os.path.join(folder, "nginx.conf")
        scratch = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        with open(conf, "w") as file:
            file.write(f"worker_processes 2; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;\n"
                       "events { worker_connections 1024; }\n"
                       f"http {{ access_log off; {scratch} keepalive_requests 100000000;\n"
                       f"server {{ listen 127.0.0.1:{port}; return 200 'ok'; }} }}\n")
        self.process = subprocess.Popen([binary, "-c", conf, "-p", folder], stderr=subprocess.DEVNULL)

    def close(self):
        self.process.terminate()
        self.process.wait()


def post(port, path, body):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    response = connection.getresponse()
    if response.status >= 300:
        raise SystemExit(f"POST {path}: {response.status} {response.read()}")


def measure(figures, artifacts, options, _):
    seconds = options.seconds
    with tempfile.TemporaryDirectory() as folder:
        server = Server([os.path.join(BUILD, "cli", "kasmina"), "serve", "--listen", "127.0.0.1:0", "--data-dir", folder, "--artifact-dir", artifacts,
                         "--log-level", "error"], r":(\d+)\s*$")
        bare = Server([os.path.join(BUILD, "bench", "bare_http"), "1100"], r"(\d+)")
        binary = shutil.which("nginx") or shutil.which(NGINX)
        nginx = Nginx(binary, folder) if binary else None
        try:
            post(server.port, "/v1/layers", {"name": "bench", "input_size": 512, "output_size": 256})
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
