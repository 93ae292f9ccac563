#!/usr/bin/env python3
"""/v1/kernels: uploading, listing, pinning, preloading, validating, removing; quarantine."""
import hashlib
import unittest

import artifacts
from server import OCTETS, ServerTest, floats, read_example

KERNEL = {"artifact_id", "kernel_id", "checksum", "format", "tiers", "devices", "state", "pinned", "in_use_by", "size_bytes", "device_bytes", "hits",
          "last_accessed", "metadata"}
METADATA = {"kernel_id", "blueprint_id", "name", "input_shape", "output_shape", "parameter_count", "device_requirements", "memory_footprint_mb",
            "compilation_target", "optimization_flags", "performance_profile", "compatibility_version", "created_at", "checksum"}


class Kernels(ServerTest):
    def upload(self, name, data=None, status=201):
        answer = self.client.put(f"/v1/kernels/{name}", data or artifacts.linear())
        kernel = self.expect(answer, status)
        self.addCleanup(self.client.delete, f"/v1/kernels/{name}")
        return kernel

    # ---- one

    def test_upload(self):
        data = artifacts.linear(scale=0.5)
        answer = self.client.put("/v1/kernels/uploaded", data)
        kernel = self.expect(answer, 201)
        self.addCleanup(self.client.delete, "/v1/kernels/uploaded")
        self.assertEqual(answer.header("Location"), "/v1/kernels/uploaded")
        self.assertTrue(answer.header("ETag"))
        self.assertEqual(set(kernel), KERNEL)
        self.assertEqual(set(kernel["metadata"]), METADATA)
        self.assertEqual((kernel["artifact_id"], kernel["format"], kernel["state"], kernel["size_bytes"]), ("uploaded", "onnx", "ready", len(data)))
        self.assertEqual(kernel["checksum"], hashlib.sha256(data).hexdigest())
        self.assertEqual(kernel["kernel_id"], "0x" + hashlib.sha256(b"uploaded").hexdigest()[:16])
        self.assertEqual((kernel["metadata"]["input_shape"], kernel["metadata"]["output_shape"]), ([64], [10]))
        self.assertEqual(self.client.get("/v1/kernels/uploaded").json["checksum"], kernel["checksum"])
        self.load(self.layer(), artifact="uploaded")

    def test_same_bytes_again(self):
        first = self.upload("again")
        self.assertEqual(self.upload("again", status=200)["checksum"], first["checksum"])

    def test_other_bytes_under_a_known_id(self):
        self.upload("bound")
        with self.unchanged("/v1/kernels/bound"):
            self.expect_problem(self.client.put("/v1/kernels/bound", artifacts.linear(scale=0.7)), 409, "conflict", "bound")

    def test_the_id_stays_bound_after_removal(self):
        self.upload("kept")
        self.assertEqual(self.client.delete("/v1/kernels/kept").status, 204)
        self.expect_problem(self.client.get("/v1/kernels/kept"), 404, "not-found", "kept")
        self.expect_problem(self.client.put("/v1/kernels/kept", artifacts.linear(scale=0.9)), 409, "conflict")
        self.upload("kept")

    def test_escaped_id(self):
        answer = self.client.put("/v1/kernels/team%2Fmodel%3Av1", artifacts.linear())
        self.addCleanup(self.client.delete, "/v1/kernels/team%2Fmodel%3Av1")
        self.assertEqual(self.expect(answer, 201)["artifact_id"], "team/model:v1")
        self.assertEqual(answer.header("Location"), "/v1/kernels/team%2Fmodel%3Av1")
        self.expect(self.client.get("/v1/kernels/team%2fmodel%3av1"), 200)

    def test_refused_uploads_leave_nothing(self):
        good = artifacts.linear()
        with self.unchanged("/v1/kernels"):
            for name, data in (("corrupt", b"\x00\xff garbage"), ("truncated", good[:-7]), ("empty", b""), ("text", b"{}"), ("unknown-operator", artifacts.unknown_operator()),
                               ("mixing", artifacts.mixing_rows())):
                with self.subTest(name):
                    problem = self.expect_problem(self.client.put(f"/v1/kernels/{name}", data, kind=OCTETS), 422, "invalid-artifact")
                    self.assertEqual(problem["reason"] == "mixes_rows", name == "mixing")
            self.expect_problem(self.client.put("/v1/kernels/a%20b", good), 422, "invalid-value")
            self.expect_problem(self.client.put("/v1/kernels/json", {"a": 1}), 415, "unsupported-media-type")
        self.expect_problem(self.client.get("/v1/kernels/corrupt"), 404, "not-found")

    def test_delete_in_use(self):
        self.upload("busy")
        seed = self.load(self.layer(), artifact="busy")
        self.assertEqual(self.client.get("/v1/kernels/busy").json["in_use_by"], [{"layer": seed.split("/")[3], "seed": 0}])
        with self.unchanged(seed):
            self.expect_problem(self.client.delete("/v1/kernels/busy"), 409, "conflict", "busy")
        self.client.post(f"{seed}/unload", {})
        self.assertEqual(self.client.delete("/v1/kernels/busy").status, 204)

    def test_unknown(self):
        for method, tail in (("GET", ""), ("DELETE", ""), ("POST", "/pin"), ("POST", "/unpin")):
            self.expect_problem(self.client.send(method, f"/v1/kernels/nothing{tail}"), 404, "not-found", "nothing")

    def test_pin(self):
        self.upload("pinned")
        before = self.client.get("/v1/kernels/pinned").header("ETag")
        answer = self.client.post("/v1/kernels/pinned/pin", {})
        self.assertTrue(self.expect(answer, 200)["pinned"])
        self.assertNotEqual(answer.header("ETag"), before)
        self.assertTrue(self.expect(self.client.post("/v1/kernels/pinned/pin"), 200)["pinned"])
        self.assertFalse(self.expect(self.client.post("/v1/kernels/pinned/unpin"), 200)["pinned"])

    # ---- many

    def test_list(self):
        self.upload("b-listed")
        self.upload("a-listed")
        listed = self.expect(self.client.get("/v1/kernels"), 200)
        names = [kernel["artifact_id"] for kernel in listed["kernels"]]
        self.assertEqual(names, sorted(names))
        self.assertLessEqual({"a-listed", "b-listed"}, set(names))
        self.assertIsNone(listed["next_cursor"])

    def test_preload(self):
        self.upload("early", artifacts.linear(scale=0.33))
        answer = self.expect(self.client.post("/v1/kernels/preload", {"artifact_ids": ["early", "digits-good", "not-there"]}), 202)
        self.assertEqual([operation["kind"] for operation in answer["operations"]], ["preload"] * 3)
        ended = [self.client.get(f"/v1/operations/{operation['id']}?wait=20").json for operation in answer["operations"]]
        self.assertEqual([operation["state"] for operation in ended], ["succeeded", "succeeded", "failed"])
        self.assertEqual((ended[2]["error"]["status"], ended[0]["layer"], ended[0]["seed"]), (404, None, None))
        self.assertIn("device", self.client.get("/v1/kernels/early").json["tiers"])

    def test_preload_refusals(self):
        with self.unchanged("/v1/operations"):
            for body, name in (({}, "invalid-value"), ({"artifact_ids": []}, "invalid-value"), ({"artifact_ids": "a"}, "invalid-value"), ({"artifact_ids": [5]}, "invalid-value"),
                               ({"artifact_ids": ["a b"]}, "invalid-value"), ({"artifact_ids": ["a"] * 1001}, "invalid-value"), ({"ids": ["a"]}, "unknown-member"),
                               ({"artifact_ids": ["digits-good"], "device": "nowhere:0"}, "invalid-value")):
                with self.subTest(body=str(body)[:60]):
                    self.expect_problem(self.client.post("/v1/kernels/preload", body), 422, name)

    # ---- validating

    def test_validate_by_id(self):
        path = self.layer()
        found = self.expect(self.client.post("/v1/kernels/validate", {"artifact_id": "digits-good", "layer": path.rsplit("/", 1)[1]}), 200)
        self.assertEqual((found["valid"], found["reasons"], found["format"], found["compatible"]), (True, [], "onnx", True))
        self.assertEqual(set(found["metadata"]), METADATA)
        self.assertIn("Gemm", found["operators"])

    def test_validate_bytes(self):
        path = self.layer(None, 32, 10)
        name = path.rsplit("/", 1)[1]
        with self.unchanged("/v1/kernels"):
            found = self.expect(self.client.post(f"/v1/kernels/validate?layer={name}", artifacts.linear()), 200)
            self.assertEqual((found["valid"], found["compatible"]), (True, False))
            self.assertTrue(found["reasons"])
            self.assertIsNone(self.expect(self.client.post("/v1/kernels/validate", artifacts.linear()), 200)["compatible"])
            for data, word in ((b"garbage", ""), (b"", ""), (artifacts.unknown_operator(), "Quux"), (artifacts.mixing_rows(), "row")):
                found = self.expect(self.client.post("/v1/kernels/validate", data), 200)
                self.assertEqual((found["valid"], found["metadata"]), (False, None))
                self.assertIn(word, found["reasons"][0])

    def test_validate_refusals(self):
        self.expect_problem(self.client.post("/v1/kernels/validate", {}), 422, "invalid-value", "artifact_id")
        self.expect_problem(self.client.post("/v1/kernels/validate", {"artifact_id": "x", "y": 1}), 422, "unknown-member", "y")
        self.expect_problem(self.client.post("/v1/kernels/validate", {"artifact_id": "not-there"}), 404, "not-found", "not-there")
        self.expect_problem(self.client.post("/v1/kernels/validate", {"artifact_id": "digits-good", "layer": "nobody"}), 404, "not-found", "nobody")
        self.expect_problem(self.client.post("/v1/kernels/validate?layer=nobody", artifacts.linear()), 404, "not-found", "nobody")
        self.expect_problem(self.client.post("/v1/kernels/validate?layer=a%20b", artifacts.linear()), 422, "invalid-value", "layer")
        self.expect_problem(self.client.post("/v1/kernels/validate", b"x", kind="text/plain"), 415, "unsupported-media-type")

    # ---- what fits a layer

    def test_compatible(self):
        self.expect(self.client.post("/v1/kernels/preload", {"artifact_ids": ["digits-good", "digits-nan"]}), 202)
        self.wait_for("/v1/kernels", lambda json: {"digits-good", "digits-nan"} <= {kernel["artifact_id"] for kernel in json["kernels"]})
        path = self.layer()
        fitting = self.expect(self.client.get(f"{path}/compatible-kernels?max_memory_mb=16"), 200)["kernels"]
        names = [kernel["artifact_id"] for kernel in fitting if kernel["artifact_id"].startswith("digits-")]
        self.assertEqual(names, ["digits-good", "digits-nan"])  # the better score first
        self.assertEqual(set(fitting[0]), KERNEL)
        self.assertEqual(self.client.get(f"{path}/compatible-kernels?max_memory_mb=0.000001").json["kernels"], [])
        self.assertEqual(self.client.get(f"{self.layer('narrow', 3, 2)}/compatible-kernels").json["kernels"], [])
        for value in ("0", "-1", "x", "inf", "nan"):
            self.expect_problem(self.client.get(f"{path}/compatible-kernels?max_memory_mb={value}"), 422, "invalid-value", "max_memory_mb")
        self.expect_problem(self.client.get("/v1/layers/nobody/compatible-kernels"), 404, "not-found")


class Quarantine(ServerTest):
    def break_a_seed(self, seed):
        path = seed.rsplit("/", 2)[0]
        self.expect(self.client.post(f"{seed}/load?wait=20", {"artifact_id": "digits-nan", "alpha": 0.5}), 200)
        for _ in range(3):
            self.client.post(f"{path}/forward", floats([0.5] * 64))
        self.wait_for(seed, lambda json: json["lifecycle_state"] == "ERROR_RECOVERY")

    def test_it(self):
        self.assertEqual(self.client.get("/v1/quarantine").json, {"quarantine": []})
        checksum = hashlib.sha256(read_example("artifacts/digits-nan.onnx")).hexdigest()
        seed = self.layer() + "/seeds/0"
        for _ in range(3):
            self.break_a_seed(seed)
        listed = self.wait_for("/v1/quarantine", lambda json: json["quarantine"]).json["quarantine"]
        self.assertEqual([(one["checksum"], one["artifact_ids"], set(one)) for one in listed],
                         [(checksum, ["digits-nan"], {"checksum", "artifact_ids", "reason", "since"})])
        self.assertEqual(self.client.get("/v1/kernels/digits-nan").json["state"], "quarantined")
        with self.unchanged(seed.rsplit("/", 2)[0] + "/seeds/1"):
            problem = self.expect_problem(self.client.post(seed[:-1] + "1/load?wait=20", {"artifact_id": "digits-nan"}), 409, "conflict")
        self.assertEqual(problem["reason"], "quarantined")
        self.assertEqual(self.client.delete(f"/v1/quarantine/{checksum}").status, 204)
        self.expect_problem(self.client.delete(f"/v1/quarantine/{checksum}"), 404, "not-found", checksum)
        self.expect_problem(self.client.delete("/v1/quarantine/xyz"), 404, "not-found", "xyz")
        self.expect(self.client.post(seed[:-1] + "1/load?wait=20", {"artifact_id": "digits-nan"}), 200)


if __name__ == "__main__":
    unittest.main()
