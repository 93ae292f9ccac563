"""The servers that are measured, and the load on them."""
import http.client
import json
import os
import re
import resource
import subprocess

from benchmarks.figures import BUILD


def wrk(url, connections, seconds, script=None):
    """Requests a second, p50 and p99 in µs."""
    command = ["wrk", "-t", "2" if connections > 2 else "1", "-c", str(connections), "-d", f"{seconds}s", "--latency"]
    if script:
        command += ["-s", script]
    out = subprocess.run(command + [url], stdout=subprocess.PIPE, check=True, text=True).stdout
    if "Non-2xx" in out or "Socket errors" in out:
        raise SystemExit(f"wrk saw errors at {url}:\n{out}")

    def quantile(name):
        value, unit = re.search(rf"{name}%\s+([\d.]+)(us|ms|s)", out).groups()
        return float(value) * {"us": 1, "ms": 1e3, "s": 1e6}[unit]

    return float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1)), quantile("50"), quantile("99")


def load(server, path, connections, seconds, script=None):
    """Requests a second, p50 and p99 in µs, and the processor time of server and client in µs a request."""
    def spent():
        client = resource.getrusage(resource.RUSAGE_CHILDREN)
        return server.processor_time() + client.ru_utime + client.ru_stime

    before = spent()
    rate, p50, p99 = wrk(f"http://127.0.0.1:{server.port}{path}", connections, seconds, script)
    return rate, p50, p99, (spent() - before) / (rate * seconds) * 1e6


def wrk_script(folder, name, body, headers):
    path, data = os.path.join(folder, name + ".lua"), os.path.join(folder, name + ".body")
    with open(data, "wb") as file:
        file.write(body)
    with open(path, "w") as file:
        file.write(f'wrk.method = "POST"\nlocal file = io.open("{data}", "rb")\nwrk.body = file:read("*a")\nfile:close()\n')
        file.writelines(f'wrk.headers["{key}"] = "{value}"\n' for key, value in headers.items())
    return path


class Server:
    def __init__(self, command, pattern):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(re.search(pattern, self.process.stdout.readline()).group(1))

    def processor_time(self):
        """Seconds, of all threads."""
        with open(f"/proc/{self.process.pid}/stat") as file:
            user, system = file.read().rsplit(")", 1)[1].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

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


def serve(folder, artifacts):
    """Kasmina with the layer "bench", 512 to 256."""
    server = Server([os.path.join(BUILD, "cli", "kasmina"), "serve", "--listen", "127.0.0.1:0", "--data-dir", folder, "--artifact-dir", artifacts,
                     "--log-level", "error"], r":(\d+)\s*$")
    post(server.port, "/v1/layers", {"name": "bench", "input_size": 512, "output_size": 256})
    return server


def serve_bare():
    return Server([os.path.join(BUILD, "bench", "bare_http"), "1100"], r"(\d+)")
