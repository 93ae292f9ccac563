#!/usr/bin/env python3
"""/v1/layers and /v1/layers/{layer}."""
import unittest

from server import ServerTest

LAYER = {"name", "layer_id", "input_size", "output_size", "num_seeds", "bias", "device", "replicas", "math", "state", "generation", "epoch", "active_seeds",
         "has_active_seeds", "weights_sha256", "created_at"}


class Creating(ServerTest):
    def test_defaults(self):
        answer = self.client.post("/v1/layers", {"name": "plain", "input_size": 3, "output_size": 2})
        self.addCleanup(self.remove, "plain")
        layer = self.expect(answer, 201)
        self.assertEqual(answer.header("Location"), "/v1/layers/plain")
        self.assertTrue(answer.header("ETag"))
        self.assertEqual(set(layer), LAYER | {"seeds"})
        self.assertEqual((layer["num_seeds"], len(layer["seeds"]), layer["bias"], layer["math"], layer["state"]), (4, 4, True, "invariant", "ready"))
        self.assertEqual((layer["active_seeds"], layer["has_active_seeds"], layer["epoch"]), (0, False, 0))
        self.assertRegex(layer["weights_sha256"], "^[0-9a-f]{64}$")
        self.assertRegex(layer["created_at"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
        self.assertEqual(self.client.get("/v1/layers/plain").json, layer)

    def test_every_member(self):
        wanted = {"name": "A.b_c-9", "input_size": 5, "output_size": 7, "num_seeds": 64, "device": "host:0", "bias": False, "init_seed": "18446744073709551615",
                  "layer_id": 77, "math": "fast"}
        layer = self.expect(self.client.post("/v1/layers", wanted), 201)
        self.addCleanup(self.remove, "A.b_c-9")
        wanted.pop("init_seed")
        self.assertEqual({key: layer[key] for key in wanted}, wanted)

    def test_null_is_as_absent(self):
        body = {"name": "nulls", "input_size": 3, "output_size": 2, "num_seeds": None, "device": None, "bias": None, "init_seed": None, "layer_id": None, "math": None}
        self.addCleanup(self.remove, "nulls")
        self.assertEqual(self.expect(self.client.post("/v1/layers", body), 201)["num_seeds"], 4)

    def test_same_init_seed_same_weights(self):
        def checksum(name, seed):
            return self.client.get(self.layer(name, 8, 4, init_seed=seed)).json["weights_sha256"]

        first = checksum("first", 5)
        self.assertEqual(checksum("second", 5), first)
        self.assertNotEqual(checksum("third", 6), first)

    def test_layer_id_is_the_smallest_unused(self):
        ids = [self.client.get(self.layer(name, 2, 2)).json["layer_id"] for name in ("id-a", "id-b", "id-c")]
        self.client.delete("/v1/layers/id-b")
        self.assertEqual(self.client.get(self.layer("id-d", 2, 2)).json["layer_id"], ids[1])

    def test_name_taken(self):
        path = self.layer("twice", 3, 2)
        with self.unchanged(path, "/v1/layers"):
            self.expect_problem(self.client.post("/v1/layers", {"name": "twice", "input_size": 9, "output_size": 9}), 409, "conflict", "twice")

    def test_layer_id_is_exact(self):
        self.assertEqual(self.client.get(self.layer("id-large", 2, 2, layer_id=1 << 53)).json["layer_id"], 1 << 53)
        answer = self.client.post("/v1/layers", {"name": "id-larger", "input_size": 2, "output_size": 2, "layer_id": (1 << 53) + 1})
        self.expect_problem(answer, 422, "invalid-value", "layer_id")

    def test_layer_id_taken(self):
        self.layer("holder", 3, 2, layer_id=500)
        with self.unchanged("/v1/layers"):
            self.expect_problem(self.client.post("/v1/layers", {"name": "other", "input_size": 3, "output_size": 2, "layer_id": 500}), 409, "conflict", 500)

    def test_bad_values(self):
        good = {"name": "bad", "input_size": 3, "output_size": 2}
        cases = [("name", ""), ("name", "a b"), ("name", ".."), ("name", "."), ("name", "x" * 129), ("name", "ä"), ("name", 5), ("name", None), ("name", "a/b"),
                 ("input_size", 0), ("input_size", -1), ("input_size", 1.5), ("input_size", "3"), ("input_size", 2**20 + 1), ("input_size", None),
                 ("output_size", 0), ("output_size", True), ("num_seeds", 0), ("num_seeds", 65), ("num_seeds", 2**64), ("device", "nowhere:0"), ("device", 1),
                 ("bias", 1), ("bias", "true"), ("init_seed", -1), ("init_seed", "x"), ("init_seed", 1.5), ("layer_id", -1), ("math", "slow"), ("math", 1)]
        with self.unchanged("/v1/layers"):
            for member, value in cases:
                with self.subTest(member=member, value=value):
                    self.expect_problem(self.client.post("/v1/layers", {**good, member: value}), 422, "invalid-value", "range" if value == 2**64 else member)
            for member in good:
                with self.subTest(missing=member):
                    body = {key: value for key, value in good.items() if key != member}
                    self.expect_problem(self.client.post("/v1/layers", body), 422, "invalid-value", member)
            self.expect_problem(self.client.post("/v1/layers", {**good, "colour": 1}), 422, "unknown-member", "colour")

    def test_too_large_for_memory(self):
        with self.unchanged("/v1/layers"):
            answer = self.client.post("/v1/layers", {"name": "huge", "input_size": 2**20, "output_size": 2**20})
            self.assertIn(answer.status, (422, 503, 507), answer)


class Reading(ServerTest):
    def test_unknown(self):
        for method in ("GET", "PATCH", "DELETE"):
            with self.subTest(method=method):
                self.expect_problem(self.client.send(method, "/v1/layers/nobody", {} if method == "PATCH" else None), 404, "not-found", "nobody")

    def test_name_that_cannot_be(self):
        for path in ("/v1/layers/a%20b", "/v1/layers/" + "x" * 129, "/v1/layers/%FF", "/v1/layers/a%2Fb", "/v1/layers/%zz", "/v1/layers/%00"):
            with self.subTest(path=path):
                self.expect_problem(self.client.get(path), 422, "invalid-value")

    def test_list_has_no_seeds(self):
        self.layer("listed", 3, 2)
        listed = self.client.get("/v1/layers").json
        self.assertEqual([layer["name"] for layer in listed["layers"]], ["listed"])
        self.assertEqual(set(listed["layers"][0]), LAYER)
        self.assertIsNone(listed["next_cursor"])

    def test_escaped_name_is_the_same_layer(self):
        self.layer("esc.aped", 3, 2)
        self.assertEqual(self.client.get("/v1/layers/esc%2Eaped").json["name"], "esc.aped")


class Changing(ServerTest):
    def test_a_device_by_part_of_its_name(self):
        host = next(device for device in self.expect(self.client.get("/v1/devices"), 200)["devices"] if device["id"] == "host:0")
        self.assertEqual(host["uuid"], "")
        path = self.layer(device="host:" + host["name"].upper())
        self.assertEqual(self.expect(self.client.get(path), 200)["device"], "host:0")
        body = {"name": "nowhere", "input_size": 3, "output_size": 2, "device": "host:no such processor"}
        self.expect_problem(self.client.post("/v1/layers", body), 422, "invalid-value", "host:0 (")

    def test_patch_to_the_same_device(self):
        path = self.layer(None, 3, 2)
        with self.unchanged(path):
            for body in ({}, {"device": "host:0"}, {"device": "auto"}, {"device": None}):
                self.assertEqual(self.expect(self.client.send("PATCH", path, body), 200)["device"], "host:0")

    def test_patch_refusals(self):
        path = self.layer(None, 3, 2)
        with self.unchanged(path):
            self.expect_problem(self.client.send("PATCH", path, {"device": "nowhere:3"}), 422, "invalid-value", "nowhere:3")
            self.expect_problem(self.client.send("PATCH", path, {"device": 3}), 422, "invalid-value", "device")
            for body in ({"replicas": []}, {"replicas": None}):
                self.assertEqual(self.expect(self.client.send("PATCH", path, body), 200)["replicas"], [])
            for replicas in (["host:0"], ["auto"], ["nowhere:3"], [3], 3, ["a:0", "b:0", "c:0", "d:0"]):
                self.expect_problem(self.client.send("PATCH", path, {"replicas": replicas}), 422, "invalid-value")
            self.expect_problem(self.client.send("PATCH", path, {"device": "host:0", "replicas": []}), 422, "invalid-value")
            self.expect_problem(self.client.send("PATCH", path, {"input_size": 3}), 422, "unknown-member", "input_size")

    def test_delete(self):
        path = self.layer(None, 3, 2)
        answer = self.client.delete(path)
        self.assertEqual((answer.status, answer.body), (204, b""))
        self.expect_problem(self.client.get(path), 404, "not-found")
        self.expect_problem(self.client.delete(path), 404, "not-found")

    def test_delete_with_a_fossil_needs_force(self):
        path = self.layer()
        seed = self.load(path, alpha=0.5)
        self.expect(self.client.post(f"{seed}/fossilize", {}), 200)
        with self.unchanged(path):
            self.expect_problem(self.client.delete(path), 409, "conflict", "fossilized")
            self.expect_problem(self.client.delete(path + "?force=false"), 409, "conflict")
            self.expect_problem(self.client.delete(path + "?force=yes"), 422, "invalid-value", "force")
        self.assertEqual(self.client.delete(path + "?force=true").status, 204)

    def test_a_new_layer_of_the_same_name_has_another_etag(self):
        path = self.layer("reborn", 3, 2)
        before = self.client.get(path).header("ETag")
        self.client.delete(path)
        self.layer("reborn", 3, 2)
        self.assertNotEqual(self.client.get(path).header("ETag"), before)


if __name__ == "__main__":
    unittest.main()
