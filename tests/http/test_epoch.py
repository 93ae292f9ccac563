#!/usr/bin/env python3
"""/v1/epoch: reading it, advancing it, what is staged and what holds it up."""
import unittest

from server import ServerTest


class Epoch(ServerTest):
    def epoch(self):
        return self.client.get("/v1/epoch").json["epoch"]

    def test_read(self):
        answer = self.client.get("/v1/epoch")
        self.assertEqual(set(self.expect(answer, 200)), {"epoch", "staged"})
        self.assertTrue(answer.header("ETag"))

    def test_advance(self):
        epoch = self.epoch() + 5
        self.assertEqual(self.expect(self.client.post("/v1/epoch", {"epoch": epoch}), 200), {"epoch": epoch, "applied": 0, "failed": []})
        self.assertEqual(self.epoch(), epoch)

    def test_it_must_grow(self):
        epoch = self.epoch() + 1
        self.client.post("/v1/epoch", {"epoch": epoch})
        with self.unchanged("/v1/epoch"):
            for value in (epoch, epoch - 1):
                self.expect_problem(self.client.post("/v1/epoch", {"epoch": value}), 409 if value else 422, "conflict" if value else "invalid-value", value)

    def test_refused_bodies(self):
        with self.unchanged("/v1/epoch"):
            for body, name in (({}, "invalid-value"), ({"epoch": None}, "invalid-value"), ({"epoch": "9"}, "invalid-value"), ({"epoch": -1}, "invalid-value"), ({"epoch": 2**32}, "invalid-value"),
                               ({"epoch": 900000, "on_unready": "wait"}, "invalid-value"), ({"epoch": 900000, "on_unready": 1}, "invalid-value"), ({"epoch": 900000, "x": 1}, "unknown-member")):
                with self.subTest(body=body):
                    self.expect_problem(self.client.post("/v1/epoch", body), 422, name)

    def test_two_layers_at_one_boundary(self):
        first, second = self.layer("one"), self.layer("two")
        seed = self.load(first, alpha=0.25)
        epoch = self.epoch() + 2
        self.expect(self.client.put(f"{seed}/alpha", {"alpha": 1.0, "at_epoch": epoch}), 202)
        self.expect(self.client.post(f"{second}/seeds/1/load?wait=20", {"artifact_id": "digits-good", "alpha": 0.5, "at_epoch": epoch - 1}), 200)
        self.assertEqual(self.client.get("/v1/epoch").json["staged"], 2)
        self.assertEqual(self.expect(self.client.post("/v1/epoch", {"epoch": epoch}), 200), {"epoch": epoch, "applied": 2, "failed": []})
        self.assertEqual(self.client.get(seed).json["alpha_blend"], 1.0)
        self.assertEqual(self.client.get(f"{second}/seeds/1").json["lifecycle_state"], "ACTIVE")
        self.assertEqual({self.client.get(path).json["epoch"] for path in (first, second)}, {epoch})

    def test_what_is_not_allowed_any_more_is_listed(self):
        path = self.layer()
        seed = self.load(path, alpha=0.5)
        epoch = self.epoch() + 1
        self.expect(self.client.put(f"{seed}/alpha", {"alpha": 1.0, "at_epoch": epoch}), 202)
        self.expect(self.client.post(f"{seed}/unload", {}), 200)
        answer = self.expect(self.client.post("/v1/epoch", {"epoch": epoch}), 200)
        self.assertEqual(answer["applied"], 0)
        self.assertEqual([(one["layer"], one["seed"], set(one)) for one in answer["failed"]], [(path.rsplit("/", 1)[1], 0, {"layer", "seed", "reason"})])


    def test_a_staged_load_that_is_not_ready(self):
        path = self.layer()
        seed = f"{path}/seeds/0"
        epoch = self.epoch() + 1
        operation = self.expect(self.client.post(f"{seed}/load", {"artifact_id": "not-there", "at_epoch": epoch}), 202)["id"]
        ended = self.expect(self.client.get(f"/v1/operations/{operation}?wait=20"), 200)
        self.assertEqual((ended["state"], ended["error"]["status"]), ("failed", 404))
        with self.unchanged(path, "/v1/epoch"):
            for body in ({"epoch": epoch}, {"epoch": epoch, "on_unready": "refuse"}):
                problem = self.expect_problem(self.client.post("/v1/epoch", body), 409, "conflict")
                self.assertEqual(problem["unready"], [{"layer": path.rsplit("/", 1)[1], "seed": 0, "operation": operation}])
        answer = self.expect(self.client.post("/v1/epoch", {"epoch": epoch, "on_unready": "skip"}), 200)
        self.assertEqual((answer["applied"], [(one["layer"], one["seed"]) for one in answer["failed"]]), (0, [(path.rsplit("/", 1)[1], 0)]))
        self.assertEqual((self.client.get(seed).json["staged"], self.client.get("/v1/epoch").json), (None, {"epoch": epoch, "staged": 0}))


if __name__ == "__main__":
    unittest.main()
