#!/usr/bin/env python3
"""POST /v2/models/{}/infer: JSON and binary tensors as public clients send them, and everything that is refused."""
import json
import unittest

from server import ServerTest, floats, unpack_floats
from test_weights import safetensors


class Infer(ServerTest):
    """y = [x0 + x1 + x2, x0 − x1]."""

    def setUp(self):
        super().setUp()
        self.layer_path = self.layer(None, 3, 2)
        self.expect(self.client.put(f"{self.layer_path}/weights", safetensors(weight=("F32", [2, 3], floats([1, 1, 1, 1, -1, 0])))), 200)
        self.path = f"/v2/models/{self.layer_path.rsplit('/', 1)[1]}/infer"

    def tensor(self, **changes):
        made = {"name": "input", "shape": [2, 3], "datatype": "FP32", "data": [1, 2, 3, 4, 5, 6], **changes}
        return {key: value for key, value in made.items() if value is not None}

    def infer(self, raw=b"", head_bytes=None, headers=None, **body):
        head = json.dumps(body, separators=(",", ":")).encode()
        sent = {"Inference-Header-Content-Length": str(len(head) if head_bytes is None else head_bytes)} if raw or head_bytes is not None else {}
        return self.client.post(self.path, head + raw, {**sent, **(headers or {})}, "application/octet-stream" if raw else "application/json")

    # ---- what is answered

    def test_json(self):
        answer = self.infer(inputs=[self.tensor()], id="request-1")
        self.assertEqual(self.expect(answer, 200), {"model_name": self.path.split("/")[3], "model_version": "1", "id": "request-1",
                                                    "outputs": [{"name": "output", "datatype": "FP32", "shape": [2, 2], "data": [6, -1, 15, -1]}]})

    def test_shapes(self):
        for shape, data, out in (([2, 3], [[1, 2, 3], [4, 5, 6]], [2, 2]), ([2, 1, 3], [1, 2, 3, 4, 5, 6], [2, 1, 2]), ([3], [1, 2, 3], [2]), ([0, 3], [], [0, 2])):
            output = self.expect(self.infer(inputs=[self.tensor(shape=shape, data=data)]), 200)["outputs"][0]
            self.assertEqual((output["shape"], output["data"]), (out, [6, -1, 15, -1][:len(output["data"])]))

    def test_members_in_any_order(self):
        for body in (b'{"inputs":[{"data":[1,2,3],"shape":[1,3],"datatype":"FP32","name":"input"}]}', b' { "id" : "x" , "inputs" : [ { "parameters" : {} , "name" : "input" , "shape" : [ 1 , 3 ] , '
                     b'"datatype" : "FP32" , "data" : [ 1.0 , 2e0 , 3 ] } ] , "outputs" : [ { "name" : "output" } ] } '):
            self.assertEqual(self.expect(self.client.post(self.path, body), 200)["outputs"][0]["data"], [6, -1])

    def test_binary(self):
        raw = floats([1, 2, 3, 4, 5, 6])
        wanted = {"name": "output", "parameters": {"binary_data": True}}
        for pad in range(4):  # wherever the bytes come to lie
            answer = self.infer(raw, inputs=[self.tensor(data=None, parameters={"binary_data_size": 24})], outputs=[wanted], id="x" * pad)
            self.assertEqual(answer.status, 200, answer)
            length = int(answer.header("Inference-Header-Content-Length"))
            self.assertEqual(length % 64, 0)  # the values lie where vectors are read best
            head = json.loads(answer.body[:length])
            self.assertEqual(head["outputs"], [{"name": "output", "datatype": "FP32", "shape": [2, 2], "parameters": {"binary_data_size": 16}}])
            self.assertEqual((unpack_floats(answer.body[length:]), head.get("id")), ([6, -1, 15, -1], "x" * pad))

    def test_which_outputs_are_binary(self):
        for parameters, outputs, binary in ((None, None, False), ({"binary_data_output": True}, None, True), ({"binary_data_output": True}, [{"name": "output"}], True),
                                            ({"binary_data_output": True}, [{"name": "output", "parameters": {"binary_data": False}}], False),
                                            (None, [{"name": "output", "parameters": {"binary_data": True}}], True), (None, [], False)):
            body = {"inputs": [self.tensor()]}
            if parameters:
                body["parameters"] = parameters
            if outputs is not None:
                body["outputs"] = outputs
            answer = self.infer(**body)
            self.assertEqual((answer.status, answer.header("Inference-Header-Content-Length") is not None), (200, binary), (parameters, outputs, answer))

    def test_no_rows_in_binary(self):
        answer = self.infer(head_bytes=None, inputs=[self.tensor(shape=[0, 3], data=None, parameters={"binary_data_size": 0})])
        self.assertEqual(self.expect(answer, 200)["outputs"][0]["shape"], [0, 2])

    def test_alpha_for_this_request(self):
        path = self.layer("with-seed")
        self.load(path, 1, alpha=0.5)
        model = "/v2/models/with-seed/infer"
        tensor = {"name": "input", "shape": [1, 64], "datatype": "FP32", "data": [0.5] * 64}
        results = {}
        for alpha in (None, 0.5, 0, 1):
            parameters = {"parameters": {"alpha.1": alpha}} if alpha is not None else {}
            answer = self.client.post(model, {"inputs": [tensor], **parameters})
            results[alpha] = self.expect(answer, 200)["outputs"][0]["data"]
            self.assertEqual(answer.header("X-Kasmina-Seeds-Used"), None if alpha == 0 else "1")
            self.assertIsNone(answer.header("X-Kasmina-Rows-Failed"))
            self.assertEqual(answer.header("X-Kasmina-Generation"), str(self.client.get(path).json["generation"]))
        self.assertEqual(results[None], results[0.5])
        self.assertNotEqual(results[0], results[1])
        with self.unchanged(f"{path}/seeds/1"):
            for name, value in (("alpha.0", 0.5), ("alpha.9", 0.5), ("alpha.99", 0.5), ("alpha.1", 1.5), ("alpha.1", -0.1), ("alpha.1", "0.5"), ("alpha.1", None), ("alpha.x", 0.5), ("alpha.", 0.5)):
                self.error(self.client.post(model, {"inputs": [tensor], "parameters": {name: value}}), name, value)

    def test_answers_may_be_packed(self):
        rows = 500
        answer = self.infer(inputs=[self.tensor(shape=[rows, 3], data=[1.0] * 3 * rows)], headers={"Accept-Encoding": "gzip"})
        self.assertEqual(answer.header("Content-Encoding"), "gzip")

    # ---- what is refused

    def error(self, answer, *what):
        self.assertEqual(answer.status, 400, (what, answer))
        self.assertEqual(set(answer.json), {"error"}, what)
        self.assertTrue(answer.json["error"])

    def test_inputs(self):
        with self.unchanged(self.layer_path):
            for change in ({"name": "other"}, {"name": None}, {"name": 5}, {"datatype": "FP64"}, {"datatype": "INT32"}, {"datatype": "fp32"}, {"datatype": None}, {"datatype": 1},
                           {"shape": [2, 4]}, {"shape": [3, 2]}, {"shape": [7, 3]}, {"shape": [-1, 3]}, {"shape": []}, {"shape": None}, {"shape": "x"}, {"shape": [2, 3.5]}, {"shape": [2, "3"]},
                           {"shape": [2**40, 2**40, 3]}, {"shape": [1] * 8 + [3]}, {"data": None}, {"data": [1, 2]}, {"data": "x"}, {"data": [1, 2, 3, 4, 5, None]}, {"data": [1, 2, 3, 4, 5, "6"]},
                           {"data": [[1, 2, 3], [4, 5]]}, {"data": [1e39] * 6}, {"extra": 1}):
                with self.subTest(change=change):
                    self.error(self.infer(inputs=[self.tensor(**change)]), change)
            for inputs in ([], [self.tensor(), self.tensor()], {}, "x", None, [5], [[]]):
                with self.subTest(inputs=inputs):
                    self.error(self.infer(inputs=inputs), inputs)
            self.error(self.infer())

    def test_outputs(self):
        for outputs in ([{"name": "other"}], [{}], [5], {}, [{"name": "output"}, {"name": "output"}], [{"name": "output", "parameters": {"classification": 3}}],
                        [{"name": "output", "parameters": {"binary_data": 1}}], [{"name": "output", "parameters": {"shared_memory_region": "x"}}]):
            with self.subTest(outputs=outputs):
                self.error(self.infer(inputs=[self.tensor()], outputs=outputs), outputs)

    def test_others(self):
        for body in ({"id": 5}, {"parameters": 5}, {"parameters": {"binary_data_output": 1}}, {"parameters": {"binary_data_output": None}}, {"parameters": []}, {"no_such": 1}):
            with self.subTest(body=body):
                self.error(self.infer(inputs=[self.tensor()], **body), body)
        for body in (b"", b"{", b"[]", b"null", b"\xff", b'{"inputs":[{"name":"input","shape":[1,3],"datatype":"FP32","data":[1,2,NaN]}]}', b"{}x",
                     b'{"inputs":[{"name":"input","shape":[1,3],"datatype":"FP32","data":[1,2,3],"data":[1,2,3]}]}',
                     b'{"parameters":{"alpha.1":0,"alpha.1":1},"inputs":[{"name":"input","shape":[1,3],"datatype":"FP32","data":[1,2,3]}]}'):
            with self.subTest(body=body):
                self.error(self.client.post(self.path, body), body)

    def test_binary_sizes(self):
        raw = floats([1, 2, 3, 4, 5, 6])
        with self.unchanged(self.layer_path):
            for size, shape, sent in ((20, [2, 3], raw), (28, [2, 3], raw), (24, [2, 3], raw[:-1]), (24, [2, 3], raw + b"x"), (24, [1, 3], raw), (23, [2, 3], raw[:-1]), (-1, [2, 3], raw),
                                      ("24", [2, 3], raw), (24.5, [2, 3], raw), (2**62, [2, 3], raw), (0, [2, 3], b"")):
                with self.subTest(size=size, shape=shape, sent=len(sent)):
                    self.error(self.infer(sent, inputs=[self.tensor(data=None, shape=shape, parameters={"binary_data_size": size})]), size)
            self.error(self.infer(raw, inputs=[self.tensor(parameters={"binary_data_size": 24})]), "both data and bytes")
            self.error(self.infer(raw, inputs=[self.tensor()]), "bytes that nobody claims")
            self.error(self.infer(inputs=[self.tensor(data=None, parameters={"shared_memory_region": "x", "shared_memory_byte_size": 24})]), "shared memory")

    def test_header_lengths(self):
        raw = floats([1, 2, 3, 4, 5, 6])
        tensor = self.tensor(data=None, parameters={"binary_data_size": 24})
        for length in ("0", "-1", "x", "1e2", "999999999999", "5", "18446744073709551616", ""):
            with self.subTest(length=length):
                self.error(self.infer(raw, head_bytes=length, inputs=[tensor]), length)

    def test_every_cut_of_a_binary_request(self):
        head = json.dumps({"inputs": [self.tensor(data=None, parameters={"binary_data_size": 24})], "parameters": {"binary_data_output": True}}).encode()
        whole = head + floats([1, 2, 3, 4, 5, 6])
        for cut in range(0, len(whole)):
            answer = self.client.post(self.path, whole[:cut], {"Inference-Header-Content-Length": str(len(head))})
            self.error(answer, cut)


if __name__ == "__main__":
    unittest.main()
