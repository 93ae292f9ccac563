#!/usr/bin/env python3
"""/v2 but for infer: server and model metadata, health, config, statistics, repository; as public clients ask for them."""
import time
import unittest

from server import ServerTest, floats


class Protocol(ServerTest):
    def error(self, answer, status, *words):
        self.assertEqual(answer.status, status, answer)
        self.assertEqual(set(answer.json), {"error"})
        for word in words:
            self.assertIn(str(word), answer.json["error"])

    def test_server(self):
        server = self.expect(self.client.get("/v2"), 200)
        self.assertEqual((server["name"], set(server)), ("kasmina", {"name", "version", "extensions"}))
        self.assertLessEqual({"binary_tensor_data", "model_repository", "statistics"}, set(server["extensions"]))
        for probe in ("live", "ready"):
            answer = self.client.get(f"/v2/health/{probe}")
            self.assertEqual((answer.status, answer.body), (200, b""))

    def test_model(self):
        name = self.layer(None, 3, 2).rsplit("/", 1)[1]
        for path in (f"/v2/models/{name}", f"/v2/models/{name}/versions/1"):
            self.assertEqual(self.expect(self.client.get(path), 200),
                             {"name": name, "versions": ["1"], "platform": "kasmina", "inputs": [{"name": "input", "datatype": "FP32", "shape": [-1, 3]}],
                              "outputs": [{"name": "output", "datatype": "FP32", "shape": [-1, 2]}]})
            answer = self.client.get(f"{path}/ready")
            self.assertEqual((answer.status, answer.body), (200, b""))
            config = self.expect(self.client.get(f"{path}/config"), 200)
            self.assertEqual((config["name"], config["max_batch_size"], config["input"]), (name, 0, [{"name": "input", "data_type": "TYPE_FP32", "dims": [-1, 3]}]))

    def test_unknown_models(self):
        name = self.layer(None, 3, 2).rsplit("/", 1)[1]
        for model in ("nobody", f"{name}/versions/2", f"{name}/versions/x", "a%20b"):
            for tail in ("", "/ready", "/config", "/stats"):
                with self.subTest(model=model, tail=tail):
                    self.error(self.client.get(f"/v2/models/{model}{tail}"), 404, "unknown model")
            self.error(self.client.post(f"/v2/models/{model}/infer", {}), 404, "unknown model")

    def test_statistics(self):
        path = self.layer(None, 3, 2)
        name = path.rsplit("/", 1)[1]
        self.assertEqual(self.expect(self.client.get(f"/v2/models/{name}/stats"), 200)["model_stats"][0]["last_inference"], 0)
        begun_ms = time.time_ns() // 1_000_000
        for rows in (1, 4):
            body = {"inputs": [{"name": "input", "datatype": "FP32", "shape": [rows, 3], "data": [1.0] * 3 * rows}]}
            self.expect(self.client.post(f"/v2/models/{name}/infer", body), 200)
        ended_ms = time.time_ns() // 1_000_000
        self.expect(self.client.post(f"/v2/repository/models/{name}/unload", {}), 200)
        self.client.post(f"/v2/models/{name}/infer", body)  # refused: counted as failed, and nowhere else
        stats = self.expect(self.client.get(f"/v2/models/{name}/stats"), 200)["model_stats"]
        self.assertEqual([(one["name"], one["version"], one["inference_count"], one["inference_stats"]["success"]["count"]) for one in stats], [(name, "1", 5, 2)])
        self.assertLessEqual({"success", "fail", "queue", "compute_input", "compute_infer", "compute_output"}, set(stats[0]["inference_stats"]))
        self.assertEqual(stats[0]["execution_count"], 2)
        self.assertTrue(begun_ms - 1 <= stats[0]["last_inference"] <= ended_ms + 1, (begun_ms, stats[0]["last_inference"], ended_ms))
        durations = {name: stats[0]["inference_stats"][name]["ns"] for name in ("success", "queue", "compute_infer")}
        self.assertGreater(durations["compute_infer"], 0)
        self.assertAlmostEqual(durations["success"], durations["queue"] + durations["compute_infer"], delta=2)
        self.assertIn(name, [one["name"] for one in self.expect(self.client.get("/v2/models/stats"), 200)["model_stats"]])

    def test_repository(self):
        path = self.layer(None, 3, 2)
        name = path.rsplit("/", 1)[1]

        def state(body=None):
            index = self.expect(self.client.post("/v2/repository/index", body), 200)
            return {one["name"]: (one["version"], one["state"]) for one in index}.get(name)

        self.assertEqual(state(), ("1", "READY"))
        answer = self.client.post(f"/v2/repository/models/{name}/unload", {"parameters": {"unload_dependents": False}})
        self.assertEqual((answer.status, answer.body), (200, b""))
        self.assertEqual((state(), state({"ready": True}), state({"ready": False})), (("1", "UNAVAILABLE"), None, ("1", "UNAVAILABLE")))
        self.assertEqual(self.client.get(f"/v2/models/{name}/ready").status, 400)
        body = {"inputs": [{"name": "input", "datatype": "FP32", "shape": [1, 3], "data": [1, 2, 3]}]}
        self.error(self.client.post(f"/v2/models/{name}/infer", body), 503, name)
        self.assertEqual(self.client.post(f"{path}/seeds/0/reset", {}).status, 200)
        self.assertEqual(self.client.post(f"/v2/repository/models/{name}/load", {}).status, 200)
        self.assertEqual(self.client.post(f"/v2/repository/models/{name}/load").status, 200)
        self.expect(self.client.post(f"/v2/models/{name}/infer", body), 200)

    def test_repository_refusals(self):
        for change in ("load", "unload"):
            self.error(self.client.post(f"/v2/repository/models/nobody/{change}", {}), 400, "nobody")
            self.error(self.client.post(f"/v2/repository/models/a%20b/{change}", {}), 400)
        self.error(self.client.post("/v2/repository/index", {"ready": 1}), 400, "ready")
        self.error(self.client.post("/v2/repository/index", b"{", kind="application/json"), 400)

    def test_wrong_methods_and_paths(self):
        name = self.layer(None, 3, 2).rsplit("/", 1)[1]
        for method, path in (("POST", "/v2"), ("DELETE", f"/v2/models/{name}"), ("GET", f"/v2/models/{name}/infer"), ("GET", "/v2/repository/index")):
            answer = self.client.send(method, path)
            self.error(answer, 405)
            self.assertTrue(answer.header("Allow"))
        for path in ("/v2/", "/v2/nothing", f"/v2/models/{name}/nothing", "/v2/models"):
            self.error(self.client.get(path), 404)

    def test_extensions_that_are_off(self):
        for method, path in (("GET", "/v2/systemsharedmemory/status"), ("GET", "/v2/cudasharedmemory/status"), ("GET", "/v2/trace/setting"), ("POST", "/v2/trace/setting"),
                             ("GET", "/v2/logging"), ("POST", "/v2/logging"), ("POST", "/v2/systemsharedmemory/region/x/register"), ("POST", "/v2/systemsharedmemory/unregister"),
                             ("GET", "/v2/cudasharedmemory/region/x/status"), ("GET", "/v2/models/x/trace/setting")):
            with self.subTest(path=path):
                answer = self.client.send(method, path, {} if method == "POST" else None)
                self.error(answer, 501 if answer.status == 501 else 404)


class Passes(ServerTest):
    def test_both_ways_give_the_same_bits(self):
        path = self.layer()
        self.load(path, alpha=0.5)
        rows = floats([0.01 * number for number in range(128)])
        head = b'{"inputs":[{"name":"input","datatype":"FP32","shape":[2,64],"parameters":{"binary_data_size":512}}],"parameters":{"binary_data_output":true}}'
        answer = self.client.post(f"/v2/models/{path.rsplit('/', 1)[1]}/infer", head + rows, {"Inference-Header-Content-Length": str(len(head))})
        self.assertEqual(answer.body[int(answer.header("Inference-Header-Content-Length")):], self.client.post(f"{path}/forward", rows).body)


if __name__ == "__main__":
    unittest.main()
