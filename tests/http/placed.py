"""What tests of moves and of replicas share: a layer with a seed on the host, a second device, and clients that ask
meanwhile."""
import threading

from server import Client, ServerTest, read_example, unpack_floats
from test_opencl import CLASSES, IMAGES, PIXELS


class Asking(threading.Thread):
    """A client that asks until it is told to stop."""

    def __init__(self, port, path, images):
        super().__init__()
        self.client, self.path, self.images, self.over, self.answers = Client(port), path, images, threading.Event(), []

    def run(self):
        while not self.over.is_set():
            self.answers.append(self.client.post(f"{self.path}/forward", self.images))
        self.client.close()


class PlacedTest(ServerTest):
    CLIENTS = 2

    def setUp(self):
        super().setUp()
        self.images = read_example("images.f32")[:IMAGES * PIXELS * 4]
        self.path = self.layer(None, PIXELS, CLASSES, device="host:0")
        self.expect(self.client.put(f"{self.path}/weights", read_example("base.safetensors")), 200)
        self.load(self.path, alpha=0.5)

    def assert_near(self, one, other):
        for a, b in zip(unpack_floats(one), unpack_floats(other), strict=True):
            self.assertLessEqual(abs(a - b), 1e-5 + 1e-5 * abs(b))

    def under_traffic(self, change):
        """Calls change(want), want being the layer's answer, while clients ask. No request of theirs fails, all answers
        are the same within rounding, and no client sees a generation after a later one. Returns how many there were."""
        want = self.expect(self.client.post(f"{self.path}/forward", self.images), 200).body
        clients = [Asking(self.server.port, self.path, self.images) for _ in range(self.CLIENTS)]
        for client in clients:
            client.start()
        try:
            change(want)
        finally:
            for client in clients:
                client.over.set()
                client.join()
        for client in clients:
            self.assertTrue(client.answers)
            generations = [int(answer.header("X-Kasmina-Generation")) for answer in client.answers]
            self.assertEqual(generations, sorted(generations))
            for answer in client.answers:
                self.assertEqual(answer.status, 200)
                self.assert_near(answer.body, want)
        return sum(len(client.answers) for client in clients)
