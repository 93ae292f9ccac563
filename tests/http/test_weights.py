#!/usr/bin/env python3
"""/v1/layers/{layer}/weights: safetensors in and out."""
import hashlib
import json
import struct
import unittest

from server import OCTETS, ServerTest, floats, unpack_floats


def safetensors(**tensors):
    """tensors: name=(dtype, shape, bytes)."""
    header, data = {}, b""
    for name, (dtype, shape, raw) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def read_safetensors(data):
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    return {name: (one["dtype"], one["shape"], data[8 + size:][slice(*one["data_offsets"])]) for name, one in header.items() if name != "__metadata__"}


WEIGHT = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]  # [2, 3]
BIAS = [0.5, -0.5]


class Weights(ServerTest):
    def put(self, path, data, query="", **headers):
        return self.client.put(f"{path}/weights{query}", data, headers, OCTETS)

    def forward(self, path, row):
        return unpack_floats(self.client.post(f"{path}/forward", floats(row)).body)

    def test_round_trip(self):
        path = self.layer(None, 3, 2)
        layer = self.expect(self.put(path, safetensors(weight=("F32", [2, 3], floats(WEIGHT)), bias=("F32", [2], floats(BIAS)))), 200)
        self.assertEqual(layer["weights_sha256"], hashlib.sha256(floats(WEIGHT + BIAS)).hexdigest())
        answer = self.client.get(f"{path}/weights")
        self.assertEqual(answer.header("Content-Type"), OCTETS)
        self.assertEqual(answer.header("ETag"), self.client.get(path).header("ETag"))
        self.assertEqual(read_safetensors(answer.body), {"weight": ("F32", [2, 3], floats(WEIGHT)), "bias": ("F32", [2], floats(BIAS))})
        self.assertEqual(self.forward(path, [1, 1, 1]), [6.5, 14.5])
        self.assertEqual(self.expect(self.put(path, answer.body), 200)["weights_sha256"], layer["weights_sha256"])

    def test_without_bias_it_is_zero(self):
        path = self.layer(None, 3, 2)
        self.expect(self.put(path, safetensors(weight=("F32", [2, 3], floats(WEIGHT)))), 200)
        self.assertEqual(self.forward(path, [1, 1, 1]), [6, 15])

    def test_half_precision(self):
        path = self.layer(None, 3, 2)
        half = struct.pack("<6e", *WEIGHT)
        self.expect(self.put(path, safetensors(weight=("F16", [2, 3], half))), 200)
        self.assertEqual(self.forward(path, [1, 1, 1]), [6, 15])
        bf16 = b"".join(floats([value])[2:] for value in WEIGHT)
        self.expect(self.put(path, safetensors(weight=("BF16", [2, 3], bf16), bias=("F32", [2], floats(BIAS)))), 200)
        self.assertEqual(self.forward(path, [1, 1, 1]), [6.5, 14.5])

    def test_staged(self):
        path = self.layer(None, 3, 2)
        epoch = self.client.get("/v1/epoch").json["epoch"]
        before = self.client.get(path).json["weights_sha256"]
        answer = self.put(path, safetensors(weight=("F32", [2, 3], floats(WEIGHT))), f"?at_epoch={epoch + 1}")
        self.assertEqual(self.expect(answer, 202)["weights_sha256"], before)
        self.assertEqual(self.client.get("/v1/epoch").json["staged"], 1)
        self.expect(self.client.post("/v1/epoch", {"epoch": epoch + 1}), 200)
        self.assertEqual(self.forward(path, [1, 1, 1]), [6, 15])

    def test_refused(self):
        path = self.layer(None, 3, 2)
        good = safetensors(weight=("F32", [2, 3], floats(WEIGHT)))
        shape = safetensors(weight=("F32", [3, 2], floats(WEIGHT)))
        nan = safetensors(weight=("F32", [2, 3], floats([float("nan")] * 6)))
        with self.unchanged(path, f"{path}/weights", "/v1/epoch"):
            detail = self.expect_problem(self.put(path, shape), 422, "invalid-artifact")["detail"]
            self.assertIn("[3, 2]", detail)
            self.assertIn("[2, 3]", detail)
            for name, body in (("empty", b""), ("short", good[:5]), ("cut", good[:-1]), ("longer", good + b"x"), ("text", b"hello, this is not safetensors at all"),
                               ("no weight", safetensors(other=("F32", [2, 3], floats(WEIGHT)))), ("type", safetensors(weight=("I64", [2, 3], bytes(48)))),
                               ("bias", safetensors(weight=("F32", [2, 3], floats(WEIGHT)), bias=("F32", [3], floats([1, 2, 3])))), ("nan", nan)):
                with self.subTest(name):
                    answer = self.put(path, body)
                    self.assertIn(answer.status, (400, 422), answer)
                    self.assertEqual(self.expect_problem(answer, answer.status, answer.json["type"].rsplit("/", 1)[1])["status"], answer.status)
            for at_epoch in ("0", "-1", "x", "99999999999"):
                self.expect_problem(self.put(path, good, f"?at_epoch={at_epoch}"), 422, "invalid-value", "at_epoch")
            self.expect_problem(self.client.put(f"{path}/weights", {"weight": 1}), 415, "unsupported-media-type", OCTETS)
        self.expect_problem(self.put("/v1/layers/nobody", good), 404, "not-found", "nobody")
        self.expect_problem(self.client.get("/v1/layers/nobody/weights"), 404, "not-found", "nobody")

    def test_epoch_that_has_passed(self):
        path = self.layer(None, 3, 2)
        epoch = self.client.get("/v1/epoch").json["epoch"] + 1
        self.expect(self.client.post("/v1/epoch", {"epoch": epoch}), 200)
        with self.unchanged(path, "/v1/epoch"):
            answer = self.put(path, safetensors(weight=("F32", [2, 3], floats(WEIGHT))), f"?at_epoch={epoch}")
            self.expect_problem(answer, 422, "invalid-value", epoch)

    def test_bias_for_a_layer_without(self):
        path = self.layer(None, 3, 2, bias=False)
        with self.unchanged(path):
            answer = self.put(path, safetensors(weight=("F32", [2, 3], floats(WEIGHT)), bias=("F32", [2], floats(BIAS))))
            self.expect_problem(answer, 422, "invalid-artifact", "bias")


if __name__ == "__main__":
    unittest.main()
