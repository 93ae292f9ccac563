#!/usr/bin/env python3
"""HTTP itself: pipelining, Expect, chunked bodies, slow and half-closed clients, broken requests, bodies that are too large."""
import json
import select
import socket
import struct
import time
import unittest

from server import PROBLEM, Raw, ServerTest, floats, unpack_floats

LIVE = "GET /v1/health/live HTTP/1.1\r\nHost: x\r\n\r\n"
MB = 1 << 20


class Transport(ServerTest):
    flags = ("--idle-timeout-s", "3")  # libmicrohttpd may notice only then that the rest of a body will not come

    def raw(self, data=b""):
        raw = Raw(self.server)
        self.addCleanup(raw.close)
        if data:
            raw.send(data)
        return raw

    def still_serves(self):
        self.assertEqual(self.client.get("/v1/health/live").status, 200)

    # ---- many requests on a connection

    def test_pipelining(self):
        path = self.layer(None, 3, 2, bias=False)
        row = floats([1, 2, 3])
        request = f"POST {path}/forward HTTP/1.1\r\nHost: x\r\nContent-Length: {len(row)}\r\n\r\n".encode() + row
        raw = self.raw(LIVE.encode() + request * 20 + f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        self.assertEqual(raw.answer().json, {"status": "ok"})
        first = raw.answer().body
        self.assertEqual(len(first), 8)
        for _ in range(19):
            self.assertEqual(raw.answer().body, first)
        self.assertEqual(raw.answer().json["name"], path.rsplit("/", 1)[1])
        self.assertTrue(raw.is_closed())

    def test_pipelining_past_a_refusal(self):
        raw = self.raw("POST /v1/layers HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\n{\"a\":1}" + "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n" + LIVE)
        self.assertEqual([raw.answer().status for _ in range(3)], [422, 404, 200])

    def test_http_1_0_and_close(self):
        raw = self.raw("GET /v1/health/live HTTP/1.0\r\n\r\n")
        self.assertEqual(raw.answer().status, 200)
        self.assertTrue(raw.is_closed())

    # ---- Expect

    def test_expect_continue(self):
        path = self.layer(None, 3, 2, bias=False)
        raw = self.raw(f"POST {path}/forward HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\nExpect: 100-continue\r\n\r\n")
        self.assertEqual(raw.head()[0], 100)
        raw.send(floats([1, 2, 3]))
        self.assertEqual(len(unpack_floats(raw.answer().body)), 2)

    def test_expect_of_what_is_refused(self):
        raw = self.raw("POST /v1/layers/nobody/forward HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n")
        self.assertEqual(raw.answer().status, 404)
        raw = self.raw(f"POST /v1/layers HTTP/1.1\r\nHost: x\r\nContent-Length: {100 * MB}\r\nExpect: 100-continue\r\n\r\n")
        self.assertEqual(raw.answer().status, 413)

    # ---- bodies

    def test_chunked(self):
        path = self.layer(None, 3, 2, bias=False)
        expected = self.client.post(f"{path}/forward", floats([1, 2, 3])).body
        body = floats([1, 2, 3])
        chunks = b"".join(f"{len(part):x};ext=1\r\n".encode() + part + b"\r\n" for part in (body[:1], body[1:7], body[7:])) + b"0\r\nTrailer: x\r\n\r\n"
        raw = self.raw(f"POST {path}/forward HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + chunks + LIVE.encode())
        self.assertEqual(raw.answer().body, expected)
        self.assertEqual(raw.answer().status, 200)

    def test_bodies_in_pieces(self):
        """Announced or in chunks, small or larger than what a request has memory for at first: the answer is the same."""
        path = self.layer(None, 64, 10)
        for rows in (1, 70, 5000):
            body = floats([(number % 97) / 97 for number in range(64 * rows)])
            expected = self.client.post(f"{path}/forward", body).body
            self.assertEqual(len(expected), 40 * rows)
            for size in (101, 4096, 100000):
                parts = [body[at:at + size] for at in range(0, len(body), size)]
                announced = self.raw(f"POST {path}/forward HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode())
                chunked = self.raw(f"POST {path}/forward HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
                for part in parts:
                    announced.send(part)
                    chunked.send(f"{len(part):x}\r\n".encode() + part + b"\r\n")
                chunked.send(b"0\r\n\r\n")
                with self.subTest(rows=rows, size=size):
                    self.assertEqual((announced.answer().body, chunked.answer().body), (expected, expected))

    def test_a_body_longer_than_announced(self):
        """What follows the announced bytes is no part of the body: it is the next request, and none."""
        path = self.layer(None, 3, 2, bias=False)
        expected = self.client.post(f"{path}/forward", floats([1, 2, 3])).body
        raw = self.raw(f"POST {path}/forward HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\n".encode() + floats([1, 2, 3]) + b"more\r\n\r\n")
        self.assertEqual(raw.answer().body, expected)
        answer = raw.answer()
        self.assertTrue(answer is None or answer.status == 400, answer)
        self.still_serves()

    def test_100_mb_are_refused_without_being_read(self):
        path = self.layer(None, 3, 2)
        for method, where, kind in (("POST", "/v1/layers", "application/json"), ("POST", f"{path}/forward", "application/octet-stream"), ("POST", f"{path}/forward", "application/json"),
                                    ("POST", "/v1/epoch", "application/json"), ("POST", "/v1/kernels/validate", "application/json"), ("PUT", f"{path}/seeds/0/alpha", "application/json")):
            with self.subTest(where=where), self.unchanged("/v1/layers", "/v1/epoch"):
                raw = self.raw(f"{method} {where} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {100 * MB}\r\n\r\n")
                answer = raw.answer()  # before a byte of the body
                self.expect_problem(answer, 413, "too-large", 100 * MB)
                self.assertTrue(raw.is_closed())

    def test_a_client_that_sends_100_mb_reads_its_answer(self):
        raw = self.raw(f"POST /v1/layers HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {100 * MB}\r\n\r\n")
        sent = 0
        try:
            while sent < 100 * MB and not select.select([raw.socket], [], [], 0)[0]:
                sent += raw.socket.send(b" " * 65536)
        except OSError:
            pass
        self.assertLess(sent, 50 * MB)
        self.assertEqual(raw.answer().status, 413)
        self.still_serves()

    def test_chunks_beyond_the_limit(self):
        raw = self.raw("POST /v1/layers HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
        sent = 0
        try:
            while sent < 100 * MB and not select.select([raw.socket], [], [], 0)[0]:
                raw.socket.sendall(chunk)
                sent += 65536
        except OSError:
            pass
        self.assertLess(sent, 100 * MB)
        answer = raw.answer()
        if answer is not None:  # the rest of an endless body may have reset the connection before it was read
            self.assertEqual(answer.status, 413)
        self.still_serves()

    def test_a_body_that_is_cut_short(self):
        before = self.client.get("/v1/layers").body
        raw = self.raw('POST /v1/layers HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{"name": "cut", "input_size": 3')
        raw.socket.shutdown(socket.SHUT_WR)
        answer = raw.answer()
        self.assertTrue(answer is None or answer.status == 400, answer)
        self.client.close()  # it may have been idle for too long meanwhile; http.client opens another
        self.assertEqual(self.client.get("/v1/layers").body, before)

    def test_reset_in_the_middle_of_everything(self):
        path = self.layer(None, 64, 10)
        for data in ("", "G", "GET /v1", LIVE[:-1], f"POST {path}/forward HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + "x" * 1000, LIVE * 50,
                     f"POST {path}/seeds/0/load?wait=2 HTTP/1.1\r\nHost: x\r\nContent-Length: 29\r\n\r\n" + '{"artifact_id":"digits-good"}'):
            for _ in range(5):
                raw = Raw(self.server)
                raw.send(data)
                raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                raw.close()
        self.still_serves()

    # ---- slow, and half closed

    def test_byte_by_byte(self):
        path = self.layer(None, 3, 2, bias=False)
        expected = self.client.post(f"{path}/forward", floats([1, 2, 3])).body
        raw = self.raw()
        raw.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in f"POST {path}/forward HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\n".encode() + floats([1, 2, 3]):
            raw.send(bytes([byte]))
        self.assertEqual(raw.answer().body, expected)

    def test_half_closed(self):
        raw = self.raw("GET /v1/health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        raw.socket.shutdown(socket.SHUT_WR)
        self.assertEqual(raw.answer().status, 200)

    def test_half_closed_after_a_small_pass(self):
        path = self.layer(None, 3, 2, bias=False)
        expected = self.client.post(f"{path}/forward", floats([1, 2, 3])).body
        raw = self.raw(f"POST {path}/forward HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\n".encode() + floats([1, 2, 3]))
        raw.socket.shutdown(socket.SHUT_WR)
        self.assertEqual(raw.answer().body, expected)

    def test_half_closed_while_it_waits(self):
        """libmicrohttpd takes the end of what a waiting client sends for its departure; what it asked for is done."""
        path = self.layer()
        body = json.dumps({"artifact_id": "digits-good"})
        raw = self.raw(f"POST {path}/seeds/0/load?wait=10 HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n{body}")
        raw.socket.shutdown(socket.SHUT_WR)
        answer = raw.answer()
        self.assertTrue(answer is None or answer.status == 200, answer)
        self.wait_for(f"{path}/seeds/0", lambda json: json["lifecycle_state"] == "ACTIVE")

    def test_a_reader_that_takes_its_time_holds_nobody_up(self):
        path = self.layer(None, 1, 1024)
        rows = 8000
        raw = Raw(self.server)
        raw.send(f"POST {path}/forward HTTP/1.1\r\nHost: x\r\nContent-Length: {4 * rows}\r\n\r\n".encode() + floats([1.0] * rows))
        time.sleep(0.2)
        for _ in range(50):
            self.assertEqual(self.client.post(f"{path}/forward", floats([1.0])).status, 200)
        self.assertEqual(len(raw.answer().body), rows * 1024 * 4)
        raw.close()

    # ---- what is not HTTP

    def test_broken_requests(self):
        for data in ("\r\n\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "GET /v1 HTTP/1.1\r\nHost x\r\n\r\n",
                     "POST /v1/layers HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", "POST /v1/layers HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
                     "POST /v1/layers HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n", "GET /v1 HTTP/1.1\r\n\r\n",
                     "POST /v1/layers HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"):
            with self.subTest(data=data):
                raw = self.raw(data.encode("latin-1"))
                raw.socket.shutdown(socket.SHUT_WR)
                raw.socket.settimeout(5)
                answer = raw.answer()
                self.assertTrue(answer is None or 400 <= answer.status < 600, answer)
        self.still_serves()

    def test_both_lengths_are_refused(self):
        """Content-Length beside Transfer-Encoding is how requests are smuggled past a proxy."""
        raw = self.raw("POST /v1/layers HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + LIVE)
        self.assertEqual(raw.answer().status, 400)
        self.assertTrue(raw.is_closed())

    def test_two_lengths_are_refused(self):
        raw = self.raw("POST /v1/layers HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef")
        self.assertEqual(raw.answer().status, 400)
        self.assertTrue(raw.is_closed())

    def test_codings_that_are_not_known_are_refused(self):
        for coding in ("gzip", "xchunked", "gzip, chunked", "chunked, chunked", "identity"):
            with self.subTest(coding=coding):
                raw = self.raw(f"POST /v1/layers HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: {coding}\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n" + LIVE)
                answer = raw.answer()
                self.assertEqual(answer.status, 400)
                self.assertIn(coding, answer.json["detail"])
                self.assertTrue(raw.is_closed())

    def test_absolute_and_strange_targets(self):
        for target, status in ((f"http://127.0.0.1:{self.server.port}/v1/health/live", (200, 404)), ("*", (404, 400)), ("/v1/health/live?x=%", (200,)), ("/v1/health/live#x", (200, 404))):
            raw = self.raw(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            self.assertIn(raw.answer().status, status, target)

    def test_nul_and_long_queries(self):
        raw = self.raw(b"GET /v1/layers?limit=1\x00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = raw.answer()
        self.assertTrue(answer is None or answer.status in (200, 400, 422))
        self.still_serves()


if __name__ == "__main__":
    unittest.main()
