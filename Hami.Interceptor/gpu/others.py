"""Other ways in which programs use a card: CuPy, JAX, compute-sanitizer. Each is tried bare first."""

import shutil
import sys

from checking import GIB, Skipped, check, environment, equal, expect, figure, program, region_path, run

CUPY = """
import cupy
held = cupy.zeros(1 << 30, dtype=cupy.uint8)
print("total", cupy.cuda.runtime.memGetInfo()[1])
try:
    more = cupy.zeros(4 << 30, dtype=cupy.uint8)
    print("had more")
except cupy.cuda.memory.OutOfMemoryError:
    print("OutOfMemoryError")
print("sum", int((held + 1)[:1000].sum()))
"""

JAX = """
import jax, jax.numpy
print("sum", int(jax.numpy.ones(1000).sum()))
print("limit", jax.devices()[0].memory_stats()["bytes_limit"])
"""


def both(command):
    """What a program prints under the interceptor with 4 GiB, where it works bare."""
    status, _ = run(command, environment(preload=None))
    if status != 0:
        raise Skipped(f"{command[0]} does not work bare here")
    status, text = run(command, environment(4 * GIB, region=region_path()), 60)
    equal("its exit status", status, 0)
    return text


@check(seconds=60)
def compute_sanitizer_still_works():
    tool = shutil.which("compute-sanitizer")
    if not tool:
        raise Skipped("no compute-sanitizer")
    text = both([tool, program("gpu/families"), "alloc", str(GIB)])
    expect("ERROR SUMMARY: 0 errors" in text, "it reports errors, or nothing")


@check(seconds=60)
def cupy_obeys_the_limit():
    text = both([sys.executable, "-c", CUPY])
    for line in (f"total {4 * GIB}", "OutOfMemoryError", "sum 1000"):
        expect(line in text, f"\"{line}\" is missing")


@check(seconds=90)
def jax_takes_its_share_of_the_limit():
    """It takes three quarters of what it is shown at once."""
    text = both([sys.executable, "-c", JAX])
    limit = int(text.split("limit ")[1].split()[0])
    figure("bytes_limit", limit)
    expect(limit <= 4 * GIB, "it takes more than the limit")
