#!/usr/bin/env python3
"""Lists page with `limit` and `cursor`; HEAD works wherever GET does; gzip both ways."""
import gzip
import json
import unittest
import zlib

import artifacts
from server import OCTETS, Raw, ServerTest, floats, unpack_floats
from test_refusals import PATHS


class Paging(ServerTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        test = cls("test_refused")
        test.setUp()
        test.names = sorted(f"page-{number:02}" for number in range(25))
        for name in test.names:
            test.expect(test.client.post("/v1/layers", {"name": name, "input_size": 3, "output_size": 2}), 201)
        for number in range(5):
            test.expect(test.client.put(f"/v1/kernels/kernel-{number}", artifacts.linear(scale=0.01 * (number + 1))), 201)
            test.expect(test.client.post("/v1/kernels/preload", {"artifact_ids": [f"kernel-{number}"]}), 202)
        test.doCleanups()

    def pages(self, path, member, limit):
        """The pages of a list, to its end."""
        pages, cursor = [], ""
        while cursor is not None:
            page = self.expect(self.client.get(f"{path}?limit={limit}{cursor and '&cursor=' + cursor}"), 200)
            pages.append(page[member])
            cursor = page["next_cursor"]
        return pages

    def test_pages_are_the_whole_list(self):
        for path, member, count in (("/v1/layers", "layers", 25), ("/v1/kernels", "kernels", 5), ("/v1/operations", "operations", 5)):
            whole = self.client.get(path).json
            self.assertEqual((len(whole[member]), whole["next_cursor"]), (count, None))
            for limit in (1, 2, 5, 7, 24, 25, 26, 1000):
                with self.subTest(path=path, limit=limit):
                    pages = self.pages(path, member, limit)
                    self.assertEqual([len(page) for page in pages[:-1]], [limit] * (len(pages) - 1))
                    self.assertGreater(len(pages[-1]), 0)
                    self.assertEqual([Still.of(one) for page in pages for one in page], [Still.of(one) for one in whole[member]])

    def test_a_cursor_outlives_its_item(self):
        first = self.client.get("/v1/layers?limit=3").json
        name = first["layers"][-1]["name"]
        self.client.delete(f"/v1/layers/{name}")
        following = self.client.get(f"/v1/layers?limit=1&cursor={first['next_cursor']}").json
        self.assertGreater(following["layers"][0]["name"], name)
        self.expect(self.client.post("/v1/layers", {"name": name, "input_size": 3, "output_size": 2}), 201)

    def test_refused(self):
        for path in ("/v1/layers", "/v1/kernels", "/v1/operations"):
            for query, word in (("limit=0", "limit"), ("limit=1001", "limit"), ("limit=-1", "limit"), ("limit=x", "limit"), ("limit=", "limit"), ("limit=1e2", "limit"),
                                ("cursor=x", "cursor"), ("cursor=zz", "cursor"), ("cursor=00", "cursor"), ("cursor=" + "61" * 200, "cursor"), ("cursor=", "cursor")):
                with self.subTest(path=path, query=query):
                    self.expect_problem(self.client.get(f"{path}?{query}"), 422, "invalid-value", word)
        self.expect_problem(self.client.get("/v1/operations?cursor=6161"), 422, "invalid-value", "cursor")


class Still:
    """A list's item without what moves from one look to the next."""

    @staticmethod
    def of(item):
        return {key: value for key, value in item.items() if key not in ("last_accessed", "hits", "tiers", "devices", "device_bytes", "state", "stage", "bytes_done", "tier",
                                                                         "finished_at", "duration_us", "bytes_total")}


class Head(ServerTest):
    def test_head_is_get_without_a_body(self):
        path = self.layer("here")
        self.load(path)
        for pattern, methods in PATHS.items():
            if "GET" not in methods:
                continue
            real = pattern.replace("{layer}", path)
            with self.subTest(path=real):
                raw = Raw(self.server)
                raw.send(f"HEAD {real} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                head = raw.answer(has_body=False)
                self.assertEqual(raw.file.read(), b"")
                raw.close()
                answer = self.client.get(real)
                self.assertEqual(head.status, answer.status)
                self.assertEqual(head.header("Content-Type"), answer.header("Content-Type"))
                self.assertEqual(head.header("ETag"), answer.header("ETag"))
                if "stats" not in real and real not in ("/v1", "/v1/health"):
                    self.assertEqual(head.header("Content-Length"), answer.header("Content-Length"))

    def test_head_of_what_is_not_there(self):
        answer = self.client.send("HEAD", "/v1/layers/nobody")
        self.assertEqual((answer.status, answer.body), (404, b""))


class Gzip(ServerTest):
    def test_answers(self):
        path = self.layer(num_seeds=64)
        plain = self.client.get(path)
        self.assertIsNone(plain.header("Content-Encoding"))
        self.assertEqual(plain.header("Vary"), "Accept-Encoding")
        for accept, packed in (("gzip", True), ("gzip;q=0.5, br", True), ("*", True), ("br, x-gzip", True), ("br", False), ("gzip;q=0", False), ("identity", False), ("gzip;q=0, *", False)):
            answer = self.client.get(path, {"Accept-Encoding": accept})
            self.assertEqual(answer.header("Content-Encoding") == "gzip", packed, accept)
            self.assertEqual(gzip.decompress(answer.body) if packed else answer.body, plain.body)
            self.assertEqual(answer.header("ETag"), plain.header("ETag"))

    def test_what_was_not_made_for_this_request(self):
        plain = self.client.get("/openapi.yaml")
        self.assertEqual(plain.header("Vary"), "Accept-Encoding")
        packed = self.client.get("/openapi.yaml", {"Accept-Encoding": "gzip"})
        self.assertEqual(packed.header("Content-Encoding"), "gzip")
        self.assertEqual(gzip.decompress(packed.body), plain.body)

    def test_small_answers_are_left_alone(self):
        self.assertIsNone(self.client.get("/v1/health/live", {"Accept-Encoding": "gzip"}).header("Content-Encoding"))

    def test_requests(self):
        packed = {"Content-Encoding": "gzip"}
        body = gzip.compress(json.dumps({"name": "packed", "input_size": 3, "output_size": 2}).encode())
        self.expect(self.client.post("/v1/layers", body, packed, "application/json"), 201)
        self.addCleanup(self.remove, "packed")
        answer = self.client.post("/v1/layers/packed/forward", gzip.compress(floats([1, 2, 3] * 1000)), packed, OCTETS)
        self.assertEqual(len(unpack_floats(self.expect(answer, 200).body)), 2000)
        self.expect(self.client.put("/v1/kernels/packed", gzip.compress(artifacts.linear()), packed, OCTETS), 201)
        self.expect(self.client.send("PATCH", "/v1/layers/packed", b"{}", {"Content-Encoding": "identity"}, "application/json"), 200)

    def test_damaged_requests(self):
        path = self.layer(None, 3, 2)
        good = gzip.compress(b"{}")
        with self.unchanged(path):
            for body in (good[:-3], b"not gzip", good + b"more", zlib.compress(b"{}"), good[:12] + bytes([good[12] ^ 0xff]) + good[13:]):
                with self.subTest(body=body):
                    self.expect_problem(self.client.send("PATCH", path, body, {"Content-Encoding": "gzip"}, "application/json"), 400, "malformed", "gzip")

    def test_a_bomb(self):
        path = self.layer(None, 3, 2)
        bomb = gzip.compress(b" " * (200 << 20))
        self.assertLess(len(bomb), 1 << 20)
        with self.unchanged(path):
            self.expect_problem(self.client.send("PATCH", path, bomb, {"Content-Encoding": "gzip"}, "application/json"), 413, "too-large")
            self.expect_problem(self.client.post(f"{path}/forward", bomb, {"Content-Encoding": "gzip"}, OCTETS), 413, "too-large", 64 << 20)


if __name__ == "__main__":
    unittest.main()
