"""Other ways in which programs use a card: CuPy, JAX, compute-sanitizer. Each is tried bare first."""

import re
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
    """What a program prints bare, and under the interceptor with 4 GiB."""
    status, bare = run(command, environment(preload=None))
    if status != 0:
        raise Skipped("it is not here, or does not work bare")
    status, ours = run(command, environment(4 * GIB, region=region_path()), 60)
    equal("its exit status", status, 0)
    return bare, ours


@check(seconds=60)
def compute_sanitizer_still_works():
    tool = shutil.which("compute-sanitizer")
    if not tool:
        raise Skipped("no compute-sanitizer")
    bare, ours = (re.findall("ERROR SUMMARY: .*", text) for text in both([tool, program("gpu/costs")]))
    figure("summary", ours)
    equal("its summary", ours, bare)


@check(seconds=60)
def cupy_obeys_the_limit():
    _, text = both([sys.executable, "-c", CUPY])
    for line in (f"total {4 * GIB}", "OutOfMemoryError", "sum 1000"):
        expect(line in text, f"\"{line}\" is missing")


@check(seconds=90)
def jax_takes_its_share_of_the_limit():
    """It takes three quarters of what it is shown at once."""
    _, text = both([sys.executable, "-c", JAX])
    limit = int(text.split("limit ")[1].split()[0])
    figure("bytes_limit", limit)
    expect(limit <= 4 * GIB, "it takes more than the limit")
