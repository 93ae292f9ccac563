"""What other runtimes need for the same passes. Reads lines: `make THREADS SEEDS ROWS IN OUT`, answered with the list of runtimes, and
`run RUNTIME MILLISECONDS`, answered with {"us": the median, "best_us": the shortest, "processor_us": the calling thread's processor time of one}. Runs in the virtual environment that `./dev bench --peers` makes."""
import json
import os
import statistics
import sys
import time

import numpy
import onnxruntime
import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import onnx_file  # noqa: E402

HIDDEN, ALPHA = 64, 0.2


def whole_model(inputs, outputs, seeds):
    """(1 − Σα)·(x Wᵀ + b) + Σ α·K(x) as one ONNX graph."""
    rng = numpy.random.default_rng(0)

    def weights(name, *shape):
        scale = shape[-1] ** -0.5
        return onnx_file.tensor(name, shape, rng.uniform(-scale, scale, shape).astype("f4").ravel().tolist())

    nodes = [onnx_file.node("Gemm", ("x", "w", "b"), ("base" if seeds else "y",), transB=1)]
    tensors = [weights("w", outputs, inputs), weights("b", outputs)]
    if seeds:
        tensors += [onnx_file.tensor("c", (1,), [1 - ALPHA * seeds]), onnx_file.tensor("a", (1,), [ALPHA])]
        nodes.append(onnx_file.node("Mul", ("base", "c"), ("sum0",)))
    for i in range(seeds):
        tensors += [weights(f"w1{i}", HIDDEN, inputs), weights(f"b1{i}", HIDDEN), weights(f"w2{i}", outputs, HIDDEN), weights(f"b2{i}", outputs)]
        nodes += [onnx_file.node("Gemm", ("x", f"w1{i}", f"b1{i}"), (f"h{i}",), transB=1), onnx_file.node("Gelu", (f"h{i}",), (f"g{i}",)),
                  onnx_file.node("Gemm", (f"g{i}", f"w2{i}", f"b2{i}"), (f"k{i}",), transB=1), onnx_file.node("Mul", (f"k{i}", "a"), (f"s{i}",)),
                  onnx_file.node("Add", (f"sum{i}", f"s{i}"), ("y" if i == seeds - 1 else f"sum{i + 1}",))]
    return onnx_file.model(nodes, tensors, inputs, outputs)


class Blend(torch.nn.Module):
    def __init__(self, inputs, outputs, seeds):
        super().__init__()
        self.base = torch.nn.Linear(inputs, outputs)
        self.kernels = torch.nn.ModuleList(
            torch.nn.Sequential(torch.nn.Linear(inputs, HIDDEN), torch.nn.GELU(), torch.nn.Linear(HIDDEN, outputs)) for _ in range(seeds))

    def forward(self, x):
        y = self.base(x)
        if len(self.kernels):
            y = y * (1 - ALPHA * len(self.kernels))
        for kernel in self.kernels:
            y = y + ALPHA * kernel(x)
        return y


WARM_UP_MILLISECONDS = 3  # the others' threads go to sleep meanwhile, ours wake


def times_of(call, milliseconds):
    times, end = [], time.perf_counter() + milliseconds / 1e3
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        times.append((time.perf_counter() - start) * 1e6)
    return times


def make(threads, seeds, rows, inputs, outputs):
    """By runtime, what runs one pass."""
    torch.set_num_threads(threads)
    torch.compiler.reset()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(whole_model(inputs, outputs, seeds), options, providers=["CPUExecutionProvider"])
    x = numpy.random.default_rng(1).standard_normal((rows, inputs)).astype("f4")
    y = numpy.empty((rows, outputs), "f4")
    binding = session.io_binding()
    binding.bind_input("x", "cpu", 0, numpy.float32, x.shape, x.ctypes.data)
    binding.bind_output("y", "cpu", 0, numpy.float32, y.shape, y.ctypes.data)
    module, tensor = Blend(inputs, outputs, seeds).eval(), torch.from_numpy(x)
    compiled = torch.compile(module, dynamic=False)
    calls = {"onnxruntime": lambda: session.run_with_iobinding(binding), "pytorch": lambda: module(tensor),
             "torch.compile": lambda: compiled(tensor), "_kept": (x, y)}
    compiled(tensor)
    return calls


def answer(calls, words):
    """What goes back for a line, and the calls from now on."""
    if words[0] == "make":
        calls = make(*map(int, words[1:]))
        return [name for name in calls if not name.startswith("_")], calls
    _, name, milliseconds = words
    times_of(calls[name], WARM_UP_MILLISECONDS)
    before = time.thread_time()
    times = times_of(calls[name], int(milliseconds))
    processor = (time.thread_time() - before) * 1e6 / len(times)
    return {"us": statistics.median(times), "best_us": min(times), "processor_us": processor}, calls


def main():
    print(json.dumps({"pytorch": torch.__version__, "onnxruntime": onnxruntime.__version__}), flush=True)
    calls = {}
    with torch.inference_mode():
        for line in sys.stdin:
            reply, calls = answer(calls, line.split())
            print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
