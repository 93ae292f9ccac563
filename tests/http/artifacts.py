"""ONNX artifacts for tests, good and bad, made by tools/onnx_file.py."""
import json
import os

import server  # noqa: F401  (puts tools/ on the path)
import onnx_file as onnx


def linear(inputs=64, outputs=10, scale=0.01, operator="Gemm"):
    weights = [scale * ((index * 7) % 11 - 5) for index in range(inputs * outputs)]
    return onnx.model([onnx.node(operator, ("x", "w"), ("y",), transB=1)], [onnx.tensor("w", (outputs, inputs), weights)], inputs, outputs)


def unknown_operator():
    return onnx.model([onnx.node("Quux", ("x",), ("y",))], [], 64, 10)


def mixing_rows():
    """Each row minus the mean of the batch."""
    nodes = [onnx.node("Gemm", ("x", "w"), ("h",), transB=1), onnx.node("Softmax", ("h",), ("y",), axis=0)]
    return onnx.model(nodes, [onnx.tensor("w", (10, 64), [0.01] * 640)], 64, 10)


def bulky(number, width=60000):
    """One that takes a while: 18 MB of weights, other bytes for each number."""
    def weights(name, rows, columns):
        return onnx.number(1, rows) + onnx.number(1, columns) + onnx.number(2, 1) + onnx.block(8, name) + onnx.block(9, bytes([number, 0, 0, 0]) * (rows * columns))

    nodes = [onnx.node("Gemm", ("x", "w1"), ("h",), transB=1), onnx.node("Gemm", ("h", "w2"), ("y",), transB=1)]
    return onnx.model(nodes, [weights("w1", width, 64), weights("w2", 10, width)], 64, 10)


def write(folder, **artifacts):
    """Files of an embedded registry: name=bytes, or name=(bytes, metadata)."""
    for name, data in artifacts.items():
        data, metadata = data if isinstance(data, tuple) else (data, None)
        with open(os.path.join(folder, name.replace("_", "-") + ".onnx"), "wb") as file:
            file.write(data)
        if metadata is not None:
            with open(os.path.join(folder, name.replace("_", "-") + ".json"), "w") as file:
                json.dump(metadata, file)
