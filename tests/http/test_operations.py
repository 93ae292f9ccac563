#!/usr/bin/env python3
"""/v1/operations: reading, waiting, cancelling; and seeds while a load is under way."""
import tempfile
import threading
import unittest

import artifacts
from server import Client, ServerTest, floats
from test_opencl import DEVICE, has_device

BULKY = [f"bulky-{number}" for number in range(6)]


class Operations(ServerTest):
    """One loader, kept busy by artifacts that take a while: what is asked for after them waits its turn."""

    flags = ("--loaders", "1")

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.artifact_dir = cls.folder.name
        artifacts.write(cls.folder.name, good=artifacts.linear(), other=artifacts.linear(scale=0.02), **{name: artifacts.bulky(number) for number, name in enumerate(BULKY)})
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.folder.cleanup()

    def keep_busy(self):
        """Afterwards the loader has some tenths of a second to do; the operations."""
        for name in BULKY + ["good", "other"]:
            self.client.delete(f"/v1/kernels/{name}")
        started = self.expect(self.client.post("/v1/kernels/preload", {"artifact_ids": BULKY}), 202)["operations"]
        self.addCleanup(self.finish, started)
        return started

    def finish(self, operations):
        client = Client(self.server.port)
        for operation in operations:
            client.get(f"/v1/operations/{operation['id']}?wait=30")
        client.close()

    def begin_load(self):
        """A seed that is LOADING, and the operation."""
        seed = self.layer() + "/seeds/0"
        self.keep_busy()
        operation = self.expect(self.client.post(f"{seed}/load", {"artifact_id": "good"}), 202)
        shown = self.client.get(seed).json
        self.assertEqual((shown["lifecycle_state"], shown["operation"]), ("LOADING", operation["id"]))
        return seed, f"/v1/operations/{operation['id']}"

    def test_list(self):
        self.finish(self.keep_busy())
        listed = self.expect(self.client.get("/v1/operations"), 200)
        self.assertIsNone(listed["next_cursor"])
        numbers = [int(operation["id"][3:]) for operation in listed["operations"]]
        self.assertEqual(numbers, sorted(numbers))
        last = listed["operations"][-1]
        self.assertEqual((last["kind"], last["state"], last["layer"], last["seed"], last["tier"]), ("preload", "succeeded", None, None, "registry"))
        self.assertEqual(last["bytes_done"], last["bytes_total"])
        self.assertGreater(last["bytes_total"], 10**7)

    def test_unknown(self):
        for name in ("op-999999", "op-0", "op-x", "7", "op-", "op-01", "op-99999999999999999999999"):
            for method in ("GET", "DELETE"):
                self.expect_problem(self.client.send(method, f"/v1/operations/{name}"), 404, "not-found", name)

    def test_wait_ends_with_what_is_known(self):
        seed = self.layer() + "/seeds/0"
        self.keep_busy()
        answer = self.client.post(f"{seed}/load?wait=0.01", {"artifact_id": "good"})
        self.assertIn(self.expect(answer, 202)["state"], ("queued", "running"))
        path = answer.header("Location")
        self.assertIn(self.expect(self.client.get(f"{path}?wait=0.01"), 200)["state"], ("queued", "running"))
        self.assertEqual(self.expect(self.client.get(f"{path}?wait=30"), 200)["state"], "succeeded")
        self.expect_problem(self.client.get(f"{path}?wait=x"), 422, "invalid-value", "wait")

    def test_preload_waits_for_all(self):
        for name in BULKY + ["good", "other"]:
            self.client.delete(f"/v1/kernels/{name}")
        late = self.expect(self.client.post("/v1/kernels/preload?wait=0.001", {"artifact_ids": BULKY}), 202)["operations"]
        self.addCleanup(self.finish, late)
        self.assertIn(late[-1]["state"], ("queued", "running"))
        ended = self.expect(self.client.post("/v1/kernels/preload?wait=30", {"artifact_ids": ["good", "nothing-by-this-name", "other"]}), 200)["operations"]
        self.assertEqual([operation["state"] for operation in ended], ["succeeded", "failed", "succeeded"])
        self.assertEqual(ended[1]["error"]["status"], 404)
        preferred = self.client.post("/v1/kernels/preload", {"artifact_ids": ["good"]}, {"Prefer": "wait=30"})
        self.assertEqual(self.expect(preferred, 200)["operations"][0]["state"], "succeeded")
        with self.unchanged("/v1/operations"):
            self.expect_problem(self.client.post("/v1/kernels/preload?wait=-1", {"artifact_ids": ["good"]}), 422, "invalid-value", "wait")

    def test_patch_waits_as_long_as_it_is_told(self):
        if not has_device():
            self.skipTest(f"no {DEVICE} on this machine")
        for change, query, headers in (({"device": DEVICE}, "?wait=0", {}), ({"replicas": [DEVICE]}, "", {"Prefer": "wait=0"})):
            with self.subTest(change=change):
                path = self.layer("patient", device="host:0")
                self.client.delete(f"/v1/kernels/{BULKY[0]}")  # it is nowhere, so that its way to the device takes a while
                self.load(path, artifact=BULKY[0])
                for wait in ("", "x", "3601"):
                    with self.unchanged(path):
                        self.expect_problem(self.client.send("PATCH", f"{path}?wait={wait}", change), 422, "invalid-value", "wait")
                begun = self.client.send("PATCH", path + query, change, headers)
                operation = self.expect(begun, 202)
                self.assertIn(operation["state"], ("queued", "running"))
                self.assertEqual(begun.header("Location"), f"/v1/operations/{operation['id']}")
                done = self.expect(self.client.send("PATCH", f"{path}?wait=30", change), 200)
                self.assertIn(DEVICE, [done["device"]] + [replica["device"] for replica in done["replicas"] if replica["ready"]])
                self.assertEqual(self.expect(self.client.get(begun.header("Location")), 200)["state"], "succeeded")
                self.remove("patient")

    def test_cancel_waits_for_the_end(self):
        seed, path = self.begin_load()
        self.expect_problem(self.client.delete(f"{path}?wait=nan"), 422, "invalid-value", "wait")
        self.assertEqual(self.expect(self.client.delete(f"{path}?wait=30"), 200)["state"], "cancelled")

    def test_cancel(self):
        seed, path = self.begin_load()
        answer = self.client.delete(path)
        self.assertEqual(answer.status, 202, answer)
        ended = self.expect(self.client.get(f"{path}?wait=30"), 200)
        self.assertEqual((ended["state"], ended["error"]["reason"], ended["error"]["status"]), ("cancelled", "cancelled", 409))
        self.assertEqual(self.client.get(seed).json["lifecycle_state"], "DORMANT")
        with self.unchanged(path):
            self.expect_problem(self.client.delete(path), 409, "conflict", "finished")

    def test_cancel_what_has_finished(self):
        seed = self.load(self.layer(), artifact="good")
        self.assertIsNone(self.client.get(seed).json["operation"])
        path = f"/v1/operations/{self.client.get('/v1/operations?limit=1000').json['operations'][-1]['id']}"
        with self.unchanged(path, seed):
            self.expect_problem(self.client.delete(path), 409, "conflict", "finished")

    def test_a_waiter_learns_of_the_cancellation(self):
        seed = self.layer() + "/seeds/0"
        self.keep_busy()
        answers = []

        def wait():
            client = Client(self.server.port)
            answers.append(client.post(f"{seed}/load?wait=30", {"artifact_id": "good"}))
            client.close()

        waiter = threading.Thread(target=wait)
        waiter.start()
        operation = self.wait_for(seed, lambda json: json["operation"]).json["operation"]
        self.client.delete(f"/v1/operations/{operation}")
        waiter.join()
        self.assertEqual(self.expect_problem(answers[0], 409, "conflict")["reason"], "cancelled")

    def test_the_same_artifact_joins(self):
        seed, path = self.begin_load()
        self.assertEqual("/v1/operations/" + self.expect(self.client.post(f"{seed}/load", {"artifact_id": "good"}), 202)["id"], path)
        with self.unchanged(seed):
            problem = self.expect_problem(self.client.post(f"{seed}/load", {"artifact_id": "other"}), 409, "illegal-transition", "LOADING")
        self.assertEqual((problem["state"], sorted(problem["allowed"])), ("LOADING", ["alpha", "reset", "unload"]))

    def test_alpha_while_loading(self):
        seed, path = self.begin_load()
        self.expect(self.client.put(f"{seed}/alpha", {"alpha": 0.75}), 200)
        self.client.get(f"{path}?wait=30")
        self.assertEqual(self.client.get(seed).json["alpha_blend"], 0.75)

    def test_unload_and_reset_cancel(self):
        for change in ("unload", "reset"):
            with self.subTest(change):
                path = self.layer(change)
                self.keep_busy()
                operation = self.expect(self.client.post(f"{path}/seeds/0/load", {"artifact_id": "good"}), 202)["id"]
                self.assertEqual(self.expect(self.client.post(f"{path}/seeds/0/{change}", {}), 200)["lifecycle_state"], "DORMANT")
                self.assertEqual(self.client.get(f"/v1/operations/{operation}?wait=30").json["state"], "cancelled")

    def test_passes_go_on_while_kernels_load(self):
        path = self.layer()
        self.keep_busy()
        for _ in range(20):
            self.assertEqual(self.client.post(f"{path}/forward", floats([0.5] * 64)).status, 200)

    def test_deleting_a_layer_that_loads(self):
        seed, path = self.begin_load()
        self.assertEqual(self.client.delete(seed.rsplit("/", 2)[0]).status, 204)
        self.assertEqual(self.client.get(f"{path}?wait=30").json["state"], "cancelled")


if __name__ == "__main__":
    unittest.main()
