#!/usr/bin/env python3
"""POST /v1/layers/{layer}/forward: both forms, every header, every refusal."""
import json
import math
import unittest

from server import OCTETS, ServerTest, floats, read_example, unpack_floats
from test_weights import safetensors

HEADERS = ("X-Kasmina-Queue-Us", "X-Kasmina-Compute-Us", "X-Kasmina-Total-Us", "X-Kasmina-Seeds-Used", "X-Kasmina-Seeds-Failed", "X-Kasmina-Rows-Failed",
           "X-Kasmina-Generation", "X-Kasmina-Epoch", "Server-Timing")


class Forward(ServerTest):
    def small(self):
        """y = [x0 + x1 + x2, x0 − x1] + [0.5, 0]."""
        path = self.layer(None, 3, 2)
        weights = safetensors(weight=("F32", [2, 3], floats([1, 1, 1, 1, -1, 0])), bias=("F32", [2], floats([0.5, 0])))
        self.expect(self.client.put(f"{path}/weights", weights), 200)
        return path

    def post(self, path, body, headers=None, kind=None):
        return self.client.post(f"{path}/forward", body, headers, kind)

    # ---- bytes

    def test_octets(self):
        path = self.small()
        answer = self.expect(self.post(path, floats([1, 2, 3, 4, 5, 6])), 200)
        self.assertEqual((answer.header("Content-Type"), answer.header("X-Kasmina-Shape")), (OCTETS, "2,2"))
        self.assertEqual(unpack_floats(answer.body), [6.5, -1, 15.5, -1])
        for name in HEADERS:
            self.assertIsNotNone(answer.header(name), name)
        self.assertEqual((answer.header("X-Kasmina-Seeds-Used"), answer.header("X-Kasmina-Seeds-Failed"), answer.header("X-Kasmina-Rows-Failed")), ("", "", "0"))
        self.assertEqual(answer.header("X-Kasmina-Generation"), str(self.client.get(path).json["generation"]))

    def test_octets_without_a_content_type(self):
        path = self.small()
        self.client.connection.request("POST", f"{path}/forward", floats([1, 2, 3]))
        response = self.client.connection.getresponse()
        self.assertEqual((response.status, unpack_floats(response.read())), (200, [6.5, -1]))

    def test_shape_header(self):
        path = self.small()
        answer = self.post(path, floats(range(12)), {"X-Kasmina-Shape": "2, 2,3"})
        self.assertEqual((answer.status, answer.header("X-Kasmina-Shape"), len(answer.body)), (200, "2,2,2", 32))
        self.assertEqual(self.post(path, floats([1, 2, 3]), {"X-Kasmina-Shape": "3"}).header("X-Kasmina-Shape"), "2")

    def test_no_rows(self):
        path = self.small()
        answer = self.post(path, b"")
        self.assertEqual((answer.status, answer.body, answer.header("X-Kasmina-Shape")), (200, b"", "0,2"))
        self.assertEqual(self.post(path, b"", {"X-Kasmina-Shape": "5,0,3"}).header("X-Kasmina-Shape"), "5,0,2")

    def test_non_finite_input_is_the_callers(self):
        path = self.layer()
        self.load(path, alpha=0.5)
        answer = self.post(path, floats([math.inf] + [0.0] * 63))
        self.assertEqual((answer.status, answer.header("X-Kasmina-Seeds-Failed")), (200, ""))
        self.assertEqual(self.client.get(f"{path}/seeds/0").json["error_count"], 0)

    def test_large(self):
        path = self.small()
        answer = self.post(path, floats([1.0, 2.0, 3.0]) * 200000)
        self.assertEqual((answer.status, answer.body), (200, floats([6.5, -1]) * 200000))

    # ---- JSON

    def test_json(self):
        path = self.small()
        for body in ({"shape": [2, 3], "data": [1, 2, 3, 4, 5, 6]}, {"shape": [2, 3], "data": [[1, 2, 3], [4, 5, 6]]}, {"data": [[1, 2, 3], [4, 5, 6]]},
                     {"data": [1, 2, 3, 4, 5, 6]}, {"data": [1.0, 2e0, 30e-1, 4, 5, 6], "shape": [2, 3]}):
            with self.subTest(body=body):
                answer = self.post(path, body)
                self.assertEqual(self.expect(answer, 200), {"shape": [2, 2], "data": [6.5, -1, 15.5, -1]})
                self.assertEqual(answer.header("Content-Type"), "application/json")

    def test_json_leading_dimensions(self):
        path = self.small()
        self.assertEqual(self.post(path, {"shape": [2, 1, 3], "data": [1, 2, 3, 4, 5, 6]}).json, {"shape": [2, 1, 2], "data": [6.5, -1, 15.5, -1]})
        self.assertEqual(self.post(path, {"shape": [0, 3], "data": []}).json, {"shape": [0, 2], "data": []})

    def test_json_result_that_is_not_finite(self):
        path = self.small()
        self.assertEqual(self.post(path, {"data": [[3e38, 3e38, 3e38]]}).json["data"], [None, 0])

    def test_accept_chooses_the_form(self):
        path = self.small()
        answer = self.post(path, floats([1, 2, 3]), {"Accept": "application/json"})
        self.assertEqual(answer.json, {"shape": [1, 2], "data": [6.5, -1]})
        answer = self.post(path, {"data": [1, 2, 3]}, {"Accept": OCTETS})
        self.assertEqual((answer.header("Content-Type"), unpack_floats(answer.body)), (OCTETS, [6.5, -1]))
        self.expect_problem(self.post(path, floats([1, 2, 3]), {"Accept": "text/html"}), 406, "not-acceptable", "text/html")

    # ---- seeds

    def test_seeds_used_and_failed(self):
        path = self.layer()
        self.load(path, 0, "digits-good", alpha=0.5)
        self.load(path, 2, "digits-nan", alpha=0.25)
        alone = self.layer("alone")
        self.load(alone, 0, "digits-good", alpha=0.5)
        self.client.put(f"{path}/weights", read_example("base.safetensors"))
        self.client.put(f"{alone}/weights", read_example("base.safetensors"))
        rows = read_example("images.f32")[:64 * 4 * 5]
        answer, expected = self.post(path, rows), self.post(alone, rows)
        self.assertEqual((answer.header("X-Kasmina-Seeds-Used"), answer.header("X-Kasmina-Seeds-Failed"), answer.header("X-Kasmina-Rows-Failed")), ("0", "2", "5"))
        self.assertEqual(answer.body, expected.body)

    def test_alpha_zero_is_not_used(self):
        path = self.layer()
        self.load(path, 1, alpha=0)
        self.assertEqual(self.post(path, floats([0.5] * 64)).header("X-Kasmina-Seeds-Used"), "")

    def test_a_row_has_the_same_bits_in_any_batch(self):
        path = self.layer()
        self.load(path, alpha=0.5)
        rows = read_example("images.f32")[:64 * 4 * 40]
        whole = self.post(path, rows).body
        for row in (0, 17, 39):
            self.assertEqual(self.post(path, rows[row * 256:(row + 1) * 256]).body, whole[row * 40:(row + 1) * 40])

    # ---- refusals

    def test_refused(self):
        path = self.small()
        huge = "999999999999999"
        with self.unchanged(path):
            for body, shape, words in ((floats([1, 2]), None, ("2 values", "3")), (floats([1, 2, 3]) + b"x", None, ("13 bytes",)), (floats([1, 2, 3]), "1,4", ("[1,4]", "3")),
                                       (floats([1, 2, 3]), "2,3", ("[2,3]", "3 values")), (floats([1, 2, 3]), "x", ("X-Kasmina-Shape",)), (floats([1, 2, 3]), "", ("X-Kasmina-Shape",)),
                                       (floats([1, 2, 3]), "-1,3", ("X-Kasmina-Shape",)), (floats([1, 2, 3]), "1,1,1,1,1,1,1,1,3", ("X-Kasmina-Shape",)),
                                       (floats([1, 2, 3]), f"{huge},{huge},3", ("3 values",)), (b"", f"{huge},{huge},0", (huge,))):
                with self.subTest(shape=shape, size=len(body)):
                    self.expect_problem(self.post(path, body, {"X-Kasmina-Shape": shape} if shape is not None else None), 422, "invalid-value", *words)

    def test_refused_json(self):
        path = self.small()
        cases = [({"data": [1, 2]}, 422, "invalid-value"), ({"shape": [1, 3]}, 422, "invalid-value"), ({"shape": [2, 3], "data": [1, 2, 3]}, 422, "invalid-value"),
                 ({"shape": [1, 4], "data": [1, 2, 3, 4]}, 422, "invalid-value"), ({"shape": "x", "data": [1, 2, 3]}, 422, "invalid-value"),
                 ({"shape": [1.5, 3], "data": [1, 2, 3]}, 422, "invalid-value"), ({"shape": [], "data": [1, 2, 3]}, 422, "invalid-value"),
                 ({"data": "x"}, 422, "invalid-value"), ({"data": [1, 2, None]}, 422, "invalid-value"), ({"data": [1, 2, "3"]}, 422, "invalid-value"),
                 ({"data": [[1, 2, 3], [4, 5]]}, 422, "invalid-value"), ({"data": [[1, 2, 3], 4]}, 422, "invalid-value"), ({"data": [1, 2, 3], "x": 1}, 422, "unknown-member"),
                 (b'{"data": [1, 2, NaN]}', 400, "malformed"), (b'{"data": [1, 2, 3]', 400, "malformed"), (b"[1,2,3]", 400, "malformed"), (b"", 400, "malformed"),
                 (b'{"data": [1, 2, 1e39]}', 422, "invalid-value"), (b'{"data":[1,2,3],"data":[1,2,3]}', 400, "malformed"), (b'{"data":[1,2,03]}', 400, "malformed"),
                 (b"{\"data\":[1,2,3]}\xff", 400, "malformed"), (b"[" * 100000, 400, "malformed")]
        with self.unchanged(path):
            for body, status, name in cases:
                with self.subTest(body=str(body)[:50]):
                    self.expect_problem(self.post(path, body, kind="application/json"), status, name)

    def test_refused_kinds_and_paths(self):
        path = self.small()
        self.expect_problem(self.post(path, b"1,2,3", kind="text/csv"), 415, "unsupported-media-type", "text/csv", OCTETS, "application/json")
        self.expect_problem(self.post("/v1/layers/nobody", floats([1, 2, 3])), 404, "not-found", "nobody")
        self.expect_problem(self.client.get(f"{path}/forward"), 405, "method-not-allowed")

    def test_raw_values_without_their_content_type(self):
        self.expect_problem(self.post(self.small(), floats([1, 2, 3]), kind="application/x-www-form-urlencoded"), 400, "malformed", OCTETS)

    def test_an_answer_beyond_the_limit(self):
        path = self.layer(None, 1, 65536)
        problem = self.expect_problem(self.post(path, floats([1.0]) * 100000), 413, "too-large", "65536")
        self.assertIn("100000", problem["detail"])

    def test_out_of_service(self):
        path = self.small()
        name = path.rsplit("/", 1)[1]
        self.expect(self.client.post(f"/v2/repository/models/{name}/unload", {}), 200)
        self.assertEqual(self.client.get(path).json["state"], "unloaded")
        answer = self.post(path, floats([1, 2, 3]))
        self.expect_problem(answer, 503, "unavailable", name)
        self.assertTrue(answer.header("Retry-After"))
        self.expect(self.client.post(f"/v2/repository/models/{name}/load", {}), 200)
        self.expect(self.post(path, floats([1, 2, 3])), 200)


if __name__ == "__main__":
    unittest.main()
