#!/usr/bin/env python3
"""Small passes of requests that arrive together: they may be computed in one batch, and nobody can tell by the answers."""
import contextlib
import json
import signal
import socket
import struct
import unittest

from server import Raw, ServerTest, floats

CLIENTS, TURNS = 96, 4  # more than a thread puts off at a time


class Rounds(ServerTest):
    def setUp(self):
        super().setUp()
        self.paths = [self.layer("plain"), self.layer("seeded"), self.layer("other")]
        self.load(self.paths[1], alpha=0.5)
        self.load(self.paths[2], seed=1, alpha=0.25)
        self.clients = []
        for _ in range(CLIENTS):
            self.clients.append(Raw(self.server))
            self.addCleanup(self.clients[-1].file.close)
            self.addCleanup(self.clients[-1].socket.close)

    def row(self, number):
        return floats([(number * 31 + at * 7) % 17 / 17 for at in range(64)])

    def forward(self, number):
        return self.paths[number % 3] + "/forward", self.row(number), {"X-Kasmina-Shape": "1,64"}

    def send(self, raw, path, body, headers):
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        raw.send(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n{lines}\r\n".encode() + body)

    @contextlib.contextmanager
    def at_once(self):
        """What is sent here lies ready when the server looks."""
        self.server.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.server.process.send_signal(signal.SIGCONT)

    def alone(self, number):
        return self.client.post(*self.forward(number))

    def calls(self, path):
        return self.client.get(f"{path}/stats").json["total_forward_calls"]

    def test_each_has_its_own_answer(self):
        alone = [self.expect(self.alone(number), 200) for number in range(CLIENTS)]
        before = [self.calls(path) for path in self.paths]
        for _ in range(TURNS):
            with self.at_once():
                for number, raw in enumerate(self.clients):
                    self.send(raw, *self.forward(number))
            for number, raw in enumerate(self.clients):
                answer = self.expect(raw.answer(), 200)
                self.assertEqual(answer.body, alone[number].body)
                for name in ("X-Kasmina-Seeds-Used", "X-Kasmina-Seeds-Failed", "X-Kasmina-Rows-Failed", "X-Kasmina-Generation", "X-Kasmina-Shape"):
                    self.assertEqual(answer.header(name), alone[number].header(name), name)
        self.assertEqual([self.calls(path) for path in self.paths], [count + TURNS * CLIENTS // 3 for count in before])

    def test_one_that_fails_fails_alone(self):
        gone = self.layer("gone")
        good = self.alone(0)
        for turn in range(TURNS):
            with self.at_once():
                for number, raw in enumerate(self.clients):
                    if number % 4 == 1:
                        self.send(raw, f"{gone}/forward", self.row(0), {})
                    elif number % 4 == 2:
                        body = {"inputs": [{"name": "input", "shape": [1, 64], "datatype": "FP32", "data": [0.5] * 64}], "parameters": {"alpha.7": 0.5}}
                        self.send(raw, "/v2/models/seeded/infer", json.dumps(body).encode(), {})
                    else:
                        self.send(raw, *self.forward(0))
            if turn == TURNS // 2:
                self.expect(self.client.delete(gone), 204)
            for number, raw in enumerate(self.clients):
                answer = raw.answer()
                if number % 4 == 1:
                    self.assertIn(answer.status, (200, 404) if turn == TURNS // 2 else (404,) if turn > TURNS // 2 else (200,))
                elif number % 4 == 2:
                    self.assertEqual(answer.status, 400)
                    self.assertIn("seed 7", answer.json["error"])
                else:
                    self.assertEqual((answer.status, answer.body), (200, good.body))

    def test_clients_that_go_away(self):
        good = self.alone(0)
        for _ in range(TURNS):
            gone = [Raw(self.server) for _ in range(CLIENTS // 2)]
            for raw, other in zip(self.clients, gone):
                self.send(raw, *self.forward(0))
                self.send(other, *self.forward(0))
                other.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
                other.file.close()
                other.socket.close()
            for raw, _ in zip(self.clients, gone):
                self.assertEqual(self.expect(raw.answer(), 200).body, good.body)
        self.wait_for("/v1/stats", lambda stats: stats["http"]["connections"] == CLIENTS + 1)
        self.wait_for("/v1/stats", lambda stats: stats["http"]["in_progress"] == 1)

    def test_seeds_of_one_answer_are_not_anothers(self):
        body = {"inputs": [{"name": "input", "shape": [1, 64], "datatype": "FP32", "data": [0.5] * 64}]}
        expected = {}
        for alpha in (None, 0, 1):
            answer = self.client.post("/v2/models/seeded/infer", {**body, **({"parameters": {"alpha.0": alpha}} if alpha is not None else {})})
            expected[alpha] = (self.expect(answer, 200)["outputs"], answer.header("X-Kasmina-Seeds-Used"))
        self.assertNotEqual(expected[0], expected[1])
        for _ in range(TURNS):
            with self.at_once():
                for number, raw in enumerate(self.clients):
                    alpha = (None, 0, 1)[number % 3]
                    self.send(raw, "/v2/models/seeded/infer",
                              json.dumps({**body, **({"parameters": {"alpha.0": alpha}} if alpha is not None else {})}).encode(), {})
            for number, raw in enumerate(self.clients):
                answer = raw.answer()
                self.assertEqual((self.expect(answer, 200)["outputs"], answer.header("X-Kasmina-Seeds-Used")), expected[(None, 0, 1)[number % 3]])


if __name__ == "__main__":
    unittest.main()
