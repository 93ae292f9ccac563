"""Writes small ONNX files without the onnx package: just enough of protobuf for graphs of a few nodes."""
import struct


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field, value):
    return varint(field << 3) + varint(value)


def block(field, data):
    if isinstance(data, str):
        data = data.encode()
    return varint(field << 3 | 2) + varint(len(data)) + data


def tensor(name, shape, values):
    """TensorProto of float32."""
    return b"".join(number(1, size) for size in shape) + number(2, 1) + block(8, name) + block(9, struct.pack(f"<{len(values)}f", *values))


def stored(name, shape, type_number, raw):
    """TensorProto of any type, its bytes as raw_data holds them."""
    return b"".join(number(1, size) for size in shape) + number(2, type_number) + block(8, name) + block(9, raw)


def float_data(name, shape, raw):
    """TensorProto of float32 in the typed field, packed."""
    return b"".join(number(1, size) for size in shape) + number(2, 1) + block(4, raw) + block(8, name)


def value(name, width):
    """ValueInfoProto of [batch, width] float32."""
    shape = block(1, block(2, "batch")) + block(1, number(1, width))
    return block(1, name) + block(2, block(1, number(1, 1) + block(2, shape)))


def node(operator, inputs, outputs, **integers):
    attributes = b"".join(block(5, block(1, key) + number(3, integer) + number(20, 2)) for key, integer in integers.items())
    return b"".join(block(1, name) for name in inputs) + b"".join(block(2, name) for name in outputs) + block(4, operator) + attributes


def model(nodes, tensors, input_width, output_width, opset=20):
    graph = b"".join(block(1, one) for one in nodes) + block(2, "graph") + b"".join(block(5, one) for one in tensors)
    graph += block(11, value("x", input_width)) + block(12, value("y", output_width))
    return number(1, 9) + block(2, "kasmina-tools") + block(7, graph) + block(8, number(2, opset))


def adapter(inputs, hidden, outputs, seed):
    """in → hidden → GELU → out with small pseudo-random weights."""
    state = seed * 7919 + 1

    def values(count, scale):
        nonlocal state
        out = []
        for _ in range(count):
            state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
            out.append(((state >> 40) / 2**23 - 1) * scale)
        return out

    tensors = [tensor("w1", (hidden, inputs), values(hidden * inputs, inputs ** -0.5)), tensor("b1", (hidden,), values(hidden, 0.1)),
               tensor("w2", (outputs, hidden), values(outputs * hidden, hidden ** -0.5)), tensor("b2", (outputs,), values(outputs, 0.1))]
    nodes = [node("Gemm", ("x", "w1", "b1"), ("h",), transB=1), node("Gelu", ("h",), ("g",)), node("Gemm", ("g", "w2", "b2"), ("y",), transB=1)]
    return model(nodes, tensors, inputs, outputs)
