#!/usr/bin/env python3
"""Checks that dependencies point one way: which rooms a room's files include. See docs/architecture.md, "The house"."""
import os
import re
import sys

PUBLIC = "kasmina"
BASE = {"base", PUBLIC}
CORE = BASE | {"kernels", "backends/core"}
# Rooms of the engine in order: one may include those before it and itself.
ENGINE = ["graph", "artifact", "state", "cache", "registry", "exec", "recovery", "control"]


def allowed(room):
    """The rooms whose headers files of `room` may include."""
    if room == "base":
        return BASE
    if room == "kernels":
        return BASE | {"kernels"}
    if room == "backends/core":
        return CORE
    if room == "backends":  # the registration, which alone names the concrete backends
        return None
    if room.startswith("backends/"):
        return CORE | {room}
    if room.startswith("engine/"):
        at = ENGINE.index(room.split("/")[1])
        return CORE | {f"engine/{name}" for name in ENGINE[:at + 1]}
    if room == "selftest":
        return CORE | {"engine/graph", "selftest"}
    if room == "http":
        return BASE | {"http"}
    if room == "include":
        return {PUBLIC}
    return None


def room_of(path):
    parts = path.split("/")
    if parts[0] in ("backends", "engine") and len(parts) > 2:
        return "/".join(parts[:2])
    return parts[0]


def included(line):
    match = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
    if match:
        return room_of(match.group(1)) if "/" in match.group(1) else None
    return PUBLIC if re.match(r"\s*#\s*include\s+<kasmina/", line) else None


def violations(root):
    for top in ("base", "kernels", "backends", "engine", "http", "selftest", "include"):
        for folder, _, names in os.walk(os.path.join(root, top)):
            for name in sorted(names):
                path = os.path.relpath(os.path.join(folder, name), root)
                rooms = allowed(room_of(path)) if name.endswith((".c", ".h", ".k")) else None
                if rooms is None:
                    continue
                with open(os.path.join(root, path), encoding="utf-8") as file:
                    for number, line in enumerate(file, 1):
                        room = included(line)
                        if room is not None and room not in rooms:
                            yield f"{path}:{number}: {room_of(path)} must not include {room}: {line.strip()}"


def self_test():
    assert "engine/state" not in allowed("engine/graph") and "engine/graph" in allowed("engine/exec")
    assert "backends/cuda" not in allowed("backends/host") and "http" not in allowed("engine/control")
    assert included('#include "engine/exec/exec.h"') == "engine/exec" and included("#include <stdio.h>") is None


def main():
    self_test()
    found = list(violations(sys.argv[1]))
    print("\n".join(found) or "includes point one way")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
