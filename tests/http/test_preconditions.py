#!/usr/bin/env python3
"""ETags over what is controlled, and If-Match on every write."""
import threading
import unittest

import artifacts
from server import Client, ServerTest, floats
from test_weights import BIAS, WEIGHT, safetensors


class ETags(ServerTest):
    def etag(self, path):
        return self.client.get(path).header("ETag")

    def test_controlled_changes_move_them(self):
        path = self.layer()
        seed, other = f"{path}/seeds/0", f"{path}/seeds/1"
        still = self.etag(other)
        seen = {self.etag(seed)}
        layers = {self.etag(path)}
        for method, tail, body in (("POST", "load?wait=20", {"artifact_id": "digits-good", "alpha": 0.5}), ("PUT", "alpha", {"alpha": 0.25}),
                                   ("PUT", "alpha", {"alpha": 1.0, "ramp": {"over_ms": 3600000}}), ("PUT", "alpha", {"alpha": 0.5, "at_epoch": 1000}), ("POST", "unload", {})):
            self.assertLess(self.client.send(method, f"{seed}/{tail}", body).status, 300)
            self.assertNotIn(self.etag(seed), seen, tail)
            self.assertNotIn(self.etag(path), layers, tail)
            seen.add(self.etag(seed))
            layers.add(self.etag(path))
        self.assertEqual(self.etag(other), still)

    def test_passes_do_not(self):
        path = self.layer()
        seed = self.load(path, alpha=0.5)
        before = self.etag(path), self.etag(seed)
        for _ in range(5):
            self.client.post(f"{path}/forward", floats([0.5] * 64))
        self.wait_for(f"{path}/stats", lambda json: json["total_kernel_executions"] == 5)
        self.assertEqual((self.etag(path), self.etag(seed)), before)

    def test_weights_move_the_layers(self):
        path = self.layer(None, 3, 2)
        before = self.etag(path)
        answer = self.client.put(f"{path}/weights", safetensors(weight=("F32", [2, 3], floats(WEIGHT)), bias=("F32", [2], floats(BIAS))))
        self.assertNotEqual(answer.header("ETag"), before)
        self.assertEqual(answer.header("ETag"), self.etag(path))
        self.assertEqual(self.etag(f"{path}/weights"), self.etag(path))

    def test_everything_that_changes_has_one(self):
        path = self.layer()
        self.load(path)
        for one in (path, f"{path}/weights", f"{path}/seeds", f"{path}/seeds/0", "/v1/kernels/digits-good", "/v1/epoch", "/v1/operations/op-1"):
            self.assertRegex(self.etag(one) or "", '^"[^"]+"$', one)


class IfMatch(ServerTest):
    def stale(self, etag):
        return [{"If-Match": '"old"'}, {"If-Match": "W/" + etag}, {"If-Match": '"a", "b"'}, {"If-Match": etag[:-2] + '"'}, {"If-Match": etag.strip('"')}, {"If-Match": '"*"'}]

    def check(self, path, method, where, body=None, kind=None, fresh=None, good=(200, 201, 202, 204)):
        """A write of what `path` shows: refused with a stale tag, without effect; carried out with the right one."""
        etag = fresh or self.client.get(path).header("ETag")
        with self.unchanged(path):
            for headers in self.stale(etag):
                with self.subTest(where=where, headers=headers):
                    self.expect_problem(self.client.send(method, where, body, headers, kind), 412, "precondition-failed", etag)
        self.assertIn(self.client.send(method, where, body, {"If-Match": f'"x", {etag}'}, kind).status, good, where)

    def test_layers(self):
        path = self.layer(None, 3, 2)
        self.check(path, "PATCH", path, {})
        self.check(path, "PUT", f"{path}/weights", safetensors(weight=("F32", [2, 3], floats(WEIGHT))))
        self.check(path, "PUT", f"{path}/weights?at_epoch=1000", safetensors(weight=("F32", [2, 3], floats(BIAS * 3))))
        self.check(path, "DELETE", path)

    def test_seeds(self):
        seed = self.layer() + "/seeds/0"
        self.check(seed, "POST", f"{seed}/load?wait=20", {"artifact_id": "digits-good", "alpha": 0.5})
        self.check(seed, "PUT", f"{seed}/alpha", {"alpha": 0.25})
        self.check(seed, "POST", f"{seed}/unload", {"at_epoch": 1000})
        self.check(seed, "DELETE", f"{seed}/staged")
        self.check(seed, "POST", f"{seed}/reset", {})
        self.load(seed.rsplit("/", 2)[0], alpha=0.5)
        self.check(seed, "POST", f"{seed}/unload", {})
        self.load(seed.rsplit("/", 2)[0], alpha=0.5)
        self.check(seed, "POST", f"{seed}/fossilize", {})

    def test_kernels(self):
        path = "/v1/kernels/conditional"
        self.expect(self.client.put(path, artifacts.linear()), 201)
        self.check(path, "POST", f"{path}/pin", {})
        self.check(path, "POST", f"{path}/unpin", {})
        self.check(path, "PUT", path, artifacts.linear())
        self.check(path, "DELETE", path)
        self.expect_problem(self.client.put("/v1/kernels/never-seen", artifacts.linear(), {"If-Match": "*"}), 412, "precondition-failed")
        self.expect_problem(self.client.get("/v1/kernels/never-seen"), 404, "not-found")

    def test_epoch(self):
        self.check("/v1/epoch", "POST", "/v1/epoch", {"epoch": self.client.get("/v1/epoch").json["epoch"] + 1})

    def test_operations(self):
        self.load(self.layer())
        self.check("/v1/operations/op-1", "DELETE", "/v1/operations/op-1", good=(409,))

    def test_any(self):
        path = self.layer(None, 3, 2)
        self.expect(self.client.send("PATCH", path, {}, {"If-Match": "*"}), 200)

    def test_of_racing_writers_one_wins(self):
        seed = self.load(self.layer(), alpha=0.5)
        for round_ in range(20):
            etag = self.client.get(seed).header("ETag")
            statuses, barrier = [], threading.Barrier(4)

            def write(number):
                client = Client(self.server.port)
                barrier.wait()
                statuses.append(client.put(f"{seed}/alpha", {"alpha": 0.01 * (4 * round_ + number + 1)}, {"If-Match": etag}).status)
                client.close()

            threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(sorted(statuses), [200, 412, 412, 412])


if __name__ == "__main__":
    unittest.main()
