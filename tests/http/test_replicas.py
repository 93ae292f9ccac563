#!/usr/bin/env python3
"""A layer on the host and on an OpenCL device at once, while clients ask: no request fails, and the answers are the
same within rounding. Skipped, loudly, on a machine without such a device."""
import time
import unittest

from placed import PlacedTest
from test_opencl import DEVICE, has_device

ROUNDS = 3


class Replicas(PlacedTest):
    CLIENTS = 3

    def replicate(self, *devices, status=200):
        return self.expect(self.client.send("PATCH", self.path, {"replicas": list(devices)}), status)

    def wait_ready(self):
        while not all(replica["ready"] for replica in self.client.get(self.path).json["replicas"]):
            time.sleep(0.001)

    def come_and_go(self, _):
        for _ in range(ROUNDS):
            self.assertEqual(self.replicate(DEVICE)["replicas"], [{"device": DEVICE, "ready": True, "lost": False}])
            self.load(self.path, 1, alpha=0.0)  # moves no answer
            self.wait_ready()
            self.expect(self.client.post(f"{self.path}/seeds/1/unload", {}), 200)
            self.assertEqual(self.replicate()["replicas"], [])

    def test_under_traffic(self):
        self.under_traffic(self.come_and_go)

    def test_what_a_replica_is(self):
        before = self.client.get(self.path).json
        made = self.replicate(DEVICE)
        for member in ("device", "generation", "epoch", "weights_sha256"):
            self.assertEqual(made[member], before[member])
        operation = self.client.get("/v1/operations?limit=1000").json["operations"][-1]
        self.assertEqual((operation["kind"], operation["state"], operation["seed"]), ("replicate", "succeeded", None))
        self.assertIn(DEVICE, self.client.get("/v1/kernels/digits-good").json["devices"])
        self.assertEqual(self.replicate(DEVICE)["replicas"], made["replicas"])
        moved = self.expect(self.client.send("PATCH", self.path, {"device": DEVICE}), 200)
        self.assertEqual((moved["device"], moved["replicas"]), (DEVICE, []))

    def test_refused(self):
        own = self.client.get(self.path).json["device"]
        for devices, word in (([own], "itself"), ([DEVICE, DEVICE], "twice"), (["nowhere:0"], "nowhere:0"), (DEVICE, "array")):
            with self.subTest(devices=devices), self.unchanged(self.path):
                self.expect_problem(self.client.send("PATCH", self.path, {"replicas": devices}), 422, "invalid-value", word)

    def test_made_with_the_layer(self):
        body = {"name": "twice", "input_size": 3, "output_size": 2, "device": "host:0", "replicas": [DEVICE]}
        self.expect(self.client.post("/v1/layers", body), 201)
        self.addCleanup(self.client.delete, "/v1/layers/twice")
        self.path = "/v1/layers/twice"
        self.wait_ready()
        self.assertEqual(self.client.get(self.path).json["replicas"], [{"device": DEVICE, "ready": True, "lost": False}])


if __name__ == "__main__":
    if has_device():
        unittest.main()
    print(f"SKIPPED: no {DEVICE} on this machine")
