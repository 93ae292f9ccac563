#!/usr/bin/env python3
"""A device that stays away far beyond the deadline of its work is lost: its layers are answered by the host from then on, the
server says so, and ends without waiting for the device. An OpenCL device is kept busy for much longer than it may take.
Skipped, loudly, on a machine without one."""
import unittest

from server import ServerTest
from test_opencl import DEVICE, has_device

WIDTH, ROWS = 1024, 1024  # 2 GFLOP: no processor does that within the deadline


class Loss(ServerTest):
    flags = ("--deadline-ms", "5", "--device-grace-ms", "1")

    def test_a_device_that_does_not_come_back(self):
        path = self.layer("away", WIDTH, WIDTH, device=DEVICE)
        row, rows = bytes(4 * WIDTH), bytes(4 * WIDTH * ROWS)
        self.expect_problem(self.client.post(f"{path}/forward", rows), 504, "deadline", DEVICE)
        while self.client.get(f"/v1/devices/{DEVICE}").json["state"] == "ready":  # it came back before anybody looked
            self.assertIn(self.client.post(f"{path}/forward", rows).status, (200, 503, 504))  # 503: lost meanwhile, and the move took longer than the deadline
        self.wait_for(path, lambda layer: layer["device"] == "host:0", seconds=60)
        while (answer := self.client.post(f"{path}/forward", row)).status == 504:
            pass  # the host has the same few milliseconds
        self.expect(answer, 200)
        device = self.client.get(f"/v1/devices/{DEVICE}").json
        self.assertEqual((device["state"], device["layers"]), ("lost", 0))
        health = self.client.get("/v1/health").json
        self.assertEqual((health["status"], health["ready"]), ("degraded", True))
        self.assertIn(f"{DEVICE} is lost", str(health))
        self.assertIn("device_error", str(self.client.get("/v1/errors").json))
        self.server.wait_for_log("has not ended")


if __name__ == "__main__":
    if has_device():
        unittest.main()
    print(f"SKIPPED: no {DEVICE} on this machine")
