"""PyTorch under the interceptor."""

import os
import sys

from checking import (GIB, HERE, MIB, OUT, Nvml, Worker, charged, check, compare, environment, equal,
                      expect, figure, program, region_path)
from costs import in_turn


class Torch(Worker):
    """torch_worker.py, ready."""

    def __init__(self, env):
        super().__init__([sys.executable, os.path.join(HERE, "torch_worker.py")], env, 60)
        _, self.import_seconds, self.version = self.read(90).split()


def allocator(settings):
    return {"PYTORCH_ALLOC_CONF": settings, "PYTORCH_CUDA_ALLOC_CONF": settings}


def obeys(limit_bytes, granule, graphs=True, **more):
    """Sees the limit, is refused beyond it with its own exception, and goes on afterwards."""
    region = region_path()
    torch = Torch(environment(limit_bytes, region=region, **more))
    figure("torch", torch.version)
    figure("ready_seconds", float(torch.import_seconds))
    free, total, shown = (int(word) for word in torch.ask("info").split())
    figure("free_at_start", free)
    equal("total by mem_get_info", total, limit_bytes)
    equal("total_memory of the device's properties", shown, limit_bytes)
    equal("half the limit", torch.ask(f"take {limit_bytes // 2}"), "ok")
    expect(charged(region)[torch.pid] >= limit_bytes // 2, "half the limit is not charged")
    equal("more than is left", torch.ask(f"take {limit_bytes * 3 // 4}"), "OutOfMemoryError")
    equal("more than the limit", torch.ask(f"take {limit_bytes + GIB}"), "OutOfMemoryError")
    first = int(torch.ask("drop"))
    full = int(torch.ask(f"fill {64 * MIB}"))
    figure("filled_mib", full)
    figure("charged_when_full_mib", charged(region)[torch.pid] / MIB)
    figure("nvml_when_full_mib", (Nvml().of(torch.pid) or 0) / MIB)
    expect(full * MIB <= free, "more was had than there was")
    expect(full * MIB >= free - granule - 256 * MIB, "the limit is not reached")  # code was loaded meanwhile
    expect((Nvml().of(torch.pid) or 0) <= limit_bytes + 32 * MIB, "the driver counts more than the limit")
    expect(int(torch.ask("drop")) >= first - granule, "not all came back")
    equal("half the limit again", torch.ask(f"take {limit_bytes // 2}"), "ok")
    equal("the sum from new threads", torch.ask("threads"), "8")
    if graphs:
        equal("a graph replayed ten times", torch.ask("graph"), "10")
    torch.end()


@check(seconds=120)
def torch_obeys_the_limit():
    obeys(4 * GIB, 32 * MIB)


@check(seconds=90)
def torch_obeys_with_expandable_segments():
    obeys(4 * GIB, 64 * MIB, **allocator("expandable_segments:True"))


@check(seconds=90)
def torch_obeys_with_cudaMallocAsync():
    obeys(4 * GIB, 64 * MIB, graphs=False, **allocator("backend:cudaMallocAsync"))


@check(seconds=90)
def torch_processes_share_one_limit():
    env = environment(6 * GIB, region=region_path())
    one, two = Torch(env), Torch(env)
    equal("2.5 GiB of 6, beside two contexts", one.ask(f"take {5 * GIB // 2}"), "ok")
    equal("3 GiB more", two.ask(f"take {3 * GIB}"), "OutOfMemoryError")
    equal("1 GiB more", two.ask(f"take {GIB}"), "ok")
    one.kill()
    equal("3 GiB after the kill", two.ask(f"take {3 * GIB}"), "ok")
    two.end()


@check(seconds=140)
def torch_overhead():
    """A memory limit and no SM limit: one percent is what it may cost."""
    bare, ours = Torch(environment(preload=None)), Torch(environment(16 * GIB))
    over = []
    for name, seconds, rounds in (("matmul", 1, 5), ("mlp", 1, 9), ("small", 1, 7), ("churn", 1, 3)):
        in_turn(bare, ours, f"{name} 0.3", 1)
        percent, noise, _ = compare(f"{name}_per_second", *in_turn(bare, ours, f"{name} {seconds}", rounds),
                                    lower_is_better=False)
        if percent > 1 + noise:
            over.append(f"{name} is {percent:.1f} % slower")
    bare.end()
    ours.end()
    expect(not over, "; ".join(over))


@check(seconds=90)
def torch_asks_for():
    """Which names PyTorch asks cuGetProcAddress for, into proc-addresses.txt."""
    raw = os.path.join(os.path.dirname(region_path()), "asked")
    torch = Torch(environment(preload=program("gpu/asked.so"), ASKED=raw))
    torch.ask(f"take {GIB}")
    torch.ask("graph")
    torch.ask("mlp 0.2")
    torch.ask("matmul 0.1")
    torch.end()
    with open(raw, encoding="utf-8") as file:
        lines = sorted(set(file.read().splitlines()))
    with open(os.path.join(OUT, "proc-addresses.txt"), "w", encoding="utf-8") as file:
        file.write("# route name cuda-version flags result\n" + "\n".join(lines) + "\n")
    figure("names", len({line.split()[1] for line in lines}))
    figure("with_flags", len([line for line in lines if line.split()[3] != "0"]))
