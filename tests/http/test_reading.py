#!/usr/bin/env python3
"""Everything that is only read: the root, devices, statistics, health, errors, recovery, breakers, problem pages."""
import unittest

from server import PROBLEM, ServerTest, floats

PROBLEMS = ("malformed", "invalid-value", "unknown-member", "not-found", "method-not-allowed", "not-acceptable", "unsupported-media-type", "conflict", "illegal-transition",
            "precondition-failed", "too-large", "incompatible-kernel", "invalid-artifact", "unauthorized", "forbidden", "rate-limited", "unavailable", "no-room", "deadline",
            "internal")
CACHE = {"entries", "total_size_mb", "max_size_mb", "max_entries", "hits", "misses", "evictions", "hit_rate", "cache_keys", "metadata_cache_size", "compatibility_checks",
         "compatibility_failures", "compatibility_rate", "total_estimated_memory_mb", "average_kernel_parameters", "tiers"}
RECOVERY = {"total_recoveries", "recent_recoveries", "recovery_success_rate", "active_recoveries", "error_stats"}
ERRORS = {"total_errors", "error_counts", "error_rate_5min", "problematic_kernels", "problematic_components"}


class Reading(ServerTest):
    def test_root(self):
        root = self.expect(self.client.get("/v1"), 200)
        self.assertLessEqual({"name", "version", "build", "backends", "devices", "uptime_s"}, set(root))
        self.assertEqual(root["name"], "kasmina")
        self.assertIn("host:0", str(root["devices"]))

    def test_devices(self):
        devices = self.expect(self.client.get("/v1/devices"), 200)["devices"]
        host = next(device for device in devices if device["id"] == "host:0")
        self.assertLessEqual({"id", "kind", "api", "name", "state", "memory_total_bytes", "memory_used_bytes", "memory_free_bytes", "layers", "limits", "features"}, set(host))
        self.assertEqual((host["kind"], host["api"], host["state"]), ("cpu", "host", "ready"))
        layers = host["layers"]
        self.layer(None, 3, 2)
        self.assertEqual(self.expect(self.client.get("/v1/devices/host:0"), 200)["layers"], layers + 1)
        self.expect(self.client.get("/v1/devices/host%3A0"), 200)
        self.expect_problem(self.client.get("/v1/devices/host:9"), 404, "not-found", "host:9")

    def test_layer_stats(self):
        path = self.layer()
        self.load(path, 0, alpha=0.5)
        for _ in range(4):
            self.client.post(f"{path}/forward", floats([0.5] * 128))
        stats = self.wait_for(f"{path}/stats", lambda json: json["total_kernel_executions"] == 4).json
        self.assertEqual(set(stats), {"layer_name", "total_forward_calls", "total_kernel_executions", "kernel_execution_ratio", "telemetry_enabled", "state_stats",
                                      "execution_stats", "latency_us", "cache_stats", "error_recovery_stats"})
        self.assertEqual((stats["layer_name"], stats["total_forward_calls"], stats["kernel_execution_ratio"]), (path.rsplit("/", 1)[1], 4, 1.0))
        self.assertEqual({key: stats["state_stats"][key] for key in ("num_seeds", "dormant_seeds", "active_seeds", "loading_seeds", "error_recovery_seeds", "fossilized_seeds")},
                         {"num_seeds": 4, "dormant_seeds": 3, "active_seeds": 1, "loading_seeds": 0, "error_recovery_seeds": 0, "fossilized_seeds": 0})
        self.assertEqual({key: stats["execution_stats"][key] for key in ("total_executions", "successful_executions", "failed_executions", "success_rate")},
                         {"total_executions": 4, "successful_executions": 4, "failed_executions": 0, "success_rate": 1.0})
        self.assertEqual(set(stats["latency_us"]), {"count", "mean", "p50", "p90", "p99", "max"})
        self.assertEqual(stats["latency_us"]["count"], 4)
        self.assertEqual((set(stats["cache_stats"]), set(stats["error_recovery_stats"])), (CACHE, RECOVERY))
        self.assertEqual(set(stats["error_recovery_stats"]["error_stats"]), ERRORS)
        self.expect_problem(self.client.get("/v1/layers/nobody/stats"), 404, "not-found", "nobody")

    def test_stats(self):
        stats = self.expect(self.client.get("/v1/stats"), 200)
        self.assertEqual(set(stats), {"engine", "cache_stats", "error_recovery_stats", "http", "bus"})
        self.assertEqual(set(stats["cache_stats"]), CACHE)
        self.assertGreaterEqual(stats["http"]["requests"], 1)
        again = self.client.get("/v1/stats").json
        self.assertGreater(again["http"]["answers"]["2xx"], stats["http"]["answers"]["2xx"])

    def test_health(self):
        health = self.expect(self.client.get("/v1/health"), 200)
        self.assertEqual(set(health), {"status", "ready", "degraded", "uptime_s"})
        self.assertEqual((health["status"], health["ready"], health["degraded"]), ("ok", True, []))
        for probe in ("live", "ready"):
            answer = self.client.get(f"/v1/health/{probe}")
            self.assertIn("status", self.expect(answer, 200))
            self.assertEqual(answer.header("Content-Type"), "application/json")

    def test_errors(self):
        self.assertEqual(set(self.expect(self.client.get("/v1/errors"), 200)), {"errors", "error_rate_5min"})
        path = self.layer()
        self.client.post(f"{path}/seeds/2/load?wait=20", {"artifact_id": "not-there"})
        errors = self.client.get("/v1/errors?limit=1").json["errors"]
        self.assertEqual([set(error) for error in errors], [{"at", "error_type", "component", "layer", "seed", "artifact_id", "detail", "trace_id"}])
        self.assertEqual((errors[0]["layer"], errors[0]["seed"], errors[0]["artifact_id"]), (path.rsplit("/", 1)[1], 2, "not-there"))
        for limit in ("0", "-1", "x", "1001", "", "1.5"):
            self.expect_problem(self.client.get(f"/v1/errors?limit={limit}"), 422, "invalid-value", "limit")

    def test_recovery(self):
        recovery = self.expect(self.client.get("/v1/recovery"), 200)
        self.assertEqual((set(recovery), set(recovery["error_stats"])), (RECOVERY, ERRORS))

    def test_breakers(self):
        self.assertIsInstance(self.expect(self.client.get("/v1/breakers"), 200)["breakers"], list)
        self.expect_problem(self.client.post("/v1/breakers/nothing/reset"), 404, "not-found", "nothing")

    def test_problem_pages(self):
        for name in PROBLEMS:
            page = self.client.get(f"/problems/{name}", {"Accept": "text/html"})
            self.assertEqual((page.status, page.header("Content-Type")), (200, "text/html; charset=utf-8"), name)
            self.assertIn(b"What to do", page.body)
            plain = self.client.get(f"/problems/{name}", {"Accept": "text/plain"})
            self.assertEqual(plain.header("Content-Type"), "text/plain; charset=utf-8")
            self.assertTrue(plain.body.decode().startswith(name))
        self.expect_problem(self.client.get("/problems/no-such-thing"), 404, "not-found", "no-such-thing")

    def test_the_type_of_a_problem_leads_to_its_page(self):
        self.assertEqual(self.client.get(self.client.get("/v1/nothing").json["type"]).status, 200)

    def test_ids_of_requests(self):
        self.assertEqual(self.client.get("/v1", {"X-Request-Id": "mine-1.2_3"}).header("X-Request-Id"), "mine-1.2_3")
        for bad in ("two words", "x" * 65, "ä"):
            self.assertNotEqual(self.client.get("/v1", {"X-Request-Id": bad.encode("latin-1")}).header("X-Request-Id"), bad)
        ids = {self.client.get("/v1").header("X-Request-Id") for _ in range(10)}
        self.assertEqual(len(ids), 10)

    def test_traceparent(self):
        trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        answer = self.client.get("/v1/nothing", {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
        self.assertEqual((answer.header("Content-Type"), answer.json["trace_id"]), (PROBLEM, trace))
        for bad in (f"00-{trace}-0000000000000000-01", "00-" + "0" * 32 + "-00f067aa0ba902b7-01", "nonsense", f"ff-{trace}-00f067aa0ba902b7-01", f"00-{trace.upper()}-00f067aa0ba902b7-01"):
            self.assertNotEqual(self.client.get("/v1/nothing", {"traceparent": bad}).json["trace_id"], trace)


if __name__ == "__main__":
    unittest.main()
