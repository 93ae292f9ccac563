#!/usr/bin/env python3
"""POST /v1/layers/{layer}/seeds/{i}/load: what it answers, waits for and refuses."""
import tempfile
import unittest

import artifacts
from server import ServerTest, read_example

OPERATION = {"id", "kind", "state", "stage", "bytes_done", "bytes_total", "layer", "seed", "artifact_id", "device", "tier", "created_at", "finished_at", "duration_us", "error"}


class Loads(ServerTest):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.artifact_dir = cls.folder.name
        good = artifacts.linear()
        artifacts.write(cls.folder.name, good=good, twin=artifacts.linear(scale=0.02), wrong_shape=artifacts.linear(32, 10), unknown_operator=artifacts.unknown_operator(),
                        mixing=artifacts.mixing_rows(), corrupt=b"this is no model" * 4, truncated=good[:len(good) // 2], empty=b"",
                        liar=(artifacts.linear(scale=0.05), {"checksum": "0" * 64}), foreign=(artifacts.linear(scale=0.03), {"device_requirements": ["cuda"]}), fat=(artifacts.linear(scale=0.04), {"memory_footprint_mb": 4096}),
                        gigantic=(artifacts.linear(scale=0.06), {"parameter_count": 5}), digits=read_example("artifacts/digits-good.onnx"), sure=(artifacts.linear(scale=0.07), {"performance_profile": {"confidence": 0.9}}))
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.folder.cleanup()

    def ask(self, seed, artifact, query="", headers=None, **more):
        return self.client.post(f"{seed}/load{query}", {"artifact_id": artifact, **more}, headers)

    # ---- what it answers

    def test_accepted_then_done(self):
        seed = self.layer() + "/seeds/1"
        answer = self.ask(seed, "good")
        operation = self.expect(answer, 202)
        self.assertEqual(set(operation), OPERATION)
        self.assertEqual(answer.header("Location"), f"/v1/operations/{operation['id']}")
        self.assertEqual((operation["kind"], operation["layer"], operation["seed"], operation["artifact_id"]), ("load", seed.split("/")[3], 1, "good"))
        done = self.expect(self.client.get(answer.header("Location") + "?wait=20"), 200)
        self.assertEqual((done["state"], done["stage"], done["error"]), ("succeeded", "done", None))
        self.assertTrue(done["finished_at"] and done["duration_us"] is not None and done["tier"])
        self.assertEqual(self.client.get(seed).json["lifecycle_state"], "ACTIVE")

    def test_wait(self):
        seed = self.layer() + "/seeds/0"
        answer = self.ask(seed, "good", "?wait=20")
        self.assertEqual(self.expect(answer, 200)["state"], "succeeded")
        self.assertTrue(answer.header("Location"))
        self.assertRegex(answer.header("Server-Timing"), r"^load;dur=\d")

    def test_prefer_wait(self):
        seed = self.layer() + "/seeds/0"
        self.assertEqual(self.expect(self.ask(seed, "good", headers={"Prefer": "respond-async, wait=20"}), 200)["state"], "succeeded")

    def test_initial_alpha(self):
        path = self.layer()
        self.assertEqual(self.client.get(self.load(path, 0, "good")).json["alpha_blend"], 0.300048828125)  # confidence 0.5 where absent
        self.assertEqual(self.client.get(self.load(path, 1, "sure")).json["alpha_blend"], 0.5)
        self.assertEqual(self.client.get(self.load(path, 2, "good", alpha=0)).json["alpha_blend"], 0)

    def test_ramp_starts_at_zero(self):
        seed = self.load(self.layer(), 0, "good", alpha=1.0, ramp={"over_passes": 100})
        shown = self.client.get(seed).json
        self.assertEqual((shown["alpha_blend"], shown["alpha_target"]), (0.0, 1.0))

    def test_over_another_kernel(self):
        path = self.layer()
        seed = self.load(path, 0, "good", alpha=0.5)
        self.load(path, 0, "twin", alpha=0.25)
        shown = self.client.get(seed).json
        self.assertEqual((shown["artifact_id"], shown["alpha_blend"]), ("twin", 0.25))

    def test_staged(self):
        seed = self.layer() + "/seeds/0"
        epoch = self.client.get("/v1/epoch").json["epoch"] + 1
        self.expect(self.ask(seed, "good", "?wait=20", alpha=0.5, at_epoch=epoch), 200)
        shown = self.client.get(seed).json
        self.assertEqual((shown["lifecycle_state"], shown["staged"]), ("DORMANT", {"operation": "load", "at_epoch": epoch, "artifact_id": "good", "alpha": 0.5}))
        self.assertEqual(self.expect(self.client.post("/v1/epoch", {"epoch": epoch}), 200)["applied"], 1)
        self.assertEqual(self.client.get(seed).json["lifecycle_state"], "ACTIVE")

    # ---- what it refuses, at once

    def test_refused_bodies(self):
        path = self.layer()
        seed = path + "/seeds/0"
        with self.unchanged(path, "/v1/operations"):
            for body, name in (({}, "invalid-value"), ({"artifact_id": None}, "invalid-value"), ({"artifact_id": 5}, "invalid-value"), ({"artifact_id": ""}, "invalid-value"),
                               ({"artifact_id": "a b"}, "invalid-value"), ({"artifact_id": "x" * 129}, "invalid-value"), ({"artifact_id": ".."}, "invalid-value"),
                               ({"artifact_id": "good", "alpha": 1.5}, "invalid-value"), ({"artifact_id": "good", "alpha": "x"}, "invalid-value"),
                               ({"artifact_id": "good", "ramp": {"over_ms": 5, "over_passes": 5}}, "invalid-value"), ({"artifact_id": "good", "at_epoch": 0}, "invalid-value"),
                               ({"artifact_id": "good", "force": True}, "unknown-member")):
                with self.subTest(body=body):
                    self.expect_problem(self.client.post(f"{seed}/load", body), 422, name)
            for query in ("?wait=x", "?wait=-1", "?wait=1e9", "?wait=", "?wait=nan"):
                with self.subTest(query=query):
                    self.expect_problem(self.ask(seed, "good", query), 422, "invalid-value", "wait")
            self.expect_problem(self.client.post(f"{seed}/load", b'{"artifact_id": "good", "alpha": NaN}', kind="application/json"), 400, "malformed")
            self.expect_problem(self.client.post(f"{seed}/load"), 400, "malformed")

    # ---- what ends the operation

    def refused_load(self, artifact, status, name, *words):
        path = self.layer(artifact)
        seed = path + "/seeds/0"
        before = self.client.get(path).json
        problem = self.expect_problem(self.ask(seed, artifact, "?wait=20"), status, name, *words)
        after = self.client.get(seed).json
        error = after.pop("last_error")
        self.assertTrue(error["detail"])
        expected = dict(before["seeds"][0])
        expected.pop("last_error")
        self.assertEqual(after, expected)
        self.assertEqual({key: value for key, value in self.client.get(path).json.items() if key != "seeds"}, {key: value for key, value in before.items() if key != "seeds"})
        listed = self.client.get("/v1/operations?limit=1000").json["operations"][-1]
        self.assertEqual((listed["state"], listed["error"]["type"], listed["error"]["detail"]), ("failed", problem["type"], problem["detail"]))
        return problem

    def test_errors_are_counted_by_what_they_were(self):
        path = self.layer()

        def counts(artifact):
            self.ask(f"{path}/seeds/0", artifact, "?wait=20")
            stats = self.client.get(f"{path}/stats").json["execution_stats"]
            return stats["deserialize_errors"], stats["shape_errors"]

        self.assertEqual(counts("nothing-by-this-name"), (0, 0))
        self.assertEqual(counts("corrupt"), (1, 0))
        self.assertEqual(counts("unknown-operator"), (2, 0))
        self.assertEqual(counts("wrong-shape"), (2, 1))

    def test_unknown_artifact(self):
        self.refused_load("nothing-by-this-name", 404, "not-found", "nothing-by-this-name")

    def test_shape_mismatch_names_both_shapes(self):
        self.refused_load("wrong-shape", 422, "incompatible-kernel", "32", "64")

    def test_corrupt(self):
        problem = self.refused_load("corrupt", 422, "invalid-artifact")
        self.assertRegex(problem["detail"], "corrupt|byte|protobuf|ONNX|field")
        self.assertEqual(problem["error_type"], "kernel_validation")

    def test_truncated_says_where(self):
        self.assertRegex(self.refused_load("truncated", 422, "invalid-artifact")["detail"], r"\d")

    def test_empty(self):
        self.refused_load("empty", 422, "invalid-artifact")

    def test_unsupported_operator_is_named(self):
        problem = self.refused_load("unknown-operator", 422, "invalid-artifact", "Quux")
        self.assertTrue(problem["reason"])

    def test_mixing_rows(self):
        self.assertEqual(self.refused_load("mixing", 422, "invalid-artifact")["reason"], "mixes_rows")

    def test_checksum_mismatch(self):
        self.refused_load("liar", 422, "invalid-artifact", "checksum")

    def test_parameter_count_that_is_not_so(self):
        self.refused_load("gigantic", 422, "invalid-artifact", "640")

    def test_wrong_kind_of_device(self):
        self.refused_load("foreign", 422, "incompatible-kernel", "device_requirements", "cpu")

    def test_too_much_memory(self):
        self.refused_load("fat", 422, "incompatible-kernel", "4096")

    def test_a_failed_load_leaves_the_kernel_that_was_there(self):
        path = self.layer()
        seed = self.load(path, 0, "good", alpha=0.5)
        self.expect_problem(self.ask(seed, "wrong-shape", "?wait=20"), 422, "incompatible-kernel")
        shown = self.client.get(seed).json
        self.assertEqual((shown["lifecycle_state"], shown["artifact_id"], shown["alpha_blend"]), ("ACTIVE", "good", 0.5))


if __name__ == "__main__":
    unittest.main()
