#!/usr/bin/env python3
"""The whole engine on an OpenCL device, beside the host's: the same answers within rounding, the same bits in every batch; and
what does not use the device does not wake its driver. Skipped, loudly, on a machine without one."""
import unittest

from server import Server, ServerTest, Client, read_example, unpack_floats

DEVICE = "opencl:0"
IMAGES, PIXELS, CLASSES = 64, 64, 10


def has_device():
    server = Server()
    client = Client(server.port)
    ids = [device["id"] for device in client.get("/v1/devices").json["devices"]]
    client.close()
    server.stop()
    return DEVICE in ids


class Lazy(ServerTest):
    def test_listing_wakes_no_driver(self):
        root, devices = self.expect(self.client.get("/v1"), 200), self.expect(self.client.get("/v1/devices"), 200)
        self.assertIn(DEVICE, str(root["devices"]))
        listed = next(device for device in devices["devices"] if device["id"] == DEVICE)
        self.assertEqual((listed["opened"], listed["layers"], listed["state"]), (False, 0, "ready"))
        self.assertTrue(listed["name"] and listed["memory_total_bytes"])
        self.expect(self.client.get(f"/v1/devices/{DEVICE}"), 200)
        self.expect_problem(self.client.get("/v1/devices/opencl:63"), 404, "not-found", "opencl:63")
        with open(f"/proc/{self.server.process.pid}/maps", encoding="utf-8") as maps:
            self.assertNotIn("libOpenCL", maps.read())


class OnOpenCL(ServerTest):
    def setUp(self):
        super().setUp()
        self.images = read_example("images.f32")[:IMAGES * PIXELS * 4]

    def digits(self, name, device):
        path = self.layer(name, PIXELS, CLASSES, device=device)
        self.expect(self.client.put(f"{path}/weights", read_example("base.safetensors")), 200)
        return path

    def forward(self, path, images=None):
        return self.expect(self.client.post(f"{path}/forward", images or self.images), 200)

    def assert_near(self, one, other):
        for a, b in zip(unpack_floats(one), unpack_floats(other), strict=True):
            self.assertLessEqual(abs(a - b), 1e-5 + 1e-5 * abs(b))

    def test_as_on_the_host(self):
        here, there = self.digits("here", "host:0"), self.digits("there", DEVICE)
        self.assertEqual(self.client.get(there).json["device"], DEVICE)
        self.assert_near(self.forward(there).body, self.forward(here).body)
        for alpha in (0.25, 1.0):
            for path in (here, there):
                self.load(path, alpha=alpha) if alpha < 1 else self.expect(self.client.put(f"{path}/seeds/0/alpha", {"alpha": alpha}), 200)
            self.assert_near(self.forward(there).body, self.forward(here).body)
        device = self.client.get(f"/v1/devices/{DEVICE}").json
        self.assertEqual((device["opened"], device["layers"]), (True, 1))
        self.assertIsNone(device["fast_product"])
        self.assertGreater(device["memory_used_bytes"], 0)
        self.assertGreater(device["limits"]["max_buffer_bytes"], 0)

    def test_the_same_bits_in_every_batch(self):
        path = self.digits("batches", DEVICE)
        self.load(path, alpha=0.5)
        together, row = self.forward(path).body, PIXELS * 4
        for first, count in ((0, 1), (63, 1), (5, 7), (30, 32)):
            part = self.forward(path, self.images[first * row:(first + count) * row]).body
            self.assertEqual(part, together[first * CLASSES * 4:(first + count) * CLASSES * 4])

    def test_a_kernel_that_makes_nan(self):
        path = self.digits("nan", DEVICE)
        want = self.forward(path).body
        self.load(path, 1, "digits-nan", alpha=0.5)
        answer = self.forward(path)
        self.assertEqual((answer.header("X-Kasmina-Seeds-Failed"), answer.body), ("1", want))


if __name__ == "__main__":
    if has_device():
        unittest.main()
    print(f"SKIPPED: no {DEVICE} on this machine")
