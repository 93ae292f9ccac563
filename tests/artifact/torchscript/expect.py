#!/usr/bin/env python3
"""expect.py CASE.py …: writes into each case what PyTorch answers to it ("# y:"), for the input that the test gives.

A case is code as TorchScript serialises it. It is run here by Python itself: `torch.NAME` is the operator aten::NAME,
and the words of the language are functions. Needs the package torch (any release of 2.x).
"""
import math
import sys
import typing

import torch

WIDTH, ROWS = 12, 2


def tensor(number, *sizes, positive=False):
    count = math.prod(sizes)
    values = [((i * 37 + number * 11) % 23 - 11) / 16 for i in range(count)]
    return torch.tensor([abs(v) + 0.5 if positive else v for v in values]).reshape(sizes)


class Module:
    training = False


class Child(Module):
    gain = tensor(6, 12)

    def forward(self, x, limit=1.0):
        return torch.tanh(x / limit) * limit

    def both(self, x):
        return x * self.gain, x - self.gain


class Raised(Exception):
    pass


def raise_exception(message, *_):
    raise Raised(message)


class Operators:
    """torch.NAME of the serialised code."""

    words = {
        "__is__": lambda a, b: a is b,
        "__isnot__": lambda a, b: a is not b,
        "__not__": lambda a: not a,
        "__and__": lambda a, b: a and b,
        "__contains__": lambda a, b: b in a,
        "__range_length": lambda low, high, step: len(range(low, high, step)),
        "__derive_index": lambda i, low, step: low + i * step,
        "append": lambda a, b: a.append(b),
        "dim": lambda x: x.dim(),
        "floordiv": lambda a, b: a // b,
        "format": lambda text, *values: text.format(*values),
        "len": len,
        "list": list,
        "numel": lambda x: x.numel(),
        "warn": lambda *_: None,
    }
    of_no_tensor = ("cat", "concat", "stack", "zeros", "ones", "full")
    on_numbers = {
        "abs": abs, "add": lambda a, b: a + b, "div": lambda a, b: a / b, "eq": lambda a, b: a == b,
        "gt": lambda a, b: a > b, "mul": lambda a, b: a * b, "ne": lambda a, b: a != b, "neg": lambda a: -a,
        "pow": lambda a, b: a**b, "remainder": lambda a, b: a % b, "sub": lambda a, b: a - b,
    }

    def __getattr__(self, name):
        if name.startswith("_Kernel__"):  # Python's private names
            name = name.removeprefix("_Kernel")
        if name in self.words:
            return self.words[name]

        def call(*arguments, **keywords):
            if name == "slice" and isinstance(arguments[0], (list, tuple)):
                return arguments[0][slice(*arguments[1:], *[None] * (3 - len(arguments)))]
            tensors = any(isinstance(a, torch.Tensor) for a in arguments[:3]) or name in self.of_no_tensor
            if not tensors:
                return self.on_numbers[name](*arguments)
            if name == "size":
                return list(arguments[0].size()) if len(arguments) == 1 else arguments[0].size(arguments[1])
            return getattr(torch.ops.aten, name)(*arguments, **keywords)

        return call


class Prim:
    RaiseException = staticmethod(raise_exception)
    NumToTensor = staticmethod(lambda number: number)


class Names(dict):
    """Of the code's globals; __torch__ are the globals themselves, types are nothing."""

    def __missing__(self, name):
        if name == "__torch__":
            return self.own
        raise KeyError(name)


class Own:
    class parts:
        Child = Child

    def __init__(self, names):
        self.names = names

    def __getattr__(self, name):
        return self.names.get(name)


def namespace():
    names = Names(
        torch=Operators(), Module=Module, Tensor=torch.Tensor, List=typing.List, Optional=typing.Optional,
        Tuple=typing.Tuple, Final=typing.Final, annotate=lambda _, value: value,
        unchecked_cast=lambda _, value: value, uninitialized=lambda _: None,
        ops=type("ops", (), {"prim": Prim}),
        CONSTANTS=type("CONSTANTS", (), {"c0": torch.tensor(1.75, dtype=torch.float64), "c1": tensor(7, 12)}),
        __annotations__={}, inf=math.inf,
    )
    names["__torch__"] = Own(names)
    return names


def answer(code):
    names = namespace()
    exec(compile("from __future__ import annotations\n" + code, "case", "exec"), names)
    kernel = names["Kernel"]()
    kernel.weight, kernel.bias, kernel.square = tensor(0, 3, 12), tensor(1, 3), tensor(2, 4, 4)
    kernel.gain, kernel.mean, kernel.variance = tensor(3, 12), tensor(4, 12), tensor(5, 12, positive=True)
    kernel.child, kernel.scale, kernel.sizes = Child(), 0.5, [3, 4]
    x = torch.tensor([((i * 29) % 17 - 8) / 8 for i in range(ROWS * WIDTH)]).reshape(ROWS, WIDTH)
    return kernel.forward(x)


def main():
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            code = "".join(line for line in file if not line.startswith("#"))
        values = " ".join(f"{value:.9g}" for value in answer(code).flatten().tolist())
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"# y: {values}\n{code}")


main()
