"""Changes of a layer: how long the load of a kernel takes, and what a forward pass notices of it."""
import os
import statistics
import subprocess
import time

from benchmarks.figures import BUILD, run_bench

SWAP_TEST = os.path.join(BUILD, "tests", "engine", "test_engine_swap")


def measure_load(figures, artifacts, options, _):
    result = run_bench("load", artifacts, 2000)
    figures.add("load of a cached kernel, request to published", result["published_us"], "µs")
    figures.add("load of a cached kernel, to acknowledged", result["acknowledged_us"], "µs")
    figures.add("load of a cached kernel, to acknowledged, p99", result["acknowledged_p99_us"], "µs")


def measure_swap(figures, artifacts, options, _):
    without, under = [], []
    for _ in range(3):
        without.append(run_bench("swap", artifacts, options.milliseconds * options.rounds * 5, 0))
        under.append(run_bench("swap", artifacts, options.milliseconds * options.rounds * 5, 1))
    for part in ("p50_us", "p99_us"):
        alone, loaded = (statistics.median(one[part] for one in many) for many in (without, under))
        figures.add(f"forward {part[:3]} alone", alone, "µs")
        figures.add(f"forward {part[:3]} while kernels are swapped in a loop", loaded, "µs", "alone", alone)
    if options.answers:
        start = time.monotonic()
        subprocess.run([SWAP_TEST], env={**os.environ, "KASMINA_SWAP_ANSWERS": str(options.answers)}, stdout=subprocess.DEVNULL, check=True)
        figures.add(f"{options.answers} answers during changes, each compared bit for bit", options.answers / (time.monotonic() - start), "answers/s")
