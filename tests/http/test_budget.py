#!/usr/bin/env python3
"""One budget for the bodies and answers that a server holds at once: what would go beyond it is told to come later, and nothing else notices."""
import gzip
import socket
import time
import unittest

import artifacts
from server import Raw, ServerTest, floats

MB = 1 << 20
BUDGET = 100 * MB


class Budget(ServerTest):
    flags = ("--max-in-flight-mb", "100", "--max-weights-mb", "90")

    def head(self, method, path, length=0, more=""):
        """Sends the head alone."""
        raw = Raw(self.server)
        self.addCleanup(raw.close)
        raw.send(f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n{more}\r\n")
        return raw

    def unread(self, method, path, body=b"", more=""):
        """An answer that is made, and of which only the head is read."""
        raw = self.head(method, path, len(body), more)
        raw.send(body)
        status, headers = raw.head()
        return raw, status, headers

    def expect_later(self, answer):
        problem = self.expect_problem(answer, 503, "unavailable", BUDGET, "try again later")
        self.assertEqual((answer.header("Retry-After"), problem["retry_after_ms"]), ("1", 1000))

    def becomes(self, status, *request, seconds=10):
        """The server notices a moment later that a client has gone."""
        end = time.monotonic() + seconds
        while (answer := self.client.send(*request)).status != status:
            self.assertLess(time.monotonic(), end, answer)
            time.sleep(0.01)

    def small_ones_go_on(self, path):
        for where in ("/v1/health", "/v1/health/live", "/v1", path, f"{path}/seeds", "/v1/stats", "/openapi.yaml"):
            self.assertEqual(self.client.get(where).status, 200, where)
        self.assertIn(self.client.put(f"{path}/seeds/0/alpha", {"alpha": 0.5}).status, (200, 409))
        self.assertEqual(self.client.post("/v1/layers/small/forward", floats([1, 2, 3])).status, 200)

    def full(self, path):
        """Three answers of 32 MiB that nobody reads."""
        held = [self.unread("GET", f"{path}/weights") for _ in range(3)]
        self.assertEqual([status for _, status, _ in held], [200] * 3)
        return [raw for raw, _, _ in held]

    def large_layer(self):
        self.layer("small", 3, 2)
        return self.layer(None, 4096, 2048)

    def test_answers_that_nobody_reads(self):
        path = self.large_layer()
        held = self.full(path)
        self.expect_later(self.client.get(f"{path}/weights"))
        self.small_ones_go_on(path)
        whole = held[0].file.read(32 * MB)  # it comes all the same
        self.assertEqual(len(whole), 32 * MB)
        for raw in held:
            raw.close()
        self.becomes(200, "GET", f"{path}/weights")
        self.assertEqual([self.client.get(f"{path}/weights").status for _ in range(6)], [200] * 6)  # what is read is given back

    def test_a_body_is_refused_before_it_is_sent(self):
        path = self.large_layer()
        held = self.full(path)
        for method, where, more in (("PUT", f"{path}/weights", ""), ("PUT", f"{path}/weights", "Expect: 100-continue\r\n"), ("PUT", "/v1/kernels/k", "Expect: 100-continue\r\n"),
                                    ("POST", f"{path}/forward", "")):
            with self.subTest(where=where, more=more):
                raw = self.head(method, where, 20 * MB, "Content-Type: application/octet-stream\r\n" + more)
                self.expect_later(raw.answer())
        answer = self.head("POST", "/v2/models/small/infer", 20 * MB).answer()
        self.assertEqual((answer.status, answer.header("Retry-After"), list(answer.json)), (503, "1", ["error"]))
        self.small_ones_go_on(path)
        for raw in held:
            raw.close()

    def test_a_body_in_chunks(self):
        path = self.large_layer()
        held = self.full(path)
        raw = Raw(self.server)
        raw.send("PUT /v1/kernels/k HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(6):
            raw.send(f"{MB:x}\r\n".encode() + bytes(MB) + b"\r\n")
        raw.send("0\r\n\r\n")
        self.expect_later(raw.answer())
        raw.close()
        for raw in held:
            raw.close()

    def test_a_body_that_unpacks(self):
        path = self.large_layer()
        packed = gzip.compress(floats([0.0] * (4096 * 2048 + 2048)), 1)
        kernel = gzip.compress(artifacts.linear())
        held = self.full(path)
        self.expect_later(self.client.put(f"{path}/weights", packed, {"Content-Encoding": "gzip"}))
        self.expect(self.client.put("/v1/kernels/packed", kernel, {"Content-Encoding": "gzip"}), 201)
        for raw in held:
            raw.close()
        self.becomes(200, "PUT", f"{path}/weights", packed, {"Content-Encoding": "gzip"})
        self.becomes(200, "PUT", f"{path}/weights", packed, {"Content-Encoding": "gzip"})

    def admitted(self, path, length, seconds=10):
        """A body of this length that is waited for; until those before it are noticed to have gone it is not."""
        end = time.monotonic() + seconds
        while True:
            raw = self.head("PUT", f"{path}/weights", length, "Content-Type: application/octet-stream\r\nExpect: 100-continue\r\n")
            if raw.head()[0] == 100:
                return raw
            self.assertLess(time.monotonic(), end)
            time.sleep(0.01)

    def test_clients_that_go_in_the_middle(self):
        """Also with their last bytes, which libmicrohttpd overlooks."""
        path = self.large_layer()
        for _ in range(4):
            for raw in [self.admitted(path, 45 * MB) for _ in range(2)]:
                raw.send(bytes(2 * MB))
                self.assertIn(self.client.get(f"{path}/weights").status, (200, 503))
                raw.close()
        self.admitted(path, 90 * MB).close()  # nothing else is held any more

    def test_a_client_that_ends_its_side_with_a_whole_body(self):
        path = self.large_layer()
        for number in range(3):
            values = floats([float(number + 1)] * (4096 * 2048 + 2048))
            before = self.client.get(path).json["weights_sha256"]
            raw = self.head("PUT", f"{path}/weights", len(values), "Content-Type: application/octet-stream\r\n")
            raw.send(values)
            raw.socket.shutdown(socket.SHUT_WR)
            self.wait_for(path, lambda layer: layer["weights_sha256"] != before)

    def test_answers_of_passes(self):
        self.layer("small", 3, 2)
        path = self.layer(None, 4, 4096)
        rows = floats([1.0] * 4 * 2048)  # 32 KiB in, 32 MiB out, and as text some five times as much
        octets, text = "Accept: application/octet-stream\r\n", "Accept: application/json\r\n"
        kind = "Content-Type: application/octet-stream\r\n"
        held = [self.unread("POST", f"{path}/forward", rows, kind + octets) for _ in range(3)]
        self.assertEqual([status for _, status, _ in held], [200] * 3)
        self.expect_later(self.client.post(f"{path}/forward", rows, {"Accept": "application/octet-stream"}))
        self.small_ones_go_on(path)
        for raw, _, _ in held:
            raw.close()
        self.becomes(200, "POST", f"{path}/forward", rows, {"Accept": "application/octet-stream"})
        self.expect_problem(self.client.post(f"{path}/forward", rows, {"Accept": "application/json"}), 413, "too-large", BUDGET)

    def test_what_would_be_too_much_for_an_idle_server(self):
        path = self.layer(None, 8192, 4096)
        self.expect_problem(self.client.get(f"{path}/weights"), 413, "too-large", BUDGET)
        raw = self.head("POST", f"{path}/forward", 40 * MB, "Content-Type: application/json\r\n")  # its values take as much again, and more
        self.expect_problem(raw.answer(), 413, "too-large", BUDGET)


if __name__ == "__main__":
    unittest.main()
