#!/usr/bin/env python3
"""Bearer tokens and their roles."""
import hashlib
import os
import tempfile
import unittest

from server import Client, Raw, ServerTest, floats

ROLES = ("read", "infer", "operate", "admin")


class Tokens(ServerTest):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        path = os.path.join(cls.folder.name, "tokens")
        with open(path, "w") as file:
            file.write("# who may do what\n\n")
            file.writelines(f"{role}\t{hashlib.sha256(('secret-' + role).encode()).hexdigest().upper()}  {role}-person\n" for role in ROLES)
        cls.flags = ("--token-file", path)
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.folder.cleanup()

    def setUp(self):
        super().setUp()
        self.client.headers = self.of("admin")
        self.nobody = Client(self.server.port)
        self.addCleanup(self.nobody.close)

    def of(self, role):
        return {"Authorization": f"Bearer secret-{role}"}

    def test_without_and_unknown(self):
        path = self.layer(None, 3, 2)
        for headers in (None, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer "}, {"Authorization": "Basic c2VjcmV0LWFkbWlu"}, {"Authorization": "secret-admin"},
                        {"Authorization": "Bearer secret-admin2"}, {"Authorization": "Bearer " + hashlib.sha256(b"secret-admin").hexdigest()}):
            with self.subTest(headers=headers), self.unchanged(path):
                for method, where, body in (("GET", path, None), ("DELETE", path, None), ("POST", f"{path}/forward", floats([1, 2, 3])), ("GET", "/v1/nothing", None),
                                            ("BREW", path, None), ("GET", "/v1/events", None), ("GET", "/openapi.yaml", None)):
                    answer = self.nobody.send(method, where, body, headers)
                    self.expect_problem(answer, 401, "unauthorized")
                    self.assertTrue(answer.header("WWW-Authenticate").startswith('Bearer realm="kasmina"'))
                    self.assertEqual("invalid_token" in answer.header("WWW-Authenticate"), bool(headers) and headers["Authorization"].startswith("Bearer ") and len(headers["Authorization"]) > 8)

    def test_the_protocol_too(self):
        answer = self.nobody.get("/v2")
        self.assertEqual((answer.status, set(answer.json)), (401, {"error"}))
        self.assertTrue(answer.header("WWW-Authenticate"))
        self.assertEqual(self.nobody.get("/v2", self.of("read")).status, 200)

    def test_probes_need_none(self):
        for path in ("/v1/health/live", "/v1/health/ready", "/v2/health/live", "/v2/health/ready"):
            self.assertEqual(self.nobody.get(path).status, 200, path)
            self.assertEqual(self.nobody.get(path, {"Authorization": "Bearer wrong"}).status, 200, path)

    def test_roles(self):
        path = self.layer()
        name = path.rsplit("/", 1)[1]
        seed = self.load(path, alpha=0.5)
        needs = [("GET", path, None, "read"), ("GET", "/v1/kernels", None, "read"), ("GET", "/v1/events", None, "read"), ("GET", "/v2/models/stats", None, "read"), ("POST", "/v2/repository/index", {}, "read"),
                 ("POST", f"{path}/forward", floats([1.0] * 64), "infer"), ("POST", f"/v2/models/{name}/infer", {}, "infer"), ("PUT", f"{seed}/alpha", {"alpha": 0.5}, "operate"),
                 ("POST", f"{seed}/load", {"artifact_id": "digits-good"}, "operate"), ("POST", "/v1/epoch", {"epoch": 0}, "operate"), ("POST", "/v1/kernels/digits-good/pin", {}, "operate"),
                 ("PUT", "/v1/kernels/x", b"", "operate"), ("DELETE", "/v1/operations/op-1", None, "operate"), ("DELETE", "/v1/quarantine/x", None, "operate"),
                 ("POST", "/v1/layers", {}, "admin"), ("PATCH", path, {}, "admin"), ("PUT", f"{path}/weights", b"", "admin"), ("POST", f"/v2/repository/models/{name}/load", {}, "admin"),
                 ("DELETE", path, None, "admin")]
        for method, where, body, needed in needs:
            for role in ROLES[:ROLES.index(needed)]:
                with self.subTest(where=where, role=role), self.unchanged(path, "/v1/epoch"):
                    answer = self.nobody.send(method, where, body, self.of(role))
                    self.assertEqual(answer.status, 403, answer)
                    self.assertIn(f'scope="{needed}"', answer.header("WWW-Authenticate"))
                    if where.startswith("/v1"):
                        self.expect_problem(answer, 403, "forbidden", needed, role)
            for role in ROLES[ROLES.index(needed):]:
                with self.subTest(where=where, role=role):
                    if where == "/v1/events":
                        raw = Raw(self.server)
                        raw.send(f"GET {where} HTTP/1.1\r\nHost: x\r\nAuthorization: bearer secret-{role}\r\n\r\n")
                        self.assertEqual(raw.head()[0], 200)
                        raw.close()
                    else:
                        self.assertNotIn(self.nobody.send(method, where, body, self.of(role)).status, (401, 403))

    def test_order(self):
        self.assertEqual(self.nobody.delete("/v1/layers/nobody").status, 401)
        self.assertEqual(self.nobody.delete("/v1/layers/nobody", self.of("operate")).status, 403)
        self.assertEqual(self.nobody.delete("/v1/layers/nobody", self.of("admin")).status, 404)

    def test_a_key_of_another_client_is_not_theirs(self):
        path = self.layer()
        seed = self.load(path, alpha=0.5)
        key = {"Idempotency-Key": "shared"}
        self.assertEqual(self.nobody.put(f"{seed}/alpha", {"alpha": 0.25}, {**key, **self.of("operate")}).status, 200)
        self.assertEqual(self.nobody.put(f"{seed}/alpha", {"alpha": 0.25}, {**key, **self.of("admin")}).status, 422)

    def test_tokens_are_not_in_the_log(self):
        self.nobody.get("/v1", self.of("admin"))
        self.nobody.get("/v1", {"Authorization": "Bearer mistyped-secret"})
        self.assertNotIn("secret", self.server.read_log())


if __name__ == "__main__":
    unittest.main()
