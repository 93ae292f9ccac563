#!/usr/bin/env python3
"""Idempotency-Key: the same key and request give the first answer again, and have no second effect."""
import socket
import threading
import unittest

import artifacts
from server import Client, Raw, ServerTest


class Idempotency(ServerTest):
    def key(self):
        return {"Idempotency-Key": self.id()}

    def test_create(self):
        body = {"name": "once", "input_size": 3, "output_size": 2}
        self.addCleanup(self.remove, "once")
        first = self.client.post("/v1/layers", body, self.key())
        with self.unchanged("/v1/layers"):
            again = self.client.post("/v1/layers", body, self.key())
        self.assertEqual((first.status, again.status, again.body), (201, 201, first.body))
        self.assertEqual((again.header("Idempotency-Replayed"), again.header("Location"), again.header("ETag")), ("true", "/v1/layers/once", first.header("ETag")))
        self.assertIsNone(first.header("Idempotency-Replayed"))
        self.assertEqual(self.client.post("/v1/layers", body, {"Idempotency-Key": "another"}).status, 409)

    def test_a_deletion(self):
        path = self.layer(None, 3, 2)
        self.assertEqual(self.client.delete(path, self.key()).status, 204)
        self.layer(path.rsplit("/", 1)[1], 3, 2)
        with self.unchanged(path):
            self.assertEqual(self.client.delete(path, self.key()).status, 204)
        self.expect(self.client.get(path), 200)

    def test_a_load(self):
        seed = self.layer() + "/seeds/0"
        first = self.client.post(f"{seed}/load?wait=20", {"artifact_id": "digits-good"}, self.key())
        self.client.post(f"{seed}/unload", {})
        again = self.client.post(f"{seed}/load?wait=20", {"artifact_id": "digits-good"}, self.key())
        self.assertEqual((again.status, again.body), (first.status, first.body))
        self.assertEqual(self.client.get(seed).json["lifecycle_state"], "DORMANT")

    def test_another_request_under_the_same_key(self):
        path = self.layer(None, 3, 2)
        self.expect(self.client.send("PATCH", path, {}, self.key()), 200)
        with self.unchanged(path):
            for method, where, body in (("PATCH", path, {"device": "host:0"}), ("DELETE", path, None), ("PUT", "/v1/kernels/other", artifacts.linear()), ("PATCH", path + "?x=1", {})):
                self.expect_problem(self.client.send(method, where, body, self.key()), 422, "invalid-value", self.id())

    def test_another_precondition_is_another_request(self):
        path = self.layer(None, 3, 2)
        self.expect_problem(self.client.send("PATCH", path, {}, {**self.key(), "If-Match": '"of-old"'}), 412, "precondition-failed")
        self.expect_problem(self.client.send("PATCH", path, {}, self.key()), 422, "invalid-value", self.id())

    def test_refusals_are_answers_too(self):
        seed = self.layer() + "/seeds/0"
        first = self.client.post(f"{seed}/fossilize", {}, self.key())
        self.assertEqual(first.status, 409)
        self.load(seed.rsplit("/", 2)[0], alpha=0.5)
        again = self.client.post(f"{seed}/fossilize", {}, self.key())
        self.assertEqual((again.status, again.body, again.header("Content-Type")), (409, first.body, "application/problem+json"))
        self.assertEqual(self.client.get(seed).json["lifecycle_state"], "ACTIVE")

    def leave(self, method, path, body):
        """Sends a request with the test's key and goes: libmicrohttpd takes the closing of one side for that."""
        raw = Raw(self.server)
        raw.send(f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nIdempotency-Key: {self.id()}\r\nContent-Length: {len(body)}\r\n\r\n{body}")
        raw.socket.shutdown(socket.SHUT_WR)
        raw.file.read()
        raw.close()

    def ask_again(self, method, path, body):
        """The answer under the test's key, once there is one."""
        while True:
            answer = self.client.send(method, path, body.encode(), self.key(), kind="application/json")
            if answer.status != 409 or answer.json["reason"] != "in-progress":
                return answer

    def test_who_went_before_the_answer_gets_it_later(self):
        seed = self.layer() + "/seeds/0"
        body = '{"artifact_id": "bulky"}'
        self.client.put("/v1/kernels/bulky", artifacts.bulky(1))
        before = len(self.client.get("/v1/operations").json["operations"])
        self.leave("POST", f"{seed}/load?wait=20", body)
        self.wait_for(seed, lambda state: state["lifecycle_state"] == "ACTIVE")
        again = self.ask_again("POST", f"{seed}/load?wait=20", body)
        self.assertEqual(again.header("Idempotency-Replayed"), "true")
        self.assertIn((again.status, again.json["state"]), ((200, "succeeded"), (202, "queued"), (202, "running")))  # as it was when it went
        self.assertEqual(len(self.client.get("/v1/operations").json["operations"]), before + 1)

    def test_keys_that_cannot_be(self):
        path = self.layer(None, 3, 2)
        for key in ("", "x" * 256, "two words", "tab\tbed"):
            with self.subTest(key=key[:20]):
                self.expect_problem(self.client.send("PATCH", path, {}, {"Idempotency-Key": key}), 422, "invalid-value", "Idempotency-Key")
        self.expect(self.client.send("PATCH", path, {}, {"Idempotency-Key": "x" * 255}), 200)

    def test_reading_takes_no_key(self):
        path = self.layer(None, 3, 2)
        for _ in range(2):
            self.assertIsNone(self.client.get(path, self.key()).header("Idempotency-Replayed"))

    def test_many_at_once_have_one_effect(self):
        statuses, lock = [], threading.Lock()

        def create():
            client = Client(self.server.port)
            answer = client.post("/v1/layers", {"name": "race", "input_size": 300, "output_size": 200}, {"Idempotency-Key": "race"})
            with lock:
                statuses.append((answer.status, answer.json.get("reason")))
            client.close()

        self.addCleanup(self.remove, "race")
        threads = [threading.Thread(target=create) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertLessEqual(set(statuses), {(201, None), (409, "in-progress")})
        self.assertIn((201, None), statuses)
        self.assertEqual(self.client.post("/v1/layers", {"name": "race", "input_size": 300, "output_size": 200}, {"Idempotency-Key": "race"}).status, 201)


if __name__ == "__main__":
    unittest.main()
