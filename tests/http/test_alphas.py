#!/usr/bin/env python3
"""PUT /v1/layers/{layer}/seeds/{i}/alpha."""
import unittest

from server import ServerTest, floats


class Alphas(ServerTest):
    def setUp(self):
        super().setUp()
        self.path = self.layer()
        self.seed = self.load(self.path, alpha=0.5)

    def put(self, body, seed=None):
        return self.client.put(f"{seed or self.seed}/alpha", body)

    def test_direct(self):
        before = self.client.get(self.path).json["generation"]
        shown = self.expect(self.put({"alpha": 0.4}), 200)
        self.assertEqual((shown["alpha_blend"], shown["alpha_target"]), (0.39990234375, None))
        self.assertGreater(self.client.get(self.path).json["generation"], before)

    def test_there_is_no_negative_zero(self):
        answer = self.client.put(f"{self.seed}/alpha", b'{"alpha": -0.0}', kind="application/json")
        self.assertIn(b'"alpha_blend":0.0,', self.client.get(self.seed).body)
        self.assertFalse(self.expect(answer, 200)["contributing"])

    def test_the_same_alpha_is_no_new_generation(self):
        before = self.client.get(self.path).json["generation"]
        self.expect(self.put({"alpha": 0.5}), 200)
        self.assertEqual(self.client.get(self.path).json["generation"], before)

    def test_ramp_over_time(self):
        shown = self.expect(self.put({"alpha": 1.0, "ramp": {"over_ms": 20000, "curve": "cosine"}}), 200)
        self.assertEqual(shown["alpha_target"], 1.0)
        shown = self.expect(self.put({"alpha": 0.25}), 200)
        self.assertEqual((shown["alpha_blend"], shown["alpha_target"]), (0.25, None))
        self.expect(self.put({"alpha": 1.0, "ramp": {"over_ms": 30}}), 200)
        self.assertEqual(self.wait_for(self.seed, lambda json: json["alpha_target"] is None).json["alpha_blend"], 1.0)

    def test_ramp_over_passes(self):
        self.expect(self.put({"alpha": 1.0, "ramp": {"over_passes": 2}}), 200)
        for _ in range(2):
            self.expect(self.client.post(f"{self.path}/forward", floats([0.5] * 64)), 200)
        self.assertEqual(self.wait_for(self.seed, lambda json: json["alpha_target"] is None).json["alpha_blend"], 1.0)

    def test_staged(self):
        epoch = self.client.get("/v1/epoch").json["epoch"] + 1
        shown = self.expect(self.put({"alpha": 0.75, "at_epoch": epoch}), 202)
        self.assertEqual((shown["alpha_blend"], shown["staged"]), (0.5, {"operation": "alpha", "at_epoch": epoch, "artifact_id": None, "alpha": 0.75}))
        self.expect(self.client.post("/v1/epoch", {"epoch": epoch}), 200)
        self.assertEqual(self.client.get(self.seed).json["alpha_blend"], 0.75)

    def test_refused(self):
        with self.unchanged(self.path, self.seed, "/v1/epoch"):
            for body, name in (({}, "invalid-value"), ({"alpha": None}, "invalid-value"), ({"alpha": -0.1}, "invalid-value"), ({"alpha": 1.0001}, "invalid-value"),
                               ({"alpha": "0.5"}, "invalid-value"), ({"alpha": True}, "invalid-value"), ({"alpha": 0.5, "beta": 1}, "unknown-member"),
                               ({"alpha": 1, "ramp": {}}, "invalid-value"), ({"alpha": 1, "ramp": {"over_ms": 1, "over_passes": 1}}, "invalid-value"),
                               ({"alpha": 1, "ramp": {"over_ms": 0}}, "invalid-value"), ({"alpha": 1, "ramp": {"over_ms": 5, "curve": "square"}}, "invalid-value"),
                               ({"alpha": 1, "ramp": {"over_ms": 5, "x": 1}}, "unknown-member"), ({"alpha": 1, "ramp": 5}, "invalid-value"),
                               ({"alpha": 1, "at_epoch": 0}, "invalid-value")):
                with self.subTest(body=body):
                    problem = self.expect_problem(self.put(body), 422, name)
                    self.assertRegex(problem["detail"], "alpha|ramp|beta|at_epoch|over_")

    def test_not_a_number(self):
        with self.unchanged(self.seed):
            for text in (b'{"alpha": NaN}', b'{"alpha": Infinity}', b'{"alpha": 1e999}', b'{"alpha": .5}', b'{"alpha": 0.5', b'', b'null', b'"\xff"', b'{"alpha":0.1,"alpha":0.2}'):
                with self.subTest(text=text):
                    answer = self.client.put(f"{self.seed}/alpha", text, kind="application/json")
                    self.expect_problem(answer, 422 if b"e999" in text else 400, "invalid-value" if b"e999" in text else "malformed")

    def test_dormant(self):
        seed = f"{self.path}/seeds/1"
        with self.unchanged(seed):
            problem = self.expect_problem(self.put({"alpha": 0.5}, seed), 409, "illegal-transition", "DORMANT")
            self.assertEqual((problem["state"], sorted(problem["allowed"])), ("DORMANT", ["load", "reset", "unload"]))


if __name__ == "__main__":
    unittest.main()
