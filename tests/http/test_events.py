#!/usr/bin/env python3
"""GET /v1/events: server-sent events, and taking them up again."""
import json
import socket
import unittest

from server import Raw, Server, ServerTest, floats


class Stream:
    """A client of server-sent events that reads chunk by chunk."""

    def __init__(self, server, last=None, headers=""):
        self.raw = Raw(server)
        self.raw.send(f"GET /v1/events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n{headers}" + (f"Last-Event-ID: {last}\r\n" if last is not None else "") + "\r\n")
        self.status, self.headers = self.raw.head()
        self.text = b""
        if self.status == 200:
            self.line()  # the comment that says that the stream is open
            self.line()

    def more(self):
        size = int(self.raw.file.readline().split(b";")[0] or b"0", 16)
        data = self.raw.file.read(size)
        self.raw.file.readline()
        if not size:
            raise EOFError
        self.text += data

    def line(self):
        while b"\n" not in self.text:
            self.more()
        line, self.text = self.text.split(b"\n", 1)
        return line.decode()

    def event(self):
        """(event, id, data)."""
        fields = {}
        while True:
            line = self.line()
            if not line and fields:
                return fields["event"], int(fields.get("id", 0)), json.loads(fields["data"])
            if line and not line.startswith(":"):
                name, value = line.split(": ", 1)
                fields[name] = value

    def until(self, kind, **wanted):
        while True:
            event = self.event()
            if event[0] == kind and all(event[2].get(key) == value for key, value in wanted.items()):
                return event

    def close(self):
        self.raw.close()


class Events(ServerTest):
    def stream(self, last=None):
        stream = Stream(self.server, last)
        self.addCleanup(stream.close)
        return stream

    def test_head(self):
        stream = self.stream()
        self.assertEqual((stream.status, stream.headers["Content-Type"], stream.headers["Cache-Control"]), (200, "text/event-stream", "no-store"))
        self.assertEqual(self.client.send("HEAD", "/v1/events").status, 200)
        raw = Raw(self.server)
        raw.send("HEAD /v1/events HTTP/1.1\r\nHost: x\r\n\r\nGET /v1/health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        head, after = raw.answer(has_body=False), raw.answer()
        self.assertEqual((head.status, head.header("Content-Type"), after.status), (200, "text/event-stream", 200))
        raw.close()

    def test_a_load(self):
        path = self.layer()
        name = path.rsplit("/", 1)[1]
        stream = self.stream()
        self.load(path, 1, alpha=0.5)
        _, _, data = stream.until("seed.transition", layer=name, to="LOADING")
        self.assertEqual(data, {"layer": name, "seed": 1, "from": "DORMANT", "to": "LOADING", "artifact_id": "digits-good", "reason": data["reason"]})
        stream.until("seed.transition", layer=name, to="ACTIVE")
        self.client.delete(path)
        deleted = stream.until("layer.update", layer=name, state="deleted")[2]
        self.assertEqual((deleted["generation"], deleted["device"]), (None, None))

    def test_operations(self):
        path = self.layer()
        stream = self.stream()
        operation = self.client.post(f"{path}/seeds/0/load?wait=20", {"artifact_id": "digits-good"}).json
        self.assertEqual(stream.until("operation.update", id=operation["id"], state="succeeded")[2], operation)

    def test_errors(self):
        path = self.layer()
        stream = self.stream()
        self.client.post(f"{path}/seeds/0/load?wait=20", {"artifact_id": "not-there"})
        data = stream.until("error")[2]
        self.assertEqual(set(data), {"at", "error_type", "component", "layer", "seed", "artifact_id", "detail", "trace_id"})
        self.assertEqual((data["artifact_id"], data["seed"]), ("not-there", 0))

    def test_ids_grow_without_gaps_and_resume(self):
        stream = self.stream()
        for number in range(10):
            self.layer(f"counted-{number}", 2, 2)
        seen = [stream.event() for _ in range(10)]
        numbers = [number for _, number, _ in seen]
        self.assertEqual(numbers, list(range(numbers[0], numbers[0] + 10)))
        again = self.stream(numbers[3])
        self.assertEqual([again.event() for _ in range(6)], seen[4:])

    def test_from_the_beginning(self):
        self.layer()
        self.assertEqual(self.stream(0).event()[1], 1)
        self.assertEqual(self.stream(10**18).event()[1], 1)  # of an engine before this one

    def test_what_is_gone_is_told(self):
        path = self.layer()
        seed = self.load(path, alpha=0.5)
        for _ in range(2200):
            self.client.post(f"{seed}/unload", {})
            self.client.post(f"{seed}/load?wait=5", {"artifact_id": "digits-good"})
        kind, number, data = self.stream(1).event()
        self.assertEqual((kind, number, data["severity"]), ("alert", 0, "warning"))
        self.assertGreater(data["missed"], 0)

    def test_refused(self):
        for last in ("x", "-1", "1.5", "9" * 30, ""):
            stream = Stream(self.server, last)
            self.assertEqual(stream.status, 422, last)
            stream.close()
        self.expect_problem(self.client.get("/v1/events", {"Accept": "application/json"}), 406, "not-acceptable")

    def test_many_streams_and_those_who_go(self):
        streams = [self.stream() for _ in range(50)]
        for stream in streams[:25]:
            stream.raw.socket.shutdown(socket.SHUT_RDWR)
        path = self.layer(None, 2, 2)
        for stream in streams[25:]:
            stream.until("layer.update", layer=path.rsplit("/", 1)[1])
        self.assertEqual(self.client.post(f"{path}/forward", floats([1, 2])).status, 200)


class Ending(unittest.TestCase):
    def test_streams_end_with_the_server(self):
        server = Server()
        streams = [Stream(server) for _ in range(5)]
        self.assertEqual(server.stop(), 0)
        for stream in streams:
            with self.assertRaises((EOFError, ValueError, ConnectionError)):
                stream.event()
            stream.close()


if __name__ == "__main__":
    unittest.main()
