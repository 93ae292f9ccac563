#!/usr/bin/env python3
"""/v1/layers/{layer}/seeds, and unload, reset, fossilize and what is staged."""
import unittest

from server import ServerTest, floats

SEED = {"layer", "index", "lifecycle_state", "artifact_id", "active_kernel_id", "alpha_blend", "alpha_target", "health_accumulator", "last_update_epoch",
        "exec_latency_us", "error_count", "fallback_active", "pinned", "operation", "staged", "contributing", "last_error"}
CHANGES = ("unload", "reset", "fossilize")


class Seeds(ServerTest):
    def state(self, seed):
        return self.client.get(seed).json["lifecycle_state"]

    def next_epoch(self):
        return self.client.get("/v1/epoch").json["epoch"] + 1

    # ---- reading

    def test_at_epoch_in_the_query_is_refused(self):
        path = self.layer()
        seed = self.load(path)
        with self.unchanged(path, "/v1/epoch"):
            for method, action, body in (("POST", "unload", {}), ("POST", "reset", {}), ("POST", "fossilize", {}), ("PUT", "alpha", {"alpha": 1}), ("POST", "load", {"artifact_id": "digits-good"})):
                with self.subTest(action=action):
                    self.expect_problem(self.client.send(method, f"{seed}/{action}?at_epoch=5", body), 422, "invalid-value", "body")

    def test_dormant(self):
        path = self.layer()
        answer = self.client.get(f"{path}/seeds/3")
        seed = self.expect(answer, 200)
        self.assertTrue(answer.header("ETag"))
        self.assertEqual(set(seed), SEED)
        name = path.rsplit("/", 1)[1]
        self.assertEqual(seed, {"layer": name, "index": 3, "lifecycle_state": "DORMANT", "artifact_id": None, "active_kernel_id": None, "alpha_blend": 0.0,
                                "alpha_target": None, "health_accumulator": seed["health_accumulator"], "last_update_epoch": 0, "exec_latency_us": 0,
                                "error_count": 0, "fallback_active": False, "pinned": False, "operation": None, "staged": None, "contributing": False,
                                "last_error": None})

    def test_active(self):
        seed = self.load(self.layer(), alpha=0.3)
        shown = self.client.get(seed).json
        self.assertEqual((shown["lifecycle_state"], shown["artifact_id"], shown["contributing"]), ("ACTIVE", "digits-good", True))
        self.assertEqual(shown["alpha_blend"], 0.300048828125)
        self.assertRegex(shown["active_kernel_id"], "^0x[0-9a-f]{16}$")

    def test_list(self):
        path = self.layer(None, num_seeds=7)
        listed = self.expect(self.client.get(f"{path}/seeds"), 200)
        self.assertEqual([seed["index"] for seed in listed["seeds"]], list(range(7)))
        self.assertEqual(listed["seeds"], self.client.get(path).json["seeds"])

    def test_unknown(self):
        path = self.layer()
        for seed in ("4", "-1", "x", "01", "99999999999999999999", "0%200"):
            for method, tail, body in (("GET", "", None), ("POST", "/load", {"artifact_id": "digits-good"}), ("POST", "/unload", {}), ("POST", "/reset", {}),
                                       ("POST", "/fossilize", {}), ("PUT", "/alpha", {"alpha": 0.1}), ("DELETE", "/staged", None)):
                with self.subTest(seed=seed, tail=tail):
                    self.expect_problem(self.client.send(method, f"{path}/seeds/{seed}{tail}", body), 404, "not-found", "has no seed")
                    self.expect_problem(self.client.send(method, f"/v1/layers/nobody/seeds/0{tail}", body), 404, "not-found", "nobody")

    # ---- changing

    def test_unload(self):
        seed = self.load(self.layer(), alpha=0.5)
        after = self.expect(self.client.post(f"{seed}/unload", {}), 200)
        self.assertEqual((after["lifecycle_state"], after["artifact_id"], after["alpha_blend"]), ("DORMANT", None, 0.0))
        with self.unchanged(seed):
            self.expect(self.client.post(f"{seed}/unload", {}), 200)

    def test_a_body_is_optional(self):
        path = self.layer()
        for change in ("unload", "reset"):
            self.expect(self.client.post(f"{path}/seeds/0/{change}"), 200)

    def test_reset(self):
        seed = self.load(self.layer(), alpha=0.5)
        self.client.post(seed.rsplit("/", 2)[0] + "/forward", floats([0.5] * 64))
        after = self.expect(self.client.post(f"{seed}/reset", {}), 200)
        self.assertEqual((after["lifecycle_state"], after["exec_latency_us"], after["last_error"]), ("DORMANT", 0, None))

    def test_fossilize(self):
        path = self.layer()
        seed = self.load(path, alpha=0.25)
        after = self.expect(self.client.post(f"{seed}/fossilize", {}), 200)
        self.assertEqual((after["lifecycle_state"], after["contributing"], after["alpha_blend"]), ("FOSSILIZED", False, 0.25))
        with self.unchanged(path, seed):
            for change in ("unload", "reset", "fossilize", "load", "alpha"):
                with self.subTest(change=change):
                    method, body = {"load": ("POST", {"artifact_id": "digits-good"}), "alpha": ("PUT", {"alpha": 0.1})}.get(change, ("POST", {}))
                    problem = self.expect_problem(self.client.send(method, f"{seed}/{change}", body), 409, "illegal-transition", "FOSSILIZED")
                    self.assertEqual((problem["state"], problem["allowed"]), ("FOSSILIZED", []))

    def test_fossilize_a_dormant_seed(self):
        seed = self.layer() + "/seeds/0"
        with self.unchanged(seed):
            problem = self.expect_problem(self.client.post(f"{seed}/fossilize", {}), 409, "illegal-transition", "DORMANT", "ACTIVE")
        self.assertEqual((problem["state"], sorted(problem["allowed"]), problem["instance"]), ("DORMANT", ["load", "reset", "unload"], f"{seed}/fossilize"))

    def test_fossilize_beyond_a_share_of_one(self):
        path = self.layer()
        seed = self.load(path, 0, alpha=0.75)
        self.load(path, 1, alpha=0.75)
        with self.unchanged(path):
            self.expect_problem(self.client.post(f"{seed}/fossilize", {}), 409, "conflict", "1.5")

    def test_refused_bodies(self):
        seed = self.load(self.layer(), alpha=0.5)
        with self.unchanged(seed, "/v1/epoch"):
            for change in CHANGES:
                for body, status, name in (({"x": 1}, 422, "unknown-member"), ({"at_epoch": "1"}, 422, "invalid-value"), ({"at_epoch": 0}, 422, "invalid-value"),
                                           ({"at_epoch": 2**32}, 422, "invalid-value"), ({"at_epoch": 1.5}, 422, "invalid-value"), ([], 400, "malformed")):
                    with self.subTest(change=change, body=body):
                        self.expect_problem(self.client.post(f"{seed}/{change}", body), status, name)
                self.expect_problem(self.client.post(f"{seed}/{change}", b"x", kind="text/plain"), 415, "unsupported-media-type", "application/json")
                self.expect_problem(self.client.post(f"{seed}/{change}", b"{", kind="application/json"), 400, "malformed")

    # ---- staging

    def test_staged_unload(self):
        seed = self.load(self.layer(), alpha=0.5)
        epoch = self.next_epoch()
        after = self.expect(self.client.post(f"{seed}/unload", {"at_epoch": epoch}), 202)
        self.assertEqual(after["staged"], {"operation": "unload", "at_epoch": epoch, "artifact_id": None, "alpha": None})
        self.assertEqual(after["lifecycle_state"], "ACTIVE")
        self.expect(self.client.post("/v1/epoch", {"epoch": epoch}), 200)
        after = self.client.get(seed).json
        self.assertEqual((after["lifecycle_state"], after["staged"], after["last_update_epoch"]), ("DORMANT", None, epoch))

    def test_one_staged_change_a_seed(self):
        seed = self.load(self.layer(), alpha=0.5)
        epoch = self.next_epoch()
        self.expect(self.client.post(f"{seed}/unload", {"at_epoch": epoch}), 202)
        with self.unchanged(seed):
            self.expect_problem(self.client.post(f"{seed}/reset", {"at_epoch": epoch}), 409, "conflict", "staged")
        self.assertEqual(self.client.delete(f"{seed}/staged").status, 204)
        self.assertIsNone(self.client.get(seed).json["staged"])
        self.expect_problem(self.client.delete(f"{seed}/staged"), 404, "not-found")

    def test_an_epoch_that_is_not_to_come(self):
        seed = self.load(self.layer(), alpha=0.5)
        epoch = self.next_epoch()
        self.expect(self.client.post("/v1/epoch", {"epoch": epoch}), 200)
        with self.unchanged(seed):
            for change in CHANGES:
                self.expect_problem(self.client.post(f"{seed}/{change}", {"at_epoch": epoch}), 422, "invalid-value", epoch)

    # ---- failing kernels

    def test_error_recovery(self):
        path = self.layer()
        seed = self.load(path, artifact="digits-nan", alpha=0.5)
        for _ in range(3):
            answer = self.client.post(f"{path}/forward", floats([0.5] * 64))
            self.assertEqual((answer.status, answer.header("X-Kasmina-Seeds-Failed")), (200, "0"))
        shown = self.wait_for(seed, lambda json: json["lifecycle_state"] == "ERROR_RECOVERY").json
        self.assertEqual((shown["fallback_active"], shown["artifact_id"], shown["error_count"]), (True, "digits-nan", 3))
        self.assertEqual(set(shown["last_error"]), {"error_type", "detail", "at"})
        self.assertEqual(shown["last_error"]["error_type"], "kernel_execution")
        with self.unchanged(seed):
            problem = self.expect_problem(self.client.put(f"{seed}/alpha", {"alpha": 0.1}), 409, "illegal-transition", "ERROR_RECOVERY")
            self.assertEqual((problem["state"], sorted(problem["allowed"])), ("ERROR_RECOVERY", ["load", "reset", "unload"]))
        errors = self.client.get("/v1/errors").json["errors"]
        self.assertIn((path.rsplit("/", 1)[1], 0, "kernel_execution"), [(error["layer"], error["seed"], error["error_type"]) for error in errors])
        self.assertEqual(self.expect(self.client.post(f"{seed}/reset", {}), 200)["lifecycle_state"], "DORMANT")


if __name__ == "__main__":
    unittest.main()
