#!/usr/bin/env python3
"""Triton's own Python client against the server, sync and asyncio. Opt-in: `./dev triton` installs it into build/peers."""
import asyncio
import sys
import unittest

import numpy
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from tritonclient.utils import InferenceServerException

from server import ServerTest, floats
from test_weights import safetensors

ROWS = numpy.arange(6, dtype=numpy.float32).reshape(2, 3)
EXPECTED = numpy.array([[3, -1], [12, -1]], dtype=numpy.float32)


def make_input(module, rows=ROWS, binary=True, name="input", datatype="FP32", shape=None):
    tensor = module.InferInput(name, shape or list(rows.shape), datatype)
    tensor.set_data_from_numpy(rows, binary_data=binary)
    return tensor


class TritonTest(ServerTest):
    """y = [x0 + x1 + x2, x0 − x1], as the model "plain"."""

    def setUp(self):
        super().setUp()
        path = self.layer("plain", 3, 2)
        self.expect(self.client.put(f"{path}/weights", safetensors(weight=("F32", [2, 3], floats([1, 1, 1, 1, -1, 0])))), 200)
        self.address = f"127.0.0.1:{self.server.port}"


class Sync(TritonTest):
    def setUp(self):
        super().setUp()
        self.triton = triton.InferenceServerClient(self.address, concurrency=4)
        self.addCleanup(self.triton.close)

    def refused(self, call, *words):
        with self.assertRaises(InferenceServerException) as caught:
            call()
        for word in words:
            self.assertIn(word, str(caught.exception))

    def test_server_and_model(self):
        self.assertTrue(self.triton.is_server_live() and self.triton.is_server_ready() and self.triton.is_model_ready("plain") and self.triton.is_model_ready("plain", "1"))
        self.assertFalse(self.triton.is_model_ready("nobody"))
        self.assertEqual(self.triton.get_server_metadata()["name"], "kasmina")
        self.assertEqual(self.triton.get_model_metadata("plain", "1")["inputs"][0]["shape"], [-1, 3])
        self.assertEqual(self.triton.get_model_config("plain")["max_batch_size"], 0)
        self.refused(lambda: self.triton.get_model_metadata("nobody"), "unknown model")

    def test_infer(self):
        for binary_in in (True, False):
            for output in (None, True, False):
                outputs = None if output is None else [triton.InferRequestedOutput("output", binary_data=output)]
                result = self.triton.infer("plain", [make_input(triton, binary=binary_in)], outputs=outputs, request_id="7")
                numpy.testing.assert_array_equal(result.as_numpy("output"), EXPECTED)
                self.assertEqual(result.get_response()["id"], "7")

    def test_compression(self):
        rows = numpy.tile(ROWS, (500, 1))
        for request, response in (("gzip", None), (None, "gzip"), ("gzip", "gzip")):
            result = self.triton.infer("plain", [make_input(triton, rows)], request_compression_algorithm=request, response_compression_algorithm=response)
            numpy.testing.assert_array_equal(result.as_numpy("output"), numpy.tile(EXPECTED, (500, 1)))

    def test_async_infer(self):
        calls = [self.triton.async_infer("plain", [make_input(triton)]) for _ in range(50)]
        for call in calls:
            numpy.testing.assert_array_equal(call.get_result().as_numpy("output"), EXPECTED)

    def test_body_by_hand(self):
        body, length = triton.InferenceServerClient.generate_request_body([make_input(triton)])
        answer = self.client.post("/v2/models/plain/infer", body, {"Inference-Header-Content-Length": str(length)})
        result = triton.InferenceServerClient.parse_response_body(answer.body, header_length=int(answer.header("Inference-Header-Content-Length")))
        numpy.testing.assert_array_equal(result.as_numpy("output"), EXPECTED)

    def test_repository_and_statistics(self):
        self.assertEqual([one["state"] for one in self.triton.get_model_repository_index() if one["name"] == "plain"], ["READY"])
        self.triton.unload_model("plain")
        self.assertFalse(self.triton.is_model_ready("plain"))
        self.refused(lambda: self.triton.infer("plain", [make_input(triton)]), "plain")
        self.triton.load_model("plain")
        self.triton.infer("plain", [make_input(triton)])
        self.assertEqual(self.triton.get_inference_statistics("plain")["model_stats"][0]["name"], "plain")
        self.refused(lambda: self.triton.load_model("nobody"), "nobody")

    def test_malformed(self):
        double = ROWS.astype(numpy.float64)
        for bad in ([make_input(triton, name="other")], [make_input(triton, double, datatype="FP64")], [make_input(triton, ROWS.reshape(3, 2))], [],
                    [make_input(triton), make_input(triton)]):
            self.refused(lambda: self.triton.infer("plain", bad))
        self.refused(lambda: self.triton.infer("plain", [make_input(triton)], outputs=[triton.InferRequestedOutput("other")]), "other")
        self.refused(lambda: self.triton.infer("plain", [make_input(triton)], outputs=[triton.InferRequestedOutput("output", class_count=2)]), "classification")
        self.refused(lambda: self.triton.infer("nobody", [make_input(triton)]), "unknown model")
        short = make_input(triton)
        short._raw_data = short._raw_data[:-4]
        self.refused(lambda: self.triton.infer("plain", [short]))

    def test_extensions_that_are_off(self):
        for call in (self.triton.get_system_shared_memory_status, self.triton.get_cuda_shared_memory_status, self.triton.get_log_settings, self.triton.get_trace_settings):
            self.refused(call)


class Asyncio(TritonTest):
    def test_everything(self):
        async def work():
            async with triton_aio.InferenceServerClient(self.address) as client:
                self.assertTrue(await client.is_server_live() and await client.is_server_ready() and await client.is_model_ready("plain"))
                self.assertEqual((await client.get_model_metadata("plain"))["name"], "plain")
                results = await asyncio.gather(*(client.infer("plain", [make_input(triton_aio, binary=bool(number % 2))]) for number in range(40)))
                for result in results:
                    numpy.testing.assert_array_equal(result.as_numpy("output"), EXPECTED)
                with self.assertRaises(InferenceServerException):
                    await client.infer("plain", [make_input(triton_aio, name="other")])
                await client.unload_model("plain")
                self.assertFalse(await client.is_model_ready("plain"))
                await client.load_model("plain")
                await client.infer("plain", [make_input(triton_aio)], request_compression_algorithm="gzip", response_compression_algorithm="gzip")

        asyncio.run(work())


if __name__ == "__main__":
    sys.exit(unittest.main())
