"""Kernels of the shared data that load and fail at run time: the base answers their rows, bit for bit."""
import json
import os
import shutil
import struct
import tempfile
import unittest

from server import Client, Server

SHARED = os.environ.get("KASMINA_SHARED", "")
DATA = os.path.join(SHARED, "data")
BATCHES = (1, 7, 32, 128)


def entries():
    with open(os.path.join(DATA, "manifest.json"), encoding="utf-8") as file:
        return [entry for entry in json.load(file) if entry["expect"] == "load_fail_run" and entry["format"] == "onnx"]


@unittest.skipUnless(os.path.exists(os.path.join(DATA, "manifest.json")), "no shared data (KASMINA_SHARED)")
class RunFailures(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.entries = entries()
        cls.folder = tempfile.mkdtemp(prefix="kasmina-failing-")
        for entry in cls.entries:
            shutil.copy(os.path.join(DATA, entry["path"]), os.path.join(cls.folder, cls.artifact_of(entry) + ".onnx"))
        cls.server = Server("--device", os.environ.get("KASMINA_TEST_DEVICE", "host:0"), artifact_dir=cls.folder)
        cls.client = Client(cls.server.port)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.server.stop()
        shutil.rmtree(cls.folder)

    @staticmethod
    def artifact_of(entry):
        return os.path.basename(entry["path"]).removesuffix(".onnx")

    def rows_of(self, layer, x, width):
        answer = self.client.post(f"/v1/layers/{layer}/forward", x)
        self.assertEqual(answer.status, 200, answer)
        return [answer.body[at:at + 4 * width] for at in range(0, len(answer.body), 4 * width)], answer

    def load(self, layer, entry):
        """Into seed 0, whatever its failures have come to."""
        answer = self.client.post(f"/v1/layers/{layer}/seeds/0/reset", {})
        self.assertEqual(answer.status, 200, answer)
        self.assertIn(self.client.delete(f"/v1/quarantine/{entry['sha256']}").status, (204, 404))
        answer = self.client.post(f"/v1/layers/{layer}/seeds/0/load?wait=20",
                                  {"artifact_id": self.artifact_of(entry), "alpha": 0.5})
        self.assertEqual(answer.status, 200, answer)

    def check(self, entry):
        layer = self.artifact_of(entry)
        (inputs,), (outputs,), failure = entry["input_shape"], entry["output_shape"], entry["run_failure"]
        created = self.client.post("/v1/layers", {"name": layer, "input_size": inputs, "output_size": outputs})
        self.assertEqual(created.status, 201, created)
        with open(os.path.join(DATA, failure["input"]), "rb") as file:
            x = file.read(128 * inputs * 4)
        base, _ = self.rows_of(layer, x, outputs)
        self.load(layer, entry)
        mixed, answer = self.rows_of(layer, x, outputs)
        self.assertEqual(answer.header("X-Kasmina-Seeds-Failed"), "0")
        left_out = [row for row in range(128) if mixed[row] == base[row]]
        self.assertEqual(len(left_out), failure["nonfinite_rows"])
        for row in mixed:
            self.assertTrue(all(abs(value) < 3.4e38 for value in struct.unpack(f"<{outputs}f", row)))
        for rows in BATCHES:
            self.load(layer, entry)
            some, _ = self.rows_of(layer, x[:rows * inputs * 4], outputs)
            self.assertEqual(some, mixed[:rows], f"{rows} rows")
        self.assertEqual(self.client.delete(f"/v1/layers/{layer}?force=true").status, 204)

    def test_the_base_answers(self):
        self.assertGreaterEqual(len(self.entries), 5)
        for entry in self.entries:
            with self.subTest(entry["path"]):
                self.check(entry)


if __name__ == "__main__":
    unittest.main()
