"""The compute limit: what share of the card a program gets, alone and beside another."""

import threading

from checking import Skipped, check, environment, expect, figure, region_path
from pytorch import Torch

SECONDS = 4
TOLERANCE = 5  # points


def container(percent, **more):
    """A container of its own with that share, whoever else is there."""
    limits = {"CUDA_DEVICE_SM_LIMIT": percent, "GPU_CORE_UTILIZATION_POLICY": "force", **more}
    return environment("16g", region=region_path(), **limits)


def together(workers, question):
    """What all answer to the same question asked at once."""
    answers = {}
    threads = [threading.Thread(target=lambda w=w: answers.update({w: w.number(question, 60)})) for w in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(answers) < len(workers):
        raise Skipped("a program did not answer")
    return [answers[worker] for worker in workers]


def start(environments):
    """All at once: importing PyTorch takes long and needs no card."""
    workers = [None] * len(environments)

    def begin(index):
        workers[index] = Torch(environments[index])

    threads = [threading.Thread(target=begin, args=(index,)) for index in range(len(environments))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if None in workers:
        raise Skipped("PyTorch did not start")
    return workers


@check(seconds=120)
def a_share_alone():
    """Matrix products of 0.2 ms, and the same replayed from a graph, against a program that is not limited."""
    shares = [10, 30, 50, 90]
    bare, *limited = start([environment(preload=None)] + [container(share) for share in shares])
    off = []
    for kind in ("matmul", "graph-matmul"):
        bare.number(f"{kind} 1")
        full = bare.number(f"{kind} 2")
        for share, worker in zip(shares, limited):
            worker.number(f"{kind} 2")  # it settles
            got = worker.number(f"{kind} {SECONDS}") / full * 100
            figure(f"{kind}_{share}", round(got, 1))
            if abs(got - share) > TOLERANCE:
                off.append(f"{kind} gets {got:.1f} % where {share} % were asked")
    for worker in [bare, *limited]:
        worker.end()
    expect(not off, "; ".join(off))


@check(seconds=120)
def two_tenants_share():
    """Two containers on one card, each held to its part while both are busy."""
    pairs = [(30, 70), (50, 50), (30, 30)]
    bare, *workers = start([environment(preload=None)] + [container(share) for pair in pairs for share in pair])
    bare.number("matmul 1")
    full, off = bare.number("matmul 2"), []
    for index, pair in enumerate(pairs):
        two = workers[2 * index:2 * index + 2]
        together(two, "matmul 2")
        got = [rate / full * 100 for rate in together(two, f"matmul {SECONDS}")]
        name = f"{pair[0]}_{pair[1]}"
        figure(name, [round(share, 1) for share in got])
        for asked, share in zip(pair, got):
            if abs(share - asked) > TOLERANCE:
                off.append(f"of {name} one gets {share:.1f} % where {asked} % were asked")
    for worker in [bare, *workers]:
        worker.end()
    expect(not off, "; ".join(off))


@check(seconds=60)
def without_a_limit_nothing_is_held_back():
    """Policy disable, and no limit: as fast as bare, within the noise of a few percent."""
    bare, free, disabled = start([environment(preload=None), environment("16g", region=region_path()),
                                  container(30, GPU_CORE_UTILIZATION_POLICY="disable")])
    for worker in (bare, free, disabled):
        worker.number("small 0.5")
    full = bare.number("small 2")
    for name, worker in (("no_limit", free), ("disabled", disabled)):
        got = worker.number("small 2") / full * 100
        figure(name, round(got, 1))
        expect(got > 94, f"{name} has {got:.1f} % of the bare speed")
    for worker in (bare, free, disabled):
        worker.end()
