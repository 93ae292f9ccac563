#!/usr/bin/env python3
"""Limits answer clearly: heads, bodies, connections, time for a head, idle time."""
import resource
import time
import unittest

from server import Raw, Server, ServerTest


def request(method, path, body=""):
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n{body}"


def status_of(raw):
    """Of the next request's answer; None where the connection was closed instead."""
    try:
        raw.send(request("GET", "/v1/health/live"))
        answer = raw.answer()
    except ConnectionError:
        return None
    return answer and answer.status


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

    def test_beyond_the_limit_they_are_told_so_and_then_closed(self):
        self.client.close()
        held = [Raw(self.server) for _ in range(200)]
        answered = [status_of(raw) for raw in held]
        self.assertEqual(answered.count(200), 8)
        self.assertGreaterEqual(answered.count(503), 32)
        self.assertEqual(set(answered), {200, 503, None})  # and none waits in vain
        self.assertEqual(status_of(held[answered.index(200)]), 200)
        extra = Raw(self.server)
        extra.send(request("GET", "/v1/health/live"))
        answer = extra.answer()
        problem = self.expect_problem(answer, 503, "unavailable", "8 connections")
        self.assertEqual((answer.header("Connection"), problem["retry_after_ms"]), ("close", 1000))
        self.assertTrue(extra.is_closed())
        for raw in held + [extra]:
            raw.close()
        end = time.monotonic() + 10  # it notices that they are gone a moment later
        while self.client.get("/v1/health/live").status != 200:
            self.client.close()
            self.assertLess(time.monotonic(), end)


class Files(unittest.TestCase):
    def test_connections_leave_the_engine_the_files_that_it_needs(self):
        server = Server(limits={resource.RLIMIT_NOFILE: (160, 160)})
        server.wait_for_log("ulimit -n")
        held = [Raw(server) for _ in range(160)]  # more than it may have files: beyond the limit they are closed
        open_ones = [raw for raw in held if status_of(raw) == 200]
        self.assertGreaterEqual(len(open_ones), 8)
        raw = open_ones[0]
        raw.send(request("POST", "/v1/layers", '{"name": "layer", "input_size": 64, "output_size": 10}'))
        self.assertEqual(raw.answer().status, 201)
        raw.send(request("POST", "/v1/layers/layer/seeds/0/load?wait=20", '{"artifact_id": "digits-good"}'))
        self.assertEqual(raw.answer().status, 200)
        for raw in held:
            raw.close()
        server.stop()


if __name__ == "__main__":
    unittest.main()
