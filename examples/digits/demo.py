#!/usr/bin/env python3
"""Shows Kasmina's main job on handwritten digits; see README.md beside this file. Exit 0 only if every number came out as it must."""
import argparse
import array
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
CLASSES, PIXELS = 10, 64


class Failure(Exception):
    """Something did not come out as it must."""


def check(condition, text):
    if not condition:
        raise Failure(text)


class Client:
    """One keep-alive connection to the server."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def send(self, method, path, body=None, kind="application/json", expect=(200, 201, 202, 204)):
        if isinstance(body, dict):
            body = json.dumps(body)
        headers = {"Content-Type": kind} if body is not None else {}
        self.connection.request(method, path, body, headers)
        response = self.connection.getresponse()
        data = response.read()
        if response.status not in expect:
            raise Failure(f"{method} {path}: {response.status} {data.decode(errors='replace')}")
        return response, data

    def json(self, method, path, body=None):
        return json.loads(self.send(method, path, body)[1])

    def forward(self, layer, images):
        return self.send("POST", f"/v1/layers/{layer}/forward", images, "application/octet-stream", (200,))


def read(name):
    with open(os.path.join(HERE, name), "rb") as file:
        return file.read()


def count_right(answer, labels):
    values = array.array("f", answer)
    right = 0
    for row, label in enumerate(labels):
        scores = values[row * CLASSES:(row + 1) * CLASSES]
        right += scores.index(max(scores)) == label
    return right


class Traffic:
    """Two clients that send batches of 64 images all the time and note how long each answer took."""

    BATCH = 64

    def __init__(self, port, images):
        self.batch = images[:self.BATCH * PIXELS * 4]
        self.lock = threading.Lock()  # guards latencies and errors
        self.latencies, self.errors = [], []
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(port,)) for _ in range(2)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def run(self, port):
        client = Client(port)
        while not self.stopping.is_set():
            start = time.perf_counter()
            try:
                _, answer = client.forward("digits", self.batch)
                check(len(answer) == self.BATCH * CLASSES * 4, "an answer has the wrong size")
            except (Failure, OSError, http.client.HTTPException) as error:
                with self.lock:
                    self.errors.append(str(error))
                return
            with self.lock:
                self.latencies.append(time.perf_counter() - start)

    def take(self):
        """Images a second and p99 in milliseconds of the last half second."""
        with self.lock:
            self.latencies.clear()
        start = time.perf_counter()
        time.sleep(0.5)
        with self.lock:
            seconds, taken = time.perf_counter() - start, sorted(self.latencies)
            check(not self.errors, f"traffic failed: {self.errors[:1]}")
        check(taken, "no request was answered in half a second")
        return len(taken) * self.BATCH / seconds, taken[min(len(taken) - 1, len(taken) * 99 // 100)] * 1e3


class Demo:
    def __init__(self, port):
        self.port, self.client = port, Client(port)
        self.images, self.labels = read("images.f32"), read("labels.u8")
        self.expected = json.loads(read("expected.json"))

    def accuracy(self, layer, expected, what):
        response, answer = self.client.forward(layer, self.images)
        right = count_right(answer, self.labels)
        check(right == expected, f"{what}: {right} of {len(self.labels)} read right, expected {expected}")
        return right / len(self.labels), response

    def create(self, name):
        self.client.json("POST", "/v1/layers", {"name": name, "input_size": PIXELS, "output_size": CLASSES})
        self.client.send("PUT", f"/v1/layers/{name}/weights", read("base.safetensors"), "application/octet-stream")

    def base(self):
        print("1. A layer 64 → 10 with given weights; all 1,797 images through it")
        self.create("digits")
        accuracy, _ = self.accuracy("digits", self.expected["correct"][0], "base")
        print(f"   accuracy {accuracy:.4f}\n")

    def graft(self):
        print("2. The kernel 'digits-good' goes into seed 0; alpha rises while requests keep flowing")
        with Traffic(self.port, self.images) as traffic:
            self.client.json("POST", "/v1/layers/digits/seeds/0/load?wait=10", {"artifact_id": "digits-good", "alpha": 0.0})
            print("   alpha  accuracy  expected   images/s   p99 ms")
            for alpha, right, share in zip(*(self.expected[key] for key in ("alphas", "correct", "accuracy"))):
                self.client.json("PUT", "/v1/layers/digits/seeds/0/alpha", {"alpha": alpha})
                accuracy, _ = self.accuracy("digits", right, f"alpha {alpha}")
                rate, p99 = traffic.take()
                print(f"   {alpha:5.1f}  {accuracy:8.4f}  {share:8.4f}  {rate:9.0f}  {p99:7.2f}", flush=True)
        print()

    def break_a_kernel(self):
        print("3. The kernel 'digits-nan', which answers NaN, goes into seed 1")
        self.client.json("POST", "/v1/layers/digits/seeds/1/load?wait=10", {"artifact_id": "digits-nan", "alpha": 0.5})
        failed = ""
        for _ in range(3):
            accuracy, response = self.accuracy("digits", self.expected["correct"][-1], "beside the broken kernel")
            failed = failed or response.getheader("X-Kasmina-Seeds-Failed")
        check(failed == "1", f"X-Kasmina-Seeds-Failed is '{failed}', expected '1'")
        seed = self.wait_for_state("digits", 1, "ERROR_RECOVERY")
        print(f"   accuracy {accuracy:.4f}, as before; seed 1 is {seed['lifecycle_state']}: {seed['last_error']['detail']}\n")

    def wait_for_state(self, layer, index, state):
        deadline = time.monotonic() + 5
        while True:
            seed = self.client.json("GET", f"/v1/layers/{layer}/seeds/{index}")
            if seed["lifecycle_state"] == state:
                return seed
            check(time.monotonic() < deadline, f"seed {index} of {layer} is {seed['lifecycle_state']}, expected {state}")
            time.sleep(0.02)

    def epoch(self):
        print("4. Changes of two layers are staged and take effect together, at epoch 1")
        self.create("digits-2")
        load = {"artifact_id": "digits-good", "alpha": 1.0, "at_epoch": 1}
        self.client.json("POST", "/v1/layers/digits-2/seeds/0/load?wait=10", load)
        self.client.json("PUT", "/v1/layers/digits/seeds/0/alpha", {"alpha": 0.5, "at_epoch": 1})
        half, base, full = (self.expected["correct"][i] for i in (5, 0, -1))
        before = self.accuracy("digits", full, "digits before the epoch")[0], self.accuracy("digits-2", base, "digits-2 before the epoch")[0]
        result = self.client.json("POST", "/v1/epoch", {"epoch": 1})
        check(result["applied"] == 2 and not result["failed"], f"epoch 1: {result}")
        after = self.accuracy("digits", half, "digits after the epoch")[0], self.accuracy("digits-2", full, "digits-2 after the epoch")[0]
        for name, old, new in zip(("digits", "digits-2"), before, after):
            print(f"   {name:8}  {old:.4f} → {new:.4f}")
        print()

    def unload(self):
        print("5. Unloaded: the layer is what it was")
        for index in (0, 1):
            self.client.json("POST", f"/v1/layers/digits/seeds/{index}/unload", {})
        accuracy, _ = self.accuracy("digits", self.expected["correct"][0], "after unloading")
        print(f"   accuracy {accuracy:.4f}\n")

    def statistics(self):
        layer = self.client.json("GET", "/v1/layers/digits/stats")
        cache = self.client.json("GET", "/v1/stats")["cache_stats"]
        runs = layer["execution_stats"]
        print("6. Statistics of the layer and of the kernel cache")
        print(f"   passes {layer['total_forward_calls']}, kernel runs {layer['total_kernel_executions']} "
              f"({runs['failed_executions']} failed), p50 {layer['latency_us']['p50']:.0f} µs, p99 {layer['latency_us']['p99']:.0f} µs")
        print(f"   cache: {cache['entries']} kernels, {cache['total_size_mb']:.3f} MiB, {cache['hits']} hits, {cache['misses']} misses\n")

    def run(self):
        for step in (self.base, self.graft, self.break_a_kernel, self.epoch, self.unload, self.statistics):
            step()


def start_server(binary, device, data_dir):
    server = subprocess.Popen(
        [binary, "serve", "--listen", "127.0.0.1:0", "--data-dir", data_dir, "--artifact-dir", os.path.join(HERE, "artifacts"),
         "--device", device, "--log-level", "error"], stdout=subprocess.PIPE, text=True)
    line = server.stdout.readline().strip()
    if not line.startswith("kasmina: listening on http://"):
        server.wait()
        raise Failure(f"the server did not start (exit code {server.returncode}): '{line}'")
    return server, line.split()[-1]


def print_try(url):
    print(f"""Try by hand (the server is at {url}):
  curl {url}/v1/layers/digits
  curl -X POST '{url}/v1/layers/digits/seeds/0/load?wait=5' -d '{{"artifact_id":"digits-good","alpha":0.5}}'
  curl --data-binary @examples/digits/images.f32 -H 'Content-Type: application/octet-stream' -o answer.f32 -D - {url}/v1/layers/digits/forward
  curl {url}/v1/layers/digits/stats""")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True, help="the kasmina program")
    parser.add_argument("--device", default="host:0", help="what the layers are computed on (default: %(default)s)")
    parser.add_argument("--keep", action="store_true", help="leave the server up until Ctrl-C")
    options = parser.parse_args()
    data_dir = tempfile.mkdtemp(prefix="kasmina-demo-")
    server = None
    try:
        server, url = start_server(options.binary, options.device, data_dir)
        print(f"Kasmina is at {url}\n")
        Demo(int(url.rsplit(":", 1)[1])).run()
        print("Every number came out as it must.\n")
        print_try(url)
        if options.keep:
            print("\nCtrl-C stops the server.", flush=True)
            signal.pause()
        else:
            print("\n(The server stops now; ./dev demo --keep leaves it up.)")
    except KeyboardInterrupt:
        pass
    except (Failure, OSError, http.client.HTTPException) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    finally:
        if server:
            server.send_signal(signal.SIGTERM)
            code = server.wait(timeout=10)
            print(f"The server ended with exit code {code}.")
        shutil.rmtree(data_dir, ignore_errors=True)
    return 0 if code == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
