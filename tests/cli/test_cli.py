"""The command line, as people and programs use it: exit codes, messages, tables, JSON, help, completion, manual page."""
import hashlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "http"))
from server import BINARY, EXAMPLES, Client, Server  # noqa: E402

GOOD = os.path.join(EXAMPLES, "artifacts", "digits-good.onnx")
IMAGES = os.path.join(EXAMPLES, "images.f32")


def run(*arguments, url=None, **options):
    environment = {**os.environ, "KASMINA_URL": url or "http://127.0.0.1:1"}
    return subprocess.run([BINARY, *arguments], capture_output=True, timeout=60, env=environment, **options)


class Local(unittest.TestCase):
    """What needs no server."""

    def fails(self, code, text, *arguments, **options):
        result = run(*arguments, **options)
        self.assertEqual(result.returncode, code, result)
        self.assertIn(text, result.stderr.decode())
        self.assertEqual(result.stdout, b"")

    def test_usage_errors_end_with_2(self):
        self.fails(2, "no command 'frob'", "frob")
        self.fails(2, "kernel list", "kernel")
        self.fails(2, "no command 'kernel lst'; 'kasmina help kernel' lists", "kernel", "lst")
        self.fails(2, "seed load LAYER SEED ARTIFACT: SEED is missing", "seed", "load", "a")
        self.fails(2, "'c' is one too many", "layer", "show", "a", "c")
        self.fails(2, "options come after the command", "--url", "http://127.0.0.1:1", "layer", "list")
        self.fails(2, "no option '--colour'", "layer", "list", "--colour", "blue")
        self.fails(2, "--input", "layer", "create", "a", "--input", "many", "--output", "3")
        self.fails(2, "Try 'kasmina seed load --help'", "seed", "load", "a")
        self.fails(2, "--seeds and --kernel", "bench", "--seeds", "1")
        self.fails(2, "sizes such as 64x10", "kernel", "inspect", GOOD, "--layer", "wide")

    def test_failures_end_with_1(self):
        self.fails(1, "127.0.0.1:1", "layer", "list")
        self.fails(1, "/nowhere.onnx", "kernel", "inspect", "/nowhere.onnx")

    def test_an_answer_that_cannot_be_written_is_a_failure(self):
        with open("/dev/full", "w") as full:
            for command in (("version",), ("manual",), ("help",), ("kernel", "inspect", GOOD)):
                result = subprocess.run([BINARY, *command], stdout=full, stderr=subprocess.PIPE, timeout=60, env={**os.environ, "KASMINA_URL": "http://127.0.0.1:1"})
                self.assertEqual(result.returncode, 1, command)

    def test_nothing_to_read_is_a_failure_and_nothing_is_sent(self):
        """No server is there: a request would fail with another message."""
        for arguments in (("forward", "a"), ("forward", "a", "--json"), ("forward", "a", "--input", "-"),
                          ("layer", "weights", "a", "--put", "-"), ("kernel", "put", "a", "-"),
                          ("layer", "create", "a", "--input", "1", "--output", "1", "--weights", "-"),
                          ("kernel", "validate", "--file", "-"), ("kernel", "inspect", "-"),
                          ("bench", "--seeds", "1", "--kernel", "-")):
            self.fails(1, "kasmina: standard input is empty\n", *arguments, stdin=subprocess.DEVNULL)
        self.fails(1, "kasmina: /dev/null is empty\n", "forward", "a", "--input", "/dev/null")

    def test_each_command_has_help_with_an_example(self):
        overview = run("help").stdout.decode()
        names = [line.strip().split("  ")[0] for line in overview.splitlines() if line.startswith("  ")]
        self.assertGreater(len(names), 20)
        for name in names:
            result = run(*name.split(), "--help")
            self.assertEqual(result.returncode, 0, name)
            self.assertIn(f"Usage: kasmina {name}", result.stdout.decode())
            self.assertIn("Examples:\n  ", result.stdout.decode(), name)

    def test_help_of_a_group(self):
        for words in (("layer", "--help"), ("layer", "-h"), ("help", "layer")):
            result = run(*words)
            self.assertEqual((result.returncode, result.stderr), (0, b""), words)
            self.assertIn("layer create ", result.stdout.decode())
            self.assertNotIn("seed load", result.stdout.decode())
        self.assertEqual(run("help", "layer", "create").stdout, run("layer", "create", "--help").stdout)
        self.fails(2, "no command 'frob'", "help", "frob")

    def test_version(self):
        alone = run("--version")
        self.assertEqual(alone.returncode, 0)
        self.assertRegex(alone.stdout.decode(), r"^kasmina \d+\.\d+\.\d+\n$")
        unanswered = run("version", "--url", "http://127.0.0.1:1")
        self.assertEqual((unanswered.returncode, unanswered.stdout), (1, alone.stdout))
        self.assertIn("127.0.0.1:1", unanswered.stderr.decode())

    def test_inspect(self):
        report = json.loads(run("kernel", "inspect", GOOD, "--json", "--layer", "64x10").stdout)
        self.assertEqual((report["format"], report["input_shape"], report["output_shape"]), ("onnx", "[64]", "[10]"))
        self.assertEqual([node["operator"] for node in report["nodes"]], ["linear", "linear"])
        self.assertTrue(report["layer"]["compatible"])
        host = [device for device in report["devices"] if device["device"] == "host:0"]
        self.assertTrue(host and host[0]["runs"] and host[0]["launches"])
        text = run("kernel", "inspect", GOOD).stdout.decode()
        self.assertIn("sha256", text)
        self.assertRegex(text, r"host:0 +yes +linear, linear")

    def test_inspect_says_why_not(self):
        result = run("kernel", "inspect", GOOD, "--layer", "64x12")
        self.assertEqual(result.returncode, 1)
        self.assertIn("64 to 10", result.stdout.decode())
        with tempfile.NamedTemporaryFile(suffix=".onnx") as cut:
            with open(GOOD, "rb") as whole:
                cut.write(whole.read()[:500])
            cut.flush()
            result = run("kernel", "inspect", cut.name)
        self.assertEqual(result.returncode, 1)
        self.assertIn("refused, malformed", result.stderr.decode())

    def test_inspect_draws(self):
        text = run("kernel", "inspect", GOOD, "--dot").stdout.decode()
        self.assertTrue(text.startswith("digraph kernel {") and text.endswith("}\n"))
        self.assertEqual(text.count("shape=box"), 2)

    def test_bench(self):
        arguments = ["--seconds", "0.05", "--rows", "3", "--in", "64", "--out", "10", "--json"]
        figures = json.loads(run("bench", *arguments, "--seeds", "2", "--kernel", GOOD).stdout)
        self.assertGreater(figures["passes"], 0)
        self.assertGreater(figures["p50_us"], 0)
        self.assertEqual(figures["active_seeds"], 2)

    def test_selftest(self):
        result = run("devices", "--selftest", "host:0", "--json")
        report = json.loads(result.stdout)
        self.assertEqual((result.returncode, report["passed"]), (0, True), result.stderr)
        (host,) = report["devices"]
        self.assertEqual(host["id"], "host:0")
        for operator in host["operators"]:
            self.assertGreater(operator["cases"], 0, operator)
            self.assertLessEqual(operator["worst_share"], 1, operator)
        self.assertLessEqual({"linear", "conv", "pad", "linear_blend"}, {each["operator"] for each in host["operators"]})

    def test_local_devices(self):
        devices = json.loads(run("devices", "--local", "--json").stdout)
        self.assertIn("host:0", [device["id"] for device in devices])
        one = json.loads(run("devices", "--local", "host:0", "--json").stdout)
        self.assertEqual([device["id"] for device in one], ["host:0"])
        self.fails(1, "host:0", "devices", "--local", "host:7")

    def completed(self, *words):
        """What bash offers for the last of these words."""
        script = run("completion").stdout.decode() + """
            COMP_WORDS=(kasmina "$@"); COMP_CWORD=$#; _kasmina; printf '%s\\n' "${COMPREPLY[@]}"
        """
        result = subprocess.run(["bash", "-c", script, "bash", *words], capture_output=True, text=True, timeout=30)
        self.assertEqual(result.stderr, "")
        offered = result.stdout.split()
        self.assertEqual(len(offered), len(set(offered)), f"offered twice: {offered}")
        return set(offered)

    def test_completion_of_commands(self):
        names = [line.split("  ")[1] for line in run("help").stdout.decode().splitlines() if line.startswith("  ")]
        first = {name.split()[0] for name in names}
        self.assertEqual(self.completed(""), first | {"help", "--help", "--version"})
        self.assertEqual(self.completed("help", ""), first)
        self.assertEqual(self.completed("help", "la"), {"layer"})
        self.assertEqual(self.completed("help", "layer", "create", ""), set())
        for group in (word for word in first if word not in names):
            verbs = {name.split()[1] for name in names if name.startswith(f"{group} ")}
            self.assertEqual(self.completed(group, ""), verbs)
            self.assertEqual(self.completed("help", group, ""), verbs)

    def test_completion_of_options(self):
        self.assertEqual(self.completed("seed", "load", "--al"), {"--alpha"})
        self.assertLessEqual({"--alpha", "--url", "--json", "--help"}, self.completed("seed", "load", "digits", ""))
        self.assertNotIn("--url", self.completed("completion", ""))
        self.assertEqual(self.completed("layer", "create", "digits", "--weights", ""), set())
        self.assertIn("--input", self.completed("layer", "create", "digits", "--json", ""))
        self.assertEqual(self.completed("kernel", "pinned", ""), set())

    def test_manual(self):
        page = run("manual").stdout.decode()
        self.assertTrue(page.startswith(".TH KASMINA 1"))
        self.assertIn(".SS \"kasmina seed load", page)


class SomethingElse:
    """What gives every request the same answer, whatever it is."""

    def __init__(self, answer):
        self.answer = answer
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(self.answer.encode())
            except OSError:
                return  # closed

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class Strangers(unittest.TestCase):
    """Servers that are no kasmina server, or a bad one."""

    COMMANDS = (("layer", "list"), ("health",), ("epoch",), ("seed", "show", "a"), ("seed", "alpha", "a", "0", "0.5"), ("seed", "load", "a", "0", "b"), ("layer", "delete", "a"),
                ("devices",), ("events",), ("version",))

    def fails(self, answer, word, *commands):
        server = SomethingElse(answer)
        for command in commands or self.COMMANDS:
            with self.subTest(answer=answer, command=command):
                result = run(*command, url=server.url)
                self.assertEqual(result.returncode, 1, result)
                self.assertIn(word, result.stderr.decode())
        server.close()

    def test_success_of_something_else_is_none(self):
        self.fails("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "no kasmina server")
        self.fails("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>", "no kasmina server")
        self.fails("HTTP/1.1 204 No Content\r\n\r\n", "no kasmina server")

    def test_a_redirection_is_no_success(self):
        self.fails("HTTP/1.1 302 Found\r\nLocation: /login\r\nX-Request-Id: 1\r\nContent-Length: 0\r\n\r\n", "HTTP 302")

    def test_what_is_no_http_is_said_to_be_none(self):
        self.fails("SSH-2.0-OpenSSH_9.2\r\n", "HTTP/0.9", ("health",), ("events",))

    def test_a_list_without_an_end_ends(self):
        body = '{"layers":[],"next_cursor":"again"}'
        self.fails(f"HTTP/1.1 200 OK\r\nX-Request-Id: 1\r\nContent-Length: {len(body)}\r\n\r\n{body}", "comes to no end", ("layer", "list"))

    def test_no_server_commands_the_terminal(self):
        body = '{"detail":"\\u001b[31mred\\u0007"}'
        self.fails(f"HTTP/1.1 409 Conflict\r\nContent-Length: {len(body)}\r\n\r\n{body}", "?[31mred? (HTTP 409)", ("health",))


class Remote(unittest.TestCase):
    """What speaks to a server."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.client = Client(cls.server.port)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.server.stop()

    def ok(self, *arguments, **options):
        result = run(*arguments, url=self.server.url, **options)
        self.assertEqual(result.returncode, 0, result)
        return result.stdout

    def test_a_day(self):
        self.ok("layer", "create", "digits", "--input", "64", "--output", "10", "--weights",
                os.path.join(EXAMPLES, "base.safetensors"))
        self.assertRegex(self.ok("layer", "list").decode(), r"digits +64 +10")
        self.assertIn("live", self.ok("seed", "load", "digits", "0", "digits-good", "--alpha", "0.5").decode())
        self.assertRegex(self.ok("seed", "show", "digits").decode(), r"0 ACTIVE +digits-good +0\.5")
        seeds = json.loads(self.ok("seed", "show", "digits", "--json"))["seeds"]
        self.assertEqual([seed["lifecycle_state"] for seed in seeds], ["ACTIVE"] + 3 * ["DORMANT"])
        self.ok("seed", "alpha", "digits", "0", "0.25")
        answer = self.ok("forward", "digits", "--input", IMAGES)
        self.assertEqual(len(answer), 1797 * 10 * 4)
        self.assertRegex(self.ok("seed", "unload", "digits", "0", "--at-epoch", "1").decode(), r"unload at 1")
        self.assertRegex(self.ok("seed", "load", "digits", "1", "digits-good", "--at-epoch", "1").decode(), r"ready, live at epoch 1, found in the device tier")
        self.assertRegex(self.ok("seed", "show", "digits").decode(), r"1 DORMANT .* load digits-good at 1")
        self.assertRegex(self.ok("epoch").decode(), r"staged +2")
        self.ok("epoch", "1")
        self.assertRegex(self.ok("seed", "show", "digits").decode(), r"0 DORMANT")
        self.ok("seed", "unload", "digits", "1")
        self.assertIn("digits-good: on the device", self.ok("kernel", "preload", "digits-good").decode())
        self.assertIn("total_executions", self.ok("stats", "digits").decode())
        self.assertIn("cache_stats", json.loads(self.ok("stats", "--json")))
        self.assertIn("digits-good", self.ok("kernel", "list").decode())
        self.ok("kernel", "evict", "digits-good")
        weights = self.ok("layer", "weights", "digits", "--get", "-")
        with open(os.path.join(EXAMPLES, "base.safetensors"), "rb") as file:
            self.assertGreater(len(weights), len(file.read()) - 200)
        self.assertIn("host:0", self.ok("devices").decode())
        self.assertIn("host:0", self.ok("devices", "host:0").decode())
        self.assertRegex(self.ok("layer", "move", "digits", "host:0").decode(), r"digits .* host:0")
        refused = run("layer", "move", "digits", "nowhere:0", url=self.server.url)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("nowhere:0", refused.stderr.decode())
        self.ok("layer", "delete", "digits")
        self.assertIn("none", self.ok("layer", "list").decode())

    def test_a_bad_night(self):
        health = self.ok("health").decode()
        self.assertRegex(health, r"^ok, ready, up \d+ s\n$")
        self.assertTrue(json.loads(self.ok("health", "--json"))["ready"])
        self.ok("layer", "create", "night", "--input", "64", "--output", "10", "--seeds", "1")
        self.assertEqual(run("seed", "load", "night", "0", "nothing", url=self.server.url).returncode, 1)
        self.assertRegex(self.ok("errors", "--limit", "1").decode(), r"kernel_loading +night +0 +nothing +artifact nothing: no nothing\.onnx")
        listed = self.ok("operation", "list").decode()
        self.assertRegex(listed, r"op-\d+ +load +failed .* night +0 +nothing")
        operation = json.loads(self.ok("operation", "list", "--json"))["operations"][-1]["id"]
        self.assertRegex(self.ok("operation", "show", operation).decode(), r"state +failed")
        ended = run("operation", "cancel", operation, url=self.server.url)
        self.assertEqual((ended.returncode, ended.stdout), (1, b""))
        self.assertIn("has finished already", ended.stderr.decode())
        self.assertEqual(self.ok("quarantine", "list"), b"none\n")
        lifted = run("quarantine", "lift", 64 * "0", url=self.server.url)
        self.assertEqual(lifted.returncode, 1)
        self.ok("layer", "delete", "night")

    def test_a_layer_without_its_weights_is_not_made(self):
        for file, why in (("/nowhere.safetensors", "No such file"), (GOOD, "layer half is not made")):
            result = run("layer", "create", "half", "--input", "64", "--output", "10", "--weights", file, url=self.server.url)
            self.assertEqual(result.returncode, 1)
            self.assertIn(why, result.stderr.decode())
            self.assertNotIn("half", self.ok("layer", "list").decode())

    def json_of(self, *arguments, code=0):
        """The one document that a command prints."""
        result = run(*arguments, "--json", url=self.server.url)
        self.assertEqual(result.returncode, code, result.stderr)
        return json.loads(result.stdout)

    def test_json_is_one_document_of_how_it_ended(self):
        weights = os.path.join(EXAMPLES, "base.safetensors")
        made = self.json_of("layer", "create", "whole", "--input", "64", "--output", "10", "--weights", weights)
        self.assertEqual(made["weights_sha256"], self.json_of("layer", "show", "whole")["weights_sha256"])
        self.assertEqual(self.json_of("layer", "weights", "whole", "--put", weights)["weights_sha256"], made["weights_sha256"])
        self.assertEqual(self.json_of("kernel", "put", "again", GOOD)["artifact_id"], "again")
        self.assertEqual(self.json_of("seed", "load", "whole", "0", "again")["state"], "succeeded")
        self.assertEqual(self.json_of("seed", "load", "whole", "1", "missing", code=1)["state"], "failed")
        self.assertEqual(self.json_of("kernel", "preload", "again")["state"], "succeeded")
        self.assertTrue(self.json_of("kernel", "validate", "--file", GOOD)["valid"])
        self.assertIn("again", [kernel["artifact_id"] for kernel in self.json_of("kernel", "list")["kernels"]])
        self.assertIn("again", [kernel["artifact_id"] for kernel in self.json_of("kernel", "list", "--layer", "whole")["kernels"]])
        self.ok("layer", "delete", "whole")

    def test_the_server_s_version(self):
        self.assertRegex(self.ok("version").decode(), rf"^kasmina (\S+)\nserver  \1 at {self.server.url}\n$")
        both = self.json_of("version")
        self.assertEqual((set(both), both["client"]), ({"client", "server"}, both["server"]))

    def test_lists_are_whole(self):
        names = [f"many-{i:04}" for i in range(501)]  # more than a page
        for name in names:
            self.assertEqual(self.client.post("/v1/layers", {"name": name, "input_size": 1, "output_size": 1, "num_seeds": 1}).status, 201)
        listed = self.json_of("layer", "list")
        self.assertIsNone(listed["next_cursor"])
        self.assertEqual([layer["name"] for layer in listed["layers"] if layer["name"] in names], names)
        for name in names:
            self.client.delete(f"/v1/layers/{name}")

    def test_replicas_are_shown(self):
        ids = [device["id"] for device in json.loads(self.ok("devices", "--json"))["devices"]]
        other = next((id for id in ids if id != "host:0"), None)
        if not other:
            self.skipTest("this machine has one device")
        self.ok("layer", "create", "twice", "--input", "3", "--output", "2", "--device", "host:0")
        self.assertRegex(self.ok("layer", "list").decode(), r"twice .* host:0 +- ")
        self.assertRegex(self.ok("layer", "replicas", "twice", other).decode(), rf"host:0 +{other}")
        for command in (("show", "twice"), ("list",)):
            self.assertIn(other, self.ok("layer", *command).decode())
            self.assertNotIn("{", self.ok("layer", *command).decode())
        self.assertRegex(self.ok("layer", "replicas", "twice", "none").decode(), r"host:0 +- ")
        self.ok("layer", "delete", "twice")

    def test_a_server_that_asks_for_a_token(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "tokens")
            with open(path, "w") as file:
                file.write(f"read {hashlib.sha256(b'secret').hexdigest()} reader\n")
            server = Server("--token-file", path)
            result = run("layer", "list", url=server.url)
            self.assertEqual(result.returncode, 1)
            self.assertIn("set KASMINA_TOKEN", result.stderr.decode())
            self.assertEqual(run("layer", "list", "--token", "secret", url=server.url).returncode, 0)
            for token in ("secret\n", "secret\r\n", "secret\nX-More: 1", "two words"):
                result = run("layer", "list", "--token", token, url=server.url)
                self.assertEqual(result.returncode, 1, token)
                self.assertIn("the token alone", result.stderr.decode())
            self.assertIn("role", run("layer", "delete", "a", "--token", "secret", url=server.url).stderr.decode())
            server.stop()

    def test_a_refusal_is_told(self):
        result = run("seed", "show", "nobody", url=self.server.url)
        self.assertEqual(result.returncode, 1)
        self.assertIn("there is no layer nobody", result.stderr.decode())
        result = run("kernel", "validate", "--file", IMAGES, url=self.server.url)
        self.assertEqual(result.returncode, 1)


if __name__ == "__main__":
    unittest.main()
