#!/usr/bin/env python3
"""A layer on the host and on an OpenCL device at once, while clients ask: no request fails, and the answers are the
same within rounding. Skipped, loudly, on a machine without such a device."""
import time
import unittest

from server import ServerTest, read_example, unpack_floats
from test_moves import Asking
from test_opencl import CLASSES, DEVICE, IMAGES, PIXELS, has_device

ROUNDS, CLIENTS = 3, 3


class Replicas(ServerTest):
    def setUp(self):
        super().setUp()
        self.images = read_example("images.f32")[:IMAGES * PIXELS * 4]
        self.path = self.layer(None, PIXELS, CLASSES, device="host:0")
        self.expect(self.client.put(f"{self.path}/weights", read_example("base.safetensors")), 200)
        self.load(self.path, alpha=0.5)

    def replicate(self, *devices, status=200):
        return self.expect(self.client.send("PATCH", self.path, {"replicas": list(devices)}), status)

    def wait_ready(self):
        while not all(replica["ready"] for replica in self.client.get(self.path).json["replicas"]):
            time.sleep(0.001)

    def assert_near(self, one, other):
        for a, b in zip(unpack_floats(one), unpack_floats(other), strict=True):
            self.assertLessEqual(abs(a - b), 1e-5 + 1e-5 * abs(b))

    def test_under_traffic(self):
        want = self.expect(self.client.post(f"{self.path}/forward", self.images), 200).body
        clients = [Asking(self.server.port, self.path, self.images) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        for _ in range(ROUNDS):
            self.assertEqual(self.replicate(DEVICE)["replicas"], [{"device": DEVICE, "ready": True, "lost": False}])
            self.load(self.path, 1, alpha=0.0)  # moves no answer
            self.wait_ready()
            self.expect(self.client.post(f"{self.path}/seeds/1/unload", {}), 200)
            self.assertEqual(self.replicate()["replicas"], [])
        for client in clients:
            client.over.set()
            client.join()
            self.assertTrue(client.answers)
            generations = [int(answer.header("X-Kasmina-Generation")) for answer in client.answers]
            self.assertEqual(generations, sorted(generations))
            for answer in client.answers:
                self.assertEqual(answer.status, 200)
                self.assert_near(answer.body, want)

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
