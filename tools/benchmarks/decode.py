"""How fast large artifacts become weights, by the way they are stored."""
import json
import os
import random
import struct
import subprocess

import onnx_file
from benchmarks.figures import BUILD

DECODE_BENCH = os.path.join(BUILD, "bench", "kas_decode_bench")
WIDTH = 2048  # of a square weight, of which there are two


def weights_files():
    """Large kernels of two products with random weights, by the way they are stored."""
    shape, count = (WIDTH, WIDTH), WIDTH**2
    chosen = random.Random(1)
    some = [chosen.uniform(-0.05, 0.05) for _ in range(1 << 12)] * (count >> 12)
    floats, halves = struct.pack(f"<{count}f", *some), struct.pack(f"<{count}e", *some)
    gemms = [onnx_file.node("Gemm", ("x", "w"), ("h",), transB=1), onnx_file.node("Gemm", ("h", "v"), ("y",), transB=1)]

    def two(make, nodes=(), names=("w", "v"), extra=()):
        return onnx_file.model([*nodes, *gemms], [*(make(name) for name in names), *extra], *shape, opset=21)

    dequantise = [onnx_file.node("DequantizeLinear", (f"{name}8", "scale"), (name,)) for name in "wv"]
    cast = [onnx_file.node("Cast", (f"{name}16",), (name,), to=1) for name in "wv"]
    header = json.dumps({"weight": {"dtype": "F32", "shape": shape, "data_offsets": [0, 4 * count]}}).encode()
    return {
        "onnx float32": ("onnx", two(lambda name: onnx_file.stored(name, shape, 1, floats))),
        "onnx float32 in float_data": ("onnx", two(lambda name: onnx_file.float_data(name, shape, floats))),
        "onnx float16": ("onnx", two(lambda name: onnx_file.stored(name, shape, 10, halves), cast, ("w16", "v16"))),
        "onnx int8": ("onnx", two(lambda name: onnx_file.stored(name, shape, 3, chosen.randbytes(count)), dequantise, ("w8", "v8"),
                                  [onnx_file.tensor("scale", (), [0.001])])),
        "safetensors float32": ("safetensors", struct.pack("<Q", len(header)) + header + floats),
    }


def measure(figures, artifacts, options, _):
    for name, (ending, content) in weights_files().items():
        path = os.path.join(artifacts, f"weights-{name.replace(' ', '-')}.{ending}")
        with open(path, "wb") as file:
            file.write(content)
        out = subprocess.run([DECODE_BENCH, str(options.rounds), path], stdout=subprocess.PIPE, check=True, text=True).stdout
        result = json.loads(out)
        figures.add(f"decode {name}, {result['file_mb']:.0f} MB, SHA-256 included", result["file_mb_s"], "MB/s", "SHA-256 alone", result["sha256_mb_s"])
        figures.add("    in weights as float32", result["weights_mb_s"], "MB/s")
        figures.add("    planning and packing for the host device", result["pack_mb_s"], "MB/s")
