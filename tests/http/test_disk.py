#!/usr/bin/env python3
"""Uploads on a disk that misbehaves: what is answered, what stays behind, and what the health says until it is mended. A folder in a file's place stands in for a
disk that refuses, since nobody may write a file there or remove it, root neither."""
import contextlib
import hashlib
import os
import resource
import shutil
import tempfile
import unittest

import artifacts
from server import Client, Server


class DiskTest(unittest.TestCase):
    def setUp(self):
        self.data = tempfile.mkdtemp(prefix="kasmina-test-")
        self.addCleanup(shutil.rmtree, self.data)
        self.server = None
        self.addCleanup(self.stop)

    def start(self, limits=None):
        self.stop()
        self.server = Server("--data-dir", self.data, limits=limits)
        self.client = Client(self.server.port)

    def stop(self):
        if self.server:
            self.client.close()
            self.server.stop()
            self.server = None

    def path(self, kind, name):
        return os.path.join(self.data, "artifacts", kind, hashlib.sha256(name if isinstance(name, bytes) else name.encode()).hexdigest())

    def blobs(self):
        return len(os.listdir(os.path.join(self.data, "artifacts", "blobs")))

    @contextlib.contextmanager
    def without_records(self):
        """Nothing can be written to their folder."""
        folder = os.path.dirname(self.path("records", ""))
        os.rename(folder, folder + "-aside")
        yield
        os.rename(folder + "-aside", folder)

    def put(self, name, data, status=201):
        answer = self.client.put(f"/v1/kernels/{name}", data)
        self.assertEqual(answer.status, status, answer)
        return answer

    def load(self, name):
        self.client.post("/v1/layers", {"name": "layer", "input_size": 64, "output_size": 10})
        return self.client.post("/v1/layers/layer/seeds/0/load?wait=20", {"artifact_id": name})

    def disk_reasons(self):
        return [item["reason"] for item in self.client.get("/v1/health").json["degraded"] if item["component"] == "disk"]


class Refusing(DiskTest):
    def test_bytes_whose_record_is_not_written_do_not_stay(self):
        self.start()
        with self.without_records():
            self.put("k", artifacts.linear(), 500)
        self.assertEqual(self.blobs(), 0)
        self.put("k", artifacts.linear())
        self.assertEqual(self.blobs(), 1)

    def test_bytes_that_others_need_stay(self):
        self.start()
        self.put("k", artifacts.linear())
        with self.without_records():
            self.put("same", artifacts.linear(), 500)
        self.start()
        self.assertEqual(self.load("k").status, 200)

    def test_a_file_beyond_the_limit_is_refused_and_ends_nothing(self):
        self.start()
        resource.prlimit(self.server.process.pid, resource.RLIMIT_FSIZE, (4096, 4096))
        self.assertIn("File too large", self.put("k", artifacts.bulky(1, 100), 507).json["detail"])
        self.assertEqual(self.blobs(), 0)
        self.put("small", artifacts.linear())

    def test_an_id_whose_upload_failed_is_free(self):
        self.start()
        before = resource.prlimit(self.server.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self.server.process.pid, resource.RLIMIT_FSIZE, (4096, before[1]))
        self.put("k", artifacts.bulky(1, 100), 507)
        self.assertEqual(self.client.get("/v1/kernels/k").status, 404)
        resource.prlimit(self.server.process.pid, resource.RLIMIT_FSIZE, before)
        self.put("k", artifacts.linear())
        with self.without_records():
            self.put("l", artifacts.linear(scale=2), 500)
        self.put("l", artifacts.linear())
        self.assertEqual(self.load("l").status, 200)
        self.put("l", artifacts.linear(scale=2), 409)
        self.assertEqual(self.blobs(), 1)

    def test_what_cannot_be_removed_is_still_there(self):
        self.start()
        self.put("k", artifacts.linear())
        record = self.path("records", "k")
        os.rename(record, record + "-aside")
        os.mkdir(record)
        self.assertEqual(self.client.delete("/v1/kernels/k").status, 500)
        self.assertEqual(self.client.get("/v1/kernels/k").status, 200)
        self.assertEqual(self.load("k").status, 200)
        self.client.delete("/v1/layers/layer")
        os.rmdir(record)
        os.rename(record + "-aside", record)
        self.assertEqual(self.client.delete("/v1/kernels/k").status, 204)
        self.assertEqual(self.blobs(), 0)
        self.start()
        self.assertEqual(self.client.get("/v1/kernels/k").status, 404)


class Restarting(DiskTest):
    def test_a_disk_without_room_keeps_nobody_from_starting(self):
        self.start()
        self.put("k", artifacts.linear())
        self.start(limits={resource.RLIMIT_FSIZE: (0, 0)})
        self.assertEqual(self.load("k").status, 200)

    def test_bytes_without_a_record_are_removed(self):
        self.start()
        self.put("k", artifacts.linear())
        self.put("other", artifacts.linear(scale=0.5))
        self.stop()
        os.unlink(self.path("records", "other"))
        self.start()
        self.assertEqual(self.blobs(), 1)
        self.assertEqual(self.load("k").status, 200)

    def test_they_stay_where_a_record_is_damaged(self):
        self.start()
        self.put("k", artifacts.linear())
        self.stop()
        os.truncate(self.path("records", "k"), 40)
        self.start()
        self.assertEqual(self.blobs(), 1)

    def test_bytes_that_are_gone_are_told_of_at_once(self):
        self.start()
        self.put("k", artifacts.linear())
        self.stop()
        os.unlink(self.path("blobs", artifacts.linear()))
        self.start()
        self.server.wait_for_log("artifact k: ")
        self.assertEqual(len(self.disk_reasons()), 1)
        answer = self.load("k")
        self.assertEqual(answer.status, 404)
        self.assertIn("upload the artifact again", answer.json["detail"])

    def test_bytes_that_go_later_are_told_of(self):
        self.start()
        self.put("k", artifacts.linear())
        self.start()
        os.unlink(self.path("blobs", artifacts.linear()))
        self.assertIn("upload the artifact again", self.load("k").json["detail"])
        self.assertEqual(len(self.disk_reasons()), 1)

    def test_uploading_again_mends_what_was_damaged(self):
        kernels = {name: artifacts.linear(scale=scale) for name, scale in (("record", 0.1), ("bytes", 0.2), ("gone", 0.3))}
        self.start()
        for name, data in kernels.items():
            self.put(name, data)
        self.stop()
        os.truncate(self.path("records", "record"), 40)
        os.truncate(self.path("blobs", kernels["bytes"]), 40)
        os.unlink(self.path("blobs", kernels["gone"]))
        self.start()
        self.assertEqual(self.load("bytes").status, 422)
        self.assertIn("3 files", self.disk_reasons()[0])
        for name, data in kernels.items():
            self.put(name, data, 201 if name == "record" else 200)
            self.assertEqual(self.load(name).status, 200)
        self.assertEqual(self.disk_reasons(), [])


if __name__ == "__main__":
    unittest.main()
