#!/usr/bin/env python3
"""Writes safetensors without the safetensors package; with a graph (docs/artifacts.md) the file is a kernel.

    tools/safetensors_file.py kernel.safetensors      writes an example: Linear(64, 32), GELU, Linear(32, 10)
"""
import json
import struct
import sys


def write(path, tensors, metadata=None):
    """tensors: name → (shape, values), stored as F32; metadata: texts by name."""
    header, data = {"__metadata__": metadata} if metadata else {}, b""
    for name, (shape, values) in tensors.items():
        packed = struct.pack(f"<{len(values)}f", *values)
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [len(data), len(data) + len(packed)]}
        data += packed
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def write_kernel(path, tensors, inputs, nodes, output):
    """inputs: the shape of one row of the input "x"; nodes as docs/artifacts.md describes them."""
    graph = {"version": 1, "input": {"name": "x", "shape": list(inputs)}, "output": output, "nodes": nodes}
    write(path, tensors, {"producer": "safetensors_file.py", "kasmina.graph": json.dumps(graph)})


def adapter(path, inputs, hidden, outputs):
    """Linear(inputs, hidden), GELU, Linear(hidden, outputs), with small weights that are easy to tell apart."""
    def values(count, scale):
        return [scale * ((i * 37 % 101) / 50 - 1) for i in range(count)]

    tensors = {"down.weight": ((hidden, inputs), values(hidden * inputs, inputs ** -0.5)), "down.bias": ((hidden,), values(hidden, 0.1)),
               "up.weight": ((outputs, hidden), values(outputs * hidden, hidden ** -0.5)), "up.bias": ((outputs,), values(outputs, 0.1))}
    nodes = [{"op": "linear", "in": ["x", "down.weight", "down.bias"], "act": "gelu", "out": "h", "shape": [hidden]},
             {"op": "linear", "in": ["h", "up.weight", "up.bias"], "out": "y", "shape": [outputs]}]
    write_kernel(path, tensors, (inputs,), nodes, "y")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    adapter(sys.argv[1], 64, 32, 10)
