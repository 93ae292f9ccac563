#!/usr/bin/env python3
"""A layer goes from the host to an OpenCL device and back while clients ask: no request fails, the answers are the same within
rounding, and its seeds are what they were. Skipped, loudly, on a machine without such a device."""
import unittest

from placed import PlacedTest
from test_opencl import DEVICE, has_device

ROUND_TRIPS = 3


class Moves(PlacedTest):
    def move(self, device, status=200, **more):
        return self.expect(self.client.send("PATCH", self.path, {"device": device}, **more), status)

    def go_there_and_back(self, want):
        for _ in range(ROUND_TRIPS):
            for device in (DEVICE, "host:0"):
                self.assertEqual(self.move(device)["device"], device)
                there = self.expect(self.client.post(f"{self.path}/forward", self.images), 200)
                self.assert_near(there.body, want)

    def test_under_traffic(self):
        answers = self.under_traffic(self.go_there_and_back)
        stats = self.client.get(f"{self.path}/stats").json
        self.assertEqual(stats["total_forward_calls"], 1 + 2 * ROUND_TRIPS + answers)

    def test_what_a_move_is(self):
        before = self.client.get(self.path).json
        etag = self.client.get(self.path).header("ETag")
        moved = self.move(DEVICE)
        self.assertEqual(moved["generation"], before["generation"] + 1)
        self.assertNotEqual(self.client.get(self.path).header("ETag"), etag)
        for member in ("weights_sha256", "active_seeds", "epoch", "created_at"):
            self.assertEqual(moved[member], before[member])
        for member in ("lifecycle_state", "artifact_id", "alpha_blend", "error_count", "last_update_epoch", "last_error"):
            self.assertEqual(moved["seeds"][0][member], before["seeds"][0][member])
        operation = self.client.get("/v1/operations?limit=1000").json["operations"][-1]
        self.assertEqual((operation["kind"], operation["state"], operation["seed"]), ("move", "succeeded", None))
        self.assertEqual(operation["device"], DEVICE)
        self.assertIn(DEVICE, self.client.get("/v1/kernels/digits-good").json["devices"])
        self.assertEqual(self.move(DEVICE)["generation"], moved["generation"])
        self.expect_problem(self.client.send("PATCH", self.path, {"device": "host:0"}, {"If-Match": etag}), 412, "precondition-failed")

    def test_auto_is_what_it_is_for_a_new_layer(self):
        new = self.expect(self.client.post("/v1/layers", {"name": "automatic", "input_size": 3, "output_size": 2}), 201)
        self.move(DEVICE)
        self.assertEqual(self.move("auto")["device"], new["device"])


if __name__ == "__main__":
    if has_device():
        unittest.main()
    print(f"SKIPPED: no {DEVICE} on this machine")
