#!/usr/bin/env python3
"""What every route refuses alike: unknown paths, wrong methods, media types, malformed JSON; and in which order."""
import json
import unittest

from server import ServerTest

# Every path of the control API with the methods that it has; {layer} and {seed} are there, the rest is checked before.
PATHS = {
    "/v1": "GET", "/v1/devices": "GET", "/v1/devices/host:0": "GET", "/v1/layers": "GET POST", "{layer}": "GET PATCH DELETE", "{layer}/weights": "GET PUT",
    "{layer}/seeds": "GET", "{layer}/seeds/0": "GET", "{layer}/seeds/0/load": "POST", "{layer}/seeds/0/unload": "POST", "{layer}/seeds/0/reset": "POST",
    "{layer}/seeds/0/fossilize": "POST", "{layer}/seeds/0/alpha": "PUT", "{layer}/seeds/0/staged": "DELETE", "{layer}/forward": "POST",
    "{layer}/compatible-kernels": "GET", "{layer}/stats": "GET", "/v1/stats": "GET", "/v1/kernels": "GET", "/v1/kernels/digits-good": "GET PUT DELETE",
    "/v1/kernels/preload": "POST", "/v1/kernels/validate": "POST", "/v1/kernels/digits-good/pin": "POST", "/v1/kernels/digits-good/unpin": "POST", "/v1/quarantine": "GET",
    "/v1/operations": "GET", "/v1/operations/op-1": "GET DELETE", "/v1/epoch": "GET POST", "/v1/errors": "GET", "/v1/recovery": "GET", "/v1/breakers": "GET",
    "/v1/health": "GET", "/v1/health/live": "GET", "/v1/health/ready": "GET", "/problems/conflict": "GET",
}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW")
JSON_BODIES = {"/v1/layers": "POST", "{layer}": "PATCH", "{layer}/seeds/0/load": "POST", "{layer}/seeds/0/unload": "POST", "{layer}/seeds/0/reset": "POST",
               "{layer}/seeds/0/fossilize": "POST", "{layer}/seeds/0/alpha": "PUT", "/v1/kernels/preload": "POST", "/v1/kernels/validate": "POST", "/v1/epoch": "POST"}


class Refusals(ServerTest):
    def setUp(self):
        super().setUp()
        self.path = self.layer("here")
        self.load(self.path)

    def real(self, path):
        return path.replace("{layer}", self.path)

    def test_wrong_methods(self):
        with self.unchanged(self.path, "/v1/layers", "/v1/epoch", "/v1/operations"):
            for path, methods in PATHS.items():
                allowed = {name for method in methods.split() for name in ([method, "HEAD"] if method == "GET" else [method])}
                for method in METHODS:
                    if method in allowed:
                        continue
                    with self.subTest(path=path, method=method):
                        answer = self.client.send(method, self.real(path), {} if method in ("POST", "PUT", "PATCH") else None)
                        problem = self.expect_problem(answer, 405, "method-not-allowed", method)
                        self.assertEqual({name.strip() for name in answer.header("Allow").split(",")}, allowed)
                        self.assertEqual(set(problem["allowed"]), allowed)

    def test_unknown_paths(self):
        for path in ("/v1/", "/v1/nothing", "/v3", "/v1/layers/", f"{self.path}/", f"{self.path}/nothing", f"{self.path}/seeds/", f"{self.path}/seeds/0/explode", "/v1//layers",
                     "/V1/layers", "/v1/health/dead", "/v1/layers/here/seeds/0/load/now", "/problems", "/../v1", "/%2e%2e/v1", "/v1%2Flayers", "/v1/layers;x=1", "/favicon.ico"):
            for method in ("GET", "POST", "DELETE"):
                with self.subTest(path=path, method=method):
                    problem = self.expect_problem(self.client.send(method, path), 404, "not-found")
                    self.assertEqual(problem["instance"], path)

    def test_malformed_json(self):
        bodies = (b"{", b"[]", b'"x"', b"5", b"null", b"{'a': 1}", b'{"a": 1}}', b'{"a": NaN}', b'{"a": -Infinity}', b'{"a": 1, "a": 2}', b'{"a": "\xff"}', b'{"a": "\x01"}',
                  b'{"a": 01}', b'{"a": "\\ud800"}', b"\xef\xbb\xbf{}", b'{"a":' * 5000 + b"1" + b"}" * 5000, b'{"a": 1,}', b"{}x", b"\x00")
        with self.unchanged(self.path, "/v1/layers", "/v1/epoch"):
            for path, method in JSON_BODIES.items():
                for body in bodies:
                    with self.subTest(path=path, body=body[:30]):
                        self.expect_problem(self.client.send(method, self.real(path), body, kind="application/json"), 400, "malformed")

    def test_unknown_members_are_refused(self):
        with self.unchanged(self.path, "/v1/layers", "/v1/epoch"):
            for path, method in JSON_BODIES.items():
                with self.subTest(path=path):
                    self.expect_problem(self.client.send(method, self.real(path), {"no_such_member": 1}), 422, "unknown-member", "no_such_member")

    def test_media_types(self):
        with self.unchanged(self.path):
            for path, method in JSON_BODIES.items():
                with self.subTest(path=path):
                    self.expect_problem(self.client.send(method, self.real(path), b"<a/>", kind="text/xml"), 415, "unsupported-media-type", "text/xml", "application/json")
                    answer = self.client.send(method, self.real(path), b"{}", {"Content-Encoding": "br"}, "application/json")
                    self.expect_problem(answer, 415, "unsupported-media-type", "br", "gzip")
        self.expect(self.client.send("PATCH", self.path, b"{}", kind="application/json; charset=utf-8"), 200)
        self.expect(self.client.send("PATCH", self.path, b"{}", kind="application/x-www-form-urlencoded"), 200)  # what curl -d says

    def test_accept(self):
        for accept in ("application/json", "*/*", "application/*", "text/html, application/json;q=0.5", "text/html,*/*;q=0.1", "", "APPLICATION/JSON"):
            self.assertEqual(self.client.get(self.path, {"Accept": accept}).status, 200, accept)
        for accept in ("text/html", "image/*", "application/json;q=0", "application/xml"):
            self.expect_problem(self.client.get(self.path, {"Accept": accept}), 406, "not-acceptable", accept)

    def test_order(self):
        """404 of the path, 405, 413, 415, 400, 412, 422 of the body, 409 of the state, then what the artifact says."""
        dormant = f"{self.path}/seeds/1"
        stale = {"If-Match": '"old"'}
        cases = [
            (("PUT", "/v1/layers/nobody/forward", b"{", "text/plain", {}), 404),
            (("PUT", f"{self.path}/forward", b"{", "text/plain", {}), 405),
            (("POST", f"{dormant}/load", b"x" * (2 << 20), "text/plain", {}), 413),
            (("POST", f"{dormant}/load", b"{", "text/plain", stale), 415),
            (("POST", f"{dormant}/load", b"{", "application/json", stale), 400),
            (("POST", f"{dormant}/load", b'{"x": 1}', "application/json", stale), 412),
            (("PUT", f"{dormant}/alpha", b'{"alpha": 2}', "application/json", {}), 422),
            (("PUT", f"{dormant}/alpha", b'{"alpha": 1}', "application/json", {}), 409),
            (("POST", f"{dormant}/load?wait=10", b'{"artifact_id": "not-there"}', "application/json", {}), 404),
        ]
        with self.unchanged(self.path):
            for (method, path, body, kind, headers), status in cases[:-1]:
                with self.subTest(path=path, status=status):
                    self.assertEqual(self.client.send(method, path, body, headers, kind).status, status)
        method, path, body, kind, headers = cases[-1][0]
        self.assertEqual(self.client.send(method, path, body, headers, kind).status, cases[-1][1])

    def test_what_came_in_is_shown_safely(self):
        answer = self.client.get("/v1/layers/%1B%5B31mred%22%3Cscript%3E")
        self.expect_problem(answer, 422, "invalid-value")
        self.assertNotIn(b"\x1b", answer.body)
        json.loads(answer.body)


if __name__ == "__main__":
    unittest.main()
