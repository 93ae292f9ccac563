"""Starts the built server for tests, and speaks to it: plain HTTP with the standard library, and bytes on a socket."""
import http.client
import json
import os
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ.get("KASMINA_BINARY", os.path.join(ROOT, "build", "release", "cli", "kasmina"))
EXAMPLES = os.path.join(ROOT, "examples", "digits")
ARTIFACTS = os.path.join(EXAMPLES, "artifacts")
OCTETS = "application/octet-stream"
PROBLEM = "application/problem+json"
PROBLEM_MEMBERS = {"type", "title", "status", "detail", "instance", "error_type", "trace_id"}

sys.path.insert(0, os.path.join(ROOT, "tools"))


def read_example(name):
    with open(os.path.join(EXAMPLES, name), "rb") as file:
        return file.read()


def floats(values):
    return struct.pack(f"<{len(values)}f", *values)


def unpack_floats(data):
    return list(struct.unpack(f"<{len(data) // 4}f", data))


class Answer:
    """A response that has been read to its end."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def header(self, name, default=None):
        return self.headers.get(name, default)

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:400]!r}"


class Server:
    """A running `kasmina serve` on a free port, with folders of its own."""

    def __init__(self, *flags, artifact_dir=ARTIFACTS, environment=None, stderr=None, limits=None):
        self.folder = tempfile.mkdtemp(prefix="kasmina-test-")
        self.data_dir = os.path.join(self.folder, "data")
        self.artifact_dir = artifact_dir
        self.log = open(os.path.join(self.folder, "log"), "w+b")
        command = [BINARY, "serve", "--listen", "127.0.0.1:0", "--data-dir", self.data_dir, "--artifact-dir", artifact_dir,
                   "--http-threads", "2", "--log-level", "warning", *flags]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr or self.log, env={**os.environ, **(environment or {})},
                                        preexec_fn=lambda: [resource.setrlimit(kind, limit) for kind, limit in (limits or {}).items()])
        self.line = self.process.stdout.readline().decode()
        if not self.line.startswith("kasmina: listening on http://"):
            self.process.wait(timeout=10)
            raise AssertionError(f"the server did not start: {self.line!r} {self.read_log()!r}")
        self.url = self.line.split()[-1]
        self.port = int(self.url.rsplit(":", 1)[1])

    def read_log(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def wait_for_log(self, word, seconds=10):
        """A thread of the server's writes it: what has happened stands there soon."""
        end = time.monotonic() + seconds
        while word not in self.read_log():
            if time.monotonic() > end:
                raise AssertionError(f"{word!r} is not in the log: {self.read_log()}")
            time.sleep(0.01)

    def stop(self, sign=signal.SIGTERM, timeout=30):
        """Ends it in order and gives the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(sign)
        try:
            code = self.process.wait(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("the server did not end") from None
        finally:
            self.process.stdout.close()
            self.whole_log = log = self.read_log()
            self.log.close()
            shutil.rmtree(self.folder, ignore_errors=True)
        if code not in (0, -signal.SIGKILL):
            raise AssertionError(f"the server ended with {code}: {log[-2000:]}")
        return code

    def connect(self, timeout=30):
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout)


class Client:
    """One keep-alive connection."""

    def __init__(self, port, headers=None):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.headers = headers or {}

    def send(self, method, path, body=None, headers=None, kind=None):
        """`body`: bytes (octets unless `kind` says otherwise), or what JSON can hold."""
        sent = dict(self.headers)
        if body is not None and not isinstance(body, (bytes, bytearray)):
            body, kind = json.dumps(body).encode(), kind or "application/json"
        if body is not None:
            sent["Content-Type"] = kind or OCTETS
        sent.update(headers or {})
        self.connection.request(method, path, body, sent)
        response = self.connection.getresponse()
        return Answer(response.status, response.headers, response.read())

    def get(self, path, headers=None):
        return self.send("GET", path, headers=headers)

    def post(self, path, body=None, headers=None, kind=None):
        return self.send("POST", path, body, headers, kind)

    def put(self, path, body=None, headers=None, kind=None):
        return self.send("PUT", path, body, headers, kind)

    def delete(self, path, headers=None):
        return self.send("DELETE", path, headers=headers)

    def close(self):
        self.connection.close()


class ServerTest(unittest.TestCase):
    """A class of tests that share one server; `flags` and `artifact_dir` are its own."""

    flags = ()
    artifact_dir = ARTIFACTS

    @classmethod
    def setUpClass(cls):
        cls.server = Server(*cls.flags, artifact_dir=cls.artifact_dir)

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def setUp(self):
        self.client = Client(self.server.port)
        self.addCleanup(self.client.close)

    # ---- making things

    def layer(self, name=None, inputs=64, outputs=10, **more):
        """A layer that the test removes again; its path."""
        name = name or self.id().rsplit(".", 1)[1].replace("_", "-")[-100:]
        answer = self.client.post("/v1/layers", {"name": name, "input_size": inputs, "output_size": outputs, **more})
        self.expect(answer, 201)
        self.addCleanup(self.remove, name)
        return f"/v1/layers/{name}"

    def remove(self, name):
        client = Client(self.server.port, self.client.headers)
        client.delete(f"/v1/layers/{name}?force=true")
        client.close()

    def load(self, layer, seed=0, artifact="digits-good", **more):
        """A seed with a kernel in it; its path."""
        answer = self.client.post(f"{layer}/seeds/{seed}/load?wait=20", {"artifact_id": artifact, **more})
        self.expect(answer, 200)
        return f"{layer}/seeds/{seed}"

    def wait_for(self, path, wanted, seconds=10):
        """The answer of a GET, once `wanted` likes its JSON."""
        end = time.monotonic() + seconds
        while True:
            answer = self.client.get(path)
            if wanted(answer.json):
                return answer
            self.assertLess(time.monotonic(), end, f"{path}: {answer}")
            time.sleep(0.01)

    # ---- judging answers

    def expect(self, answer, status):
        self.assertEqual(answer.status, status, answer)
        self.assertTrue(answer.header("X-Request-Id"))
        return answer.json if answer.body and "json" in (answer.header("Content-Type") or "") else answer

    def expect_problem(self, answer, status, name, *words):
        """A problem document of this status and type, whose detail has these words; the document."""
        self.assertEqual(answer.status, status, answer)
        self.assertEqual(answer.header("Content-Type"), PROBLEM)
        problem = answer.json
        self.assertLessEqual(PROBLEM_MEMBERS, set(problem))
        self.assertEqual((problem["type"], problem["status"]), (f"/problems/{name}", status))
        self.assertTrue(problem["title"] and problem["detail"] and problem["trace_id"])
        for word in words:
            self.assertIn(str(word), problem["detail"])
        return problem

    def unchanged(self, *paths):
        """For `with`: what these paths show (but for their clocks) is the same afterwards."""
        return Unchanged(self, paths)


class Unchanged:
    MOVING = {"uptime_s", "last_accessed", "hits", "exec_latency_us", "health_accumulator"}  # what is measured follows a pass by a while

    def __init__(self, test, paths):
        self.test, self.paths = test, paths

    def look(self):
        seen = {}
        for path in self.paths:
            answer = self.test.client.get(path)
            body = answer.json if "json" in answer.header("Content-Type", "") else answer.body
            seen[path] = (answer.status, answer.header("ETag"), self.still(body))
        return seen

    def still(self, value):
        if isinstance(value, dict):
            return {key: self.still(member) for key, member in value.items() if key not in self.MOVING}
        return [self.still(member) for member in value] if isinstance(value, list) else value

    def __enter__(self):
        self.before = self.look()

    def __exit__(self, kind, *_):
        if kind is None:
            self.test.assertEqual(self.look(), self.before)


class Raw:
    """Bytes on a socket, for what no HTTP library would send."""

    def __init__(self, server, timeout=10):
        self.socket = server.connect(timeout)
        self.file = self.socket.makefile("rb")

    def send(self, data):
        self.socket.sendall(data.encode() if isinstance(data, str) else data)

    def head(self):
        """The status line's code and the headers of the next answer; None where the connection was closed instead."""
        line = self.file.readline()
        if not line:
            return None
        headers = http.client.parse_headers(self.file)
        return int(line.split()[1]), headers

    def answer(self, has_body=True):
        head = self.head()
        if head is None:
            return None
        status, headers = head
        body = self.file.read(int(headers.get("Content-Length", 0))) if has_body else b""
        return Answer(status, headers, body)

    def is_closed(self):
        try:
            return self.file.read(1) == b""
        except ConnectionResetError:
            return True

    def close(self):
        self.file.close()
        self.socket.close()
