#!/usr/bin/env python3
"""Limits answer clearly: heads, bodies, connections, time for a head, idle time."""
import time
import unittest

from server import Raw, ServerTest


class Heads(ServerTest):
    flags = ("--max-header-kb", "8", "--header-timeout-s", "1", "--idle-timeout-s", "2")

    def test_a_head_that_is_too_large(self):
        for head in ("GET /" + "x" * 20000 + " HTTP/1.1\r\nHost: x\r\n\r\n", "GET /v1 HTTP/1.1\r\nHost: x\r\nX-Long: " + "y" * 20000 + "\r\n\r\n",
                     "GET /v1 HTTP/1.1\r\nHost: x\r\n" + "".join(f"X-{number}: 1\r\n" for number in range(3000)) + "\r\n"):
            raw = Raw(self.server)
            raw.send(head)
            self.assertIn(raw.answer().status, (413, 414, 431))
            self.assertTrue(raw.is_closed())
            raw.close()

    def test_a_head_within_the_limit(self):
        self.assertEqual(self.client.get("/v1/health/live", {"X-Long": "y" * 7000}).status, 200)

    def test_a_head_that_does_not_come(self):
        silent, slow = Raw(self.server), Raw(self.server)
        try:
            for byte in "GET /v1 HTTP/1.1\r\nX: " + "y" * 100:
                slow.send(byte)
                time.sleep(0.05)
        except OSError:
            pass  # closed meanwhile
        else:
            self.fail("a head that came in byte by byte was waited for too long")
        self.assertTrue(silent.is_closed())
        silent.close()
        slow.close()

    def test_an_idle_connection_is_closed(self):
        raw = Raw(self.server)
        raw.send("GET /v1/health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertEqual(raw.answer().status, 200)
        self.assertTrue(raw.is_closed())
        raw.close()


class Bodies(ServerTest):
    flags = ("--max-body-mb", "1", "--max-weights-mb", "2", "--max-artifact-mb", "3")

    def test_each_has_its_own(self):
        path = self.layer(None, 3, 2)
        for method, where, limit in (("POST", f"{path}/forward", 1), ("PUT", f"{path}/weights", 2), ("PUT", "/v1/kernels/large", 3), ("POST", "/v1/kernels/validate", 3)):
            with self.subTest(where=where), self.unchanged(path):
                self.expect_problem(self.client.send(method, where, bytes((limit << 20) + 1)), 413, "too-large", limit << 20)
                self.assertNotEqual(self.client.send(method, where, bytes(limit << 20)).status, 413)

    def test_json(self):
        body = b'{"name": "' + b"x" * (1 << 20) + b'"}'
        self.expect_problem(self.client.post("/v1/layers", body, kind="application/json"), 413, "too-large", 1 << 20)


class Connections(ServerTest):
    flags = ("--max-connections", "8")

    def test_beyond_the_limit_they_are_closed(self):
        self.client.close()
        held = [Raw(self.server) for _ in range(40)]
        answered = 0
        for raw in held:
            try:
                raw.send("GET /v1/health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                answer = raw.answer()
            except OSError:
                answer = None
            answered += answer is not None and answer.status == 200
        self.assertGreaterEqual(answered, 4)
        for raw in held:
            raw.close()
        self.assertEqual(self.client.get("/v1/health/live").status, 200)


if __name__ == "__main__":
    unittest.main()
