#!/usr/bin/env python3
"""The served OpenAPI document: it is complete, its examples work, and answers are what it says."""
import json
import os
import re
import unittest

import yaml

from server import ROOT, ServerTest

METHODS = ("get", "post", "put", "patch", "delete")
STREAMS = {"events"}  # do not end


class Schema:
    """Checks a value against the part of JSON Schema that the document uses."""

    TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}

    def __init__(self, document):
        self.document = document

    def resolve(self, part):
        while isinstance(part, dict) and "$ref" in part:
            found = self.document
            for name in part["$ref"][2:].split("/"):
                found = found[name]
            part = found
        return part

    def is_type(self, value, kind):
        if kind in ("integer", "number"):
            return isinstance(value, int if kind == "integer" else (int, float)) and not isinstance(value, bool)
        return isinstance(value, self.TYPES[kind])

    def faults(self, value, schema, at=""):
        schema = self.resolve(schema)
        kinds = schema.get("type")
        kinds = [kinds] if isinstance(kinds, str) else kinds
        if kinds and not any(self.is_type(value, kind) for kind in kinds):
            yield f"{at}: {value!r} is no {kinds}"
            return
        if "enum" in schema and value not in schema["enum"]:
            yield f"{at}: {value!r} is none of {schema['enum']}"
        if "pattern" in schema and isinstance(value, str) and not re.search(schema["pattern"], value):
            yield f"{at}: {value!r} does not match"
        for part in schema.get("allOf", ()):
            yield from self.faults(value, part, at)
        if "oneOf" in schema and sum(not list(self.faults(value, part, at)) for part in schema["oneOf"]) != 1:
            yield f"{at}: {value!r} is not exactly one of the forms"
        if isinstance(value, dict):
            yield from (f"{at}.{name} is missing" for name in schema.get("required", ()) if name not in value)
            for name, member in value.items():
                if name in schema.get("properties", {}):
                    yield from self.faults(member, schema["properties"][name], f"{at}.{name}")
                elif schema.get("additionalProperties") is False:
                    yield f"{at}.{name} is not in the schema"
        if isinstance(value, list) and "items" in schema:
            for index, item in enumerate(value):
                yield from self.faults(item, schema["items"], f"{at}[{index}]")


class Document(ServerTest):
    def setUp(self):
        super().setUp()
        answer = self.client.get("/openapi.yaml")
        self.assertEqual((answer.status, answer.header("Content-Type")), (200, "application/yaml"))
        self.text = answer.body
        self.document = yaml.safe_load(self.text)
        self.schema = Schema(self.document)

    def operations(self):
        for path, item in self.document["paths"].items():
            for method in METHODS:
                if method in item:
                    yield path, method, item[method], [self.schema.resolve(one) for one in item.get("parameters", []) + item[method].get("parameters", [])]

    def test_it_is_the_file(self):
        with open(os.path.join(ROOT, "openapi", "kasmina.yaml"), "rb") as file:
            self.assertEqual(file.read(), self.text)

    def test_it_is_complete(self):
        with open(os.path.join(ROOT, "http", "routes.c")) as file:
            routes = {(method.lower(), pattern) for method, pattern in re.findall(r'\{(GET|POST|PUT|PATCH|DELETE), +"([^"]+)"', file.read())}
        described = {(method, re.sub(r"\{[^}]+\}", "{}", path)) for path, method, _, _ in self.operations()}
        self.assertEqual(described, routes)

    def test_references_lead_somewhere(self):
        for name in re.findall(rb"\$ref: '([^']+)'", self.text):
            self.assertIsNotNone(self.schema.resolve({"$ref": name.decode()}), name)

    def test_ids_are_unique(self):
        ids = [operation["operationId"] for _, _, operation, _ in self.operations()]
        self.assertEqual(len(ids), len(set(ids)))

    def prepare(self):
        """The world that the examples are about: a layer `digits` with `digits-good` in seed 0."""
        self.client.delete("/v1/layers/digits?force=true")
        self.expect(self.client.post("/v1/layers", {"name": "digits", "input_size": 64, "output_size": 10}), 201)
        self.expect(self.client.post("/v1/layers/digits/seeds/0/load?wait=20", {"artifact_id": "digits-good", "alpha": 0.5}), 200)
        epoch = self.client.get("/v1/epoch").json["epoch"]
        return epoch

    def judge(self, answer, operation, where):
        responses = operation["responses"]
        response = self.schema.resolve(responses.get(str(answer.status), responses.get("default")))
        content = response.get("content", {})
        if not answer.body:
            return
        kind = answer.header("Content-Type").split(";")[0]
        self.assertIn(kind, content, f"{where}: {answer}")
        if kind.endswith("json"):
            self.assertEqual(list(self.schema.faults(json.loads(answer.body), content[kind]["schema"])), [], f"{where}: {answer}")

    def fill(self, path, parameters):
        for one in parameters:
            if one["in"] == "path":
                path = path.replace("{%s}" % one["name"], str(one.get("example", "nothing")))
        return path

    def examples(self, operation):
        """(name, body) of each; without a body (None, None)."""
        body = self.schema.resolve(operation.get("requestBody", {})).get("content", {}).get("application/json", {})
        return [(name, one["value"]) for name, one in body.get("examples", {}).items()] or [(None, None)]

    def test_examples(self):
        replayed = 0
        for path, method, operation, parameters in self.operations():
            if operation["operationId"] in STREAMS:
                continue
            for name, body in self.examples(operation):
                where = f"{method} {path} {name}"
                with self.subTest(where):
                    epoch = self.prepare()
                    if operation["operationId"] == "createLayer":
                        self.client.delete("/v1/layers/digits?force=true")
                    if operation["operationId"] == "advanceEpoch":
                        self.assertGreater(body["epoch"], epoch)
                    answer = self.client.send(method.upper(), self.fill(path, parameters), body)
                    self.judge(answer, operation, where)
                    if name:
                        self.assertLess(answer.status, 300, f"{where}: {answer}")
                        replayed += 1
        self.assertGreater(replayed, 15)

    def test_refusals_have_the_form_that_is_promised(self):
        self.prepare()
        for path, method, operation, parameters in self.operations():
            if operation["operationId"] in STREAMS:
                continue
            for other, body, kind in ((self.fill(path, parameters), b"{", "application/json"), (re.sub(r"\{[^}]+\}", "not-there", path), None, None)):
                with self.subTest(method=method, path=other):
                    self.judge(self.client.send(method.upper(), other, body, kind=kind), operation, other)


if __name__ == "__main__":
    unittest.main()
