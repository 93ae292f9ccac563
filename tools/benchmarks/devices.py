"""Every device that this machine offers, through the device interface alone beside what its vendor offers, and how a layer on it changes."""
import json
import os
import subprocess

from benchmarks.figures import BUILD, run_bench
from benchmarks.peers import blas_environment

DEVICE_BENCH = os.path.join(BUILD, "bench", "kas_device_bench")
KASMINA = os.path.join(BUILD, "cli", "kasmina")
PRODUCTS = ["32x512x256", "128x1024x1024", "512x2048x2048"]
PRODUCTS_OF_IMITATIONS = PRODUCTS[:1]  # a GPU that the processors imitate takes seconds for the others, or gives up


def offered():
    out = subprocess.run([KASMINA, "devices", "--local", "--json"], stdout=subprocess.PIPE, check=True, text=True).stdout
    return json.loads(out)


def measure_device(figures, device, threads, options):
    products = PRODUCTS_OF_IMITATIONS if device["software"] else PRODUCTS
    command = [DEVICE_BENCH, device["id"], str(threads), str(options.rounds), str(options.milliseconds), *products]
    out = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, env=blas_environment()).stdout
    name = f"{device['id']}, {threads} threads" if device["kind"] == "cpu" else device["id"]
    for row in json.loads(out)["figures"]:
        figures.add(f"{name}: {row['name']}", row["value"], row["unit"], row.get("against"), row.get("reference"))


def measure_change(figures, device, artifacts):
    result = run_bench("change", artifacts, 20 if device["software"] else 300, device["id"])
    figures.add(f"{device['id']}: forward 32x512x256 p50 before a swap", result["before_us"], "µs")
    figures.add("    the first answer of the new kernel", result["first_us"], "µs", "before", result["before_us"])
    figures.add("    after it", result["after_us"], "µs", "before", result["before_us"])
    figures.add("    request of the swap to its first answer", result["request_us"], "µs")


def measure(figures, artifacts, options, _):
    for device in offered():
        for threads in options.threads if device["kind"] == "cpu" else (0,):
            measure_device(figures, device, threads, options)
        measure_change(figures, device, artifacts)
