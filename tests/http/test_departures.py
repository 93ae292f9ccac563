#!/usr/bin/env python3
"""Clients that go while they are waited for, at every stage of a request: whoever comes next is served, and nothing of theirs stays. Under AddressSanitizer the
server ends with an error where anything does."""
import socket
import unittest

import artifacts
from server import Raw, ServerTest

REQUEST = "{} {} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nIdempotency-Key: {}\r\nContent-Length: {}\r\n\r\n{}"


class Departures(ServerTest):
    def go(self, method, path, body, key, how):
        raw = Raw(self.server)
        raw.send(REQUEST.format(method, path, key, len(body), body))
        how(raw.socket)
        raw.close()

    def test_while_they_wait(self):
        path = self.layer()
        requests = []
        for number in range(4):
            self.assertEqual(self.client.put(f"/v1/kernels/gone-{number}", artifacts.bulky(number, 6000)).status, 201)
            requests.append(("POST", f"{path}/seeds/{number}/load?wait=20", f'{{"artifact_id": "gone-{number}"}}'))
            requests.append(("POST", "/v1/kernels/preload?wait=20", f'{{"artifact_ids": ["gone-{number}", "digits-good"]}}'))
        requests += [("PATCH", path, '{"device": "host:0"}'), ("PATCH", f"{path}?wait=5", '{"replicas": []}'), ("PUT", f"{path}/seeds/0/alpha", '{"alpha": 0.5}'),
                     ("POST", "/v1/epoch", '{"epoch": 1}'), ("POST", "/v1/kernels/validate", '{"artifact_id": "digits-good"}'), ("DELETE", f"{path}/seeds/0/staged", "")]
        ways = (lambda _: None, lambda end: end.shutdown(socket.SHUT_WR))
        for turn in range(6):
            for number, (method, where, body) in enumerate(requests):
                self.go(method, where, body, f"{turn}-{number}", ways[turn % 2])
        self.expect(self.client.get(path), 200)


if __name__ == "__main__":
    unittest.main()
