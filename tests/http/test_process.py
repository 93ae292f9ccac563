#!/usr/bin/env python3
"""The process: flags and variables, what it refuses to start with, and how it ends."""
import fcntl
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

import artifacts
from server import ARTIFACTS, BINARY, Client, Raw, Server, floats


def run(*arguments, **variables):
    """Exit code, stdout and stderr of a serve that is expected to end by itself."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([BINARY, "serve", "--data-dir", os.path.join(folder, "data"), *arguments], capture_output=True, text=True, timeout=20,
                              env={**os.environ, **variables}, cwd=folder)
    return done.returncode, done.stdout, done.stderr


class Starting(unittest.TestCase):
    def refuses(self, code, word, *arguments, **variables):
        ended, out, error = run(*arguments, **variables)
        self.assertEqual((ended, out), (code, ""), error)
        self.assertIn(word, error)
        lines = error.strip().split("\n")
        self.assertTrue(lines[0].startswith("kasmina"), lines[0])
        if code == 1:
            self.assertEqual(len(lines), 1, error)

    def test_wrong_flags(self):
        for word, arguments in (("--no-such-flag", ("--no-such-flag",)), ("listen", ("--listen",)), ("operand", ("extra",)), ("threads", ("--http-threads", "0")),
                                ("threads", ("--http-threads", "x")), ("max-body-mb", ("--max-body-mb", "-1")), ("log-level", ("--log-level", "loud")),
                                ("max-connections", ("--max-connections", "99999999999999999999"))):
            with self.subTest(arguments=arguments):
                self.refuses(2, word, *arguments)

    def test_wrong_variables(self):
        self.refuses(2, "http-threads", KASMINA_HTTP_THREADS="many")
        self.refuses(2, "nowhere", KASMINA_LISTEN="nowhere")
        self.refuses(2, "allow-anyone", "--listen", "0.0.0.0:0", KASMINA_ALLOW_ANYONE="perhaps")
        for no in ("0", "false", "No", "off"):
            self.refuses(2, "--token-file", "--listen", "0.0.0.0:0", KASMINA_ALLOW_ANYONE=no)

    def test_wrong_addresses(self):
        for address in ("127.0.0.1", ":8080", "127.0.0.1:", "127.0.0.1:99999", "127.0.0.1:x", "example.org:80", "[::1:80", "1.2.3:80", ""):
            with self.subTest(address=address):
                self.refuses(2, address, "--listen", address)

    def test_addresses_that_others_can_reach(self):
        for address in ("0.0.0.0:0", "[::]:0", "192.0.2.1:80"):
            with self.subTest(address=address):
                self.refuses(2, "token-file", "--listen", address)

    def test_unless_told_so(self):
        for flags, variables in ((("--allow-anyone",), {}), ((), {"KASMINA_ALLOW_ANYONE": "1"})):
            process = subprocess.Popen([BINARY, "serve", "--listen", "0.0.0.0:0", "--data-dir", tempfile.mkdtemp(), *flags], stdout=subprocess.PIPE, text=True,
                                       stderr=subprocess.DEVNULL, env={**os.environ, **variables})
            self.assertIn("listening on http://0.0.0.0:", process.stdout.readline())
            process.terminate()
            self.assertEqual(process.wait(timeout=20), 0)
            process.stdout.close()

    def test_address_in_use(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            self.refuses(1, address, "--listen", address)

    def test_folders_that_cannot_be_used(self):
        with tempfile.NamedTemporaryFile() as file:
            self.refuses(1, file.name, "--listen", "127.0.0.1:0", "--data-dir", file.name)
            self.refuses(1, file.name, "--listen", "127.0.0.1:0", "--data-dir", file.name + "/below")

    def test_artifact_folders(self):
        with tempfile.NamedTemporaryFile() as file:
            self.refuses(1, file.name, "--listen", "127.0.0.1:0", "--artifact-dir", file.name)
        with tempfile.TemporaryDirectory() as folder:
            later = os.path.join(folder, "later")
            server = Server(artifact_dir=later)  # it may come later, but the log says that it is not there
            server.wait_for_log(later)
            client = Client(server.port)
            client.post("/v1/layers", {"name": "layer", "input_size": 64, "output_size": 10})
            answer = client.post("/v1/layers/layer/seeds/0/load?wait=20", {"artifact_id": "k"})
            self.assertEqual((answer.status, answer.json["type"]), (503, "/problems/unavailable"))
            self.assertIn(later, answer.json["detail"])
            os.mkdir(later)
            self.assertEqual(client.post("/v1/layers/layer/seeds/0/load?wait=20", {"artifact_id": "k"}).status, 404)
            artifacts.write(later, k=artifacts.linear())
            self.assertEqual(client.post("/v1/layers/layer/seeds/0/load?wait=20", {"artifact_id": "k"}).status, 200)
            client.close()
            server.stop()

    def test_a_data_folder_belongs_to_one_process(self):
        server = Server()
        self.refuses(1, str(server.process.pid), "--listen", "127.0.0.1:0", "--data-dir", server.data_dir)
        server.process.kill()
        server.process.wait()
        server.process.stdout.close()
        process = subprocess.Popen([BINARY, "serve", "--listen", "127.0.0.1:0", "--data-dir", server.data_dir], stdout=subprocess.PIPE, text=True,
                                   stderr=subprocess.DEVNULL)
        self.assertIn("listening", process.stdout.readline())  # the lock went with its holder
        server.process = process
        server.stop()

    def test_what_a_killed_process_left_half_written_is_removed(self):
        with tempfile.TemporaryDirectory() as folder:
            name = "0123456789abcdef" * 4
            for kind in ("blobs", "records"):
                os.makedirs(os.path.join(folder, "artifacts", kind))
                for file in (name + ".aB3dEf", "somebody's file.aB3dEf", "notes"):
                    open(os.path.join(folder, "artifacts", kind, file), "w").close()
            process = subprocess.Popen([BINARY, "serve", "--listen", "127.0.0.1:0", "--data-dir", folder], stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL)
            self.assertIn("listening", process.stdout.readline())
            for kind in ("blobs", "records"):
                self.assertEqual(sorted(os.listdir(os.path.join(folder, "artifacts", kind))), ["notes", "somebody's file.aB3dEf"])
            process.terminate()
            process.wait(timeout=20)
            process.stdout.close()

    def test_too_few_open_files(self):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(["sh", "-c", 'ulimit -n 32; exec "$@"', "sh", BINARY, "serve", "--listen", "127.0.0.1:0", "--data-dir", folder],
                                  capture_output=True, text=True, timeout=20)
        self.assertEqual(done.returncode, 1)
        self.assertIn("ulimit -n", done.stderr)

    def test_a_device_that_is_not_there(self):
        code, out, error = run("--listen", "127.0.0.1:0", "--device", "nowhere:0")
        self.assertIn(code, (1, 2))
        self.assertEqual(out, "")
        self.assertIn("nowhere:0", error)

    def test_token_files_that_make_no_sense(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "tokens")
            self.refuses(1, path, "--listen", "127.0.0.1:0", "--token-file", path)
            for text in ("", "# nothing\n", "root " + "0" * 64 + " name\n", "admin 1234 name\n", "admin " + "0" * 64 + "\n", "admin " + "0" * 64 + " two names\n"):
                with open(path, "w") as file:
                    file.write(text)
                with self.subTest(text=text):
                    self.refuses(2, path, "--listen", "127.0.0.1:0", "--token-file", path)

    def test_a_token_twice_in_a_file(self):
        one, other = "0" * 63 + "a", "f" * 64
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "tokens")
            with open(path, "w") as file:
                file.write(f"# who may do what\nread {one} reader\nadmin {other} somebody\n\nadmin {one.upper()} root\n")
            self.refuses(2, f"{path}:5: this token stands in line 2 already, as reader", "--listen", "127.0.0.1:0", "--token-file", path)

    def test_a_token_file_that_everybody_can_write(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "tokens")
            with open(path, "w") as file:
                file.write("admin " + "0" * 64 + " name\n")
            os.chmod(path, 0o666)
            self.refuses(2, "chmod", "--listen", "127.0.0.1:0", "--token-file", path)

    def test_the_log_says_what_happens(self):
        server = Server("--log-level", "info")
        client = Client(server.port)
        client.post("/v1/layers", {"name": "told", "input_size": 64, "output_size": 10})
        client.post("/v1/layers/told/seeds/1/load?wait=10", {"artifact_id": "digits-good"})
        client.post("/v1/layers/told/seeds/1/load?wait=10", {"artifact_id": "nowhere"})
        [operation] = client.post("/v1/kernels/preload", {"artifact_ids": ["nowhere-else"]}).json["operations"]
        while client.get(f"/v1/operations/{operation['id']}").json["state"] != "failed":
            time.sleep(0.01)
        client.delete("/v1/layers/told")
        client.close()
        server.stop()
        log = server.whole_log  # a thread writes it
        for line in (server.data_dir, "layer told: ready on host:0", "layer told seed 1 artifact digits-good: LOADING to ACTIVE (load)",
                     "layer told seed 1 artifact nowhere: kernel_loading: ", "control: artifact nowhere-else: kernel_loading: ", "layer told: deleted"):
            self.assertIn(line, log)

    def test_the_log_has_what_the_operating_system_refused(self):
        server = Server()
        client = Client(server.port)
        blobs = os.path.join(server.data_dir, "artifacts", "blobs")
        os.rmdir(blobs)
        answer = client.put("/v1/kernels/lost", artifacts.linear())
        client.close()
        server.stop()
        log = server.whole_log  # a thread writes it
        self.assertEqual(answer.status, 500)
        self.assertIn(blobs, answer.json["detail"])
        self.assertIn(answer.json["trace_id"], log)

    def test_variables(self):
        server = Server(environment={"KASMINA_MAX_BODY_MB": "1"})
        client = Client(server.port)
        client.post("/v1/layers", {"name": "v", "input_size": 1, "output_size": 1})
        self.assertEqual(client.post("/v1/layers/v/forward", bytes(2 << 20)).status, 413)
        client.close()
        server.stop()

    def test_one_line_when_ready(self):
        server = Server()
        self.assertRegex(server.line, r"^kasmina: listening on http://127\.0\.0\.1:\d+\n$")
        server.stop()

    def test_closed_streams_are_nobody_s_file(self):
        with tempfile.TemporaryDirectory() as folder:
            process = subprocess.Popen(["sh", "-c", 'exec "$@" 2>&-', "sh", BINARY, "serve", "--listen", "127.0.0.1:0", "--data-dir", folder], stdout=subprocess.PIPE, text=True)
            self.assertIn("listening", process.stdout.readline())
            process.terminate()
            self.assertEqual(process.wait(timeout=20), 0)
            process.stdout.close()
            with open(os.path.join(folder, "lock")) as file:
                self.assertEqual(file.read(), f"{process.pid}\n")

    def test_ipv6(self):
        if not socket.has_ipv6 or not os.path.exists("/proc/net/if_inet6"):
            self.skipTest("this machine has no IPv6")
        process = subprocess.Popen([BINARY, "serve", "--listen", "[::1]:0", "--data-dir", tempfile.mkdtemp()], stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL)
        line = process.stdout.readline()
        process.terminate()
        process.wait(timeout=20)
        process.stdout.close()
        self.assertRegex(line, r"http://\[::1\]:\d+")


class Ending(unittest.TestCase):
    def test_signals(self):
        for sign in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            server = Server()
            idle = [Raw(server) for _ in range(10)]
            self.assertEqual(server.stop(sign), 0)
            for raw in idle:
                self.assertTrue(raw.is_closed())
                raw.close()

    def test_a_terminal_that_closes_ends_nothing_under_nohup(self):
        process = subprocess.Popen(["nohup", BINARY, "serve", "--listen", "127.0.0.1:0", "--data-dir", tempfile.mkdtemp()], stdout=subprocess.PIPE, text=True,
                                   stderr=subprocess.DEVNULL)
        port = int(process.stdout.readline().rsplit(":", 1)[1])
        process.send_signal(signal.SIGHUP)
        client = Client(port)
        self.assertEqual(client.get("/v1/health/live").status, 200)
        client.close()
        process.terminate()
        self.assertEqual(process.wait(timeout=20), 0)
        process.stdout.close()

    def test_a_log_that_nobody_reads_holds_up_nothing(self):
        reading, writing = os.pipe()
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
        server = Server("--log-level", "info", stderr=writing)
        os.close(writing)
        client = Client(server.port)
        changes, name = 0, "told" + "x" * 100
        for _ in range(1500):  # each change tells the log some hundred bytes
            changes += client.post("/v1/layers", {"name": name, "input_size": 2, "output_size": 2, "device": "host:0"}).status == 201
            changes += client.delete(f"/v1/layers/{name}").status == 204
        self.assertEqual(changes, 3000)
        with os.fdopen(reading, errors="replace") as log:
            told = []
            lines = threading.Thread(target=lambda: told.extend(log))
            lines.start()
            client.close()
            self.assertEqual(server.stop(), 0)
            lines.join()
        lost = sum(int(line.split()[3]) for line in told if " warning log: " in line)
        self.assertGreater(lost, 0)
        self.assertEqual(lost + sum("layer told" in line for line in told) + sum(" serve: " in line for line in told), 3000 + 3)
        self.assertIn("serve: stopped", told[-1])

    def test_a_log_that_nobody_reads_holds_up_no_end(self):
        reading, writing = os.pipe()
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
        server = Server("--log-level", "info", stderr=writing)
        os.close(writing)
        client = Client(server.port)
        for _ in range(100):
            client.post("/v1/layers", {"name": "told", "input_size": 2, "output_size": 2})
            client.delete("/v1/layers/told")
        client.close()
        self.assertEqual(server.stop(), 0)
        os.close(reading)

    def test_it_stops_accepting_and_finishes_what_runs(self):
        with tempfile.TemporaryDirectory() as folder:
            artifacts.write(folder, **{f"bulky-{number}": artifacts.bulky(number) for number in range(4)})
            server = Server("--loaders", "1", artifact_dir=folder)
            client = Client(server.port)
            client.post("/v1/layers", {"name": "a", "input_size": 64, "output_size": 512})
            answers = []

            def passes():
                mine = Client(server.port)
                answers.append(mine.post("/v1/layers/a/forward", floats([0.5] * 64) * 20000))
                mine.close()

            def waits():
                mine = Client(server.port)
                answers.append(mine.post("/v1/layers/a/seeds/0/load?wait=60", {"artifact_id": "bulky-3"}))
                mine.close()

            self.assertEqual(client.post("/v1/kernels/preload", {"artifact_ids": ["bulky-0", "bulky-1", "bulky-2"]}).status, 202)
            threads = [threading.Thread(target=work) for work in (passes, waits)]
            for thread in threads:
                thread.start()
            end = time.monotonic() + 10
            while time.monotonic() < end:  # until both are under way
                if client.get("/v1/layers/a/seeds/0").json["operation"] and (answers or client.get("/v1/stats").json["http"]["in_progress"] >= 3):
                    break
            code = server.stop()
            for thread in threads:
                thread.join()
            client.close()
            self.assertEqual(code, 0)
            self.assertEqual(len(answers), 2)
            self.assertLessEqual({answer.status for answer in answers}, {200, 202, 422, 409})
            with self.assertRaises(OSError):
                server.connect(1)

    def test_who_is_there_is_answered_and_nobody_new_comes_in(self):
        server = Server()
        half, old = Raw(server), Client(server.port)
        half.send("POST /v1/layers HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")  # keeps the server for a while
        self.assertEqual(old.get("/v1").status, 200)
        server.process.terminate()
        refused = False
        while not refused:
            try:
                server.connect(10).close()
            except ConnectionResetError:
                pass  # it was in the system's queue
            except ConnectionRefusedError:
                refused = True
        last = old.get("/v1")
        self.assertEqual((last.status, last.header("Connection")), (200, "close"))
        half.close()
        old.close()
        self.assertEqual(server.stop(), 0)

    def test_half_a_request_holds_nobody_up(self):
        server = Server()
        raw = Raw(server)
        raw.send("POST /v1/layers HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        begin = time.monotonic()
        self.assertEqual(server.stop(), 0)
        self.assertLess(time.monotonic() - begin, 14)  # not the whole grace
        raw.close()

    def test_again_on_the_same_folder(self):
        folder = tempfile.mkdtemp()
        for _ in range(2):
            process = subprocess.Popen([BINARY, "serve", "--listen", "127.0.0.1:0", "--data-dir", folder, "--artifact-dir", ARTIFACTS], stdout=subprocess.PIPE, text=True,
                                       stderr=subprocess.DEVNULL)
            port = int(process.stdout.readline().rsplit(":", 1)[1])
            client = Client(port)
            self.assertIn(client.put("/v1/kernels/kept", artifacts.linear()).status, (200, 201))
            client.close()
            process.terminate()
            self.assertEqual(process.wait(timeout=20), 0)
            process.stdout.close()


if __name__ == "__main__":
    unittest.main()
