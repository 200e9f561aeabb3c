"""The compute limit: what share of the card a program gets, alone and beside another.

Shares are those of a loop that moves memory. One that computes does more than its share of work in its share of time: a
card that rests in between has a higher clock than one at its power limit.
"""

import ctypes
import statistics
import struct
import threading
import time

from checking import Nvml, Skipped, check, environment, expect, figure, region_path
from pytorch import Torch
from visible import Sample

SECONDS, SETTLE = 4, 2
TOLERANCE = 5  # points


def container(percent, **more):
    """A container of its own with that share, whoever else is there."""
    limits = {"CUDA_DEVICE_SM_LIMIT": percent, "GPU_CORE_UTILIZATION_POLICY": "force", **more}
    return environment("16g", region=region_path(), **limits)


PACE = 2011136 + 192  # struct pace_shared of the first card, see region.h


def own_measure(worker):
    """Nanoseconds on the card as the container measured them, as it was charged, and what the driver made of one."""
    with open(worker.region, "rb") as file:
        file.seek(PACE + 8)
        measured, charged, scale = struct.unpack("<QQQ", file.read(24))
    return measured, charged, (scale or 65536) / 65536


class Sampled:
    """What NVML says each process had of the card meanwhile, and what the library thinks of it."""

    def __init__(self, workers):
        self.nvml, self.seen, self.stop = Nvml(), {}, False
        self.workers, self.begun = workers, (time.monotonic(), [own_measure(worker) for worker in workers])
        self.thread = threading.Thread(target=self.look)

    def look(self):
        since = int(time.time() * 1e6)
        while not self.stop and self.nvml.has("nvmlDeviceGetProcessUtilization"):
            count, samples = ctypes.c_uint(512), (Sample * 512)()
            if self.nvml.library.nvmlDeviceGetProcessUtilization(self.nvml.device, samples, ctypes.byref(count),
                                                                 ctypes.c_ulonglong(since)) == 0:
                for sample in samples[:count.value]:
                    if sample.time_stamp > since and sample.sm <= 100:
                        self.seen.setdefault(sample.pid, {})[sample.time_stamp] = sample.sm
            time.sleep(0.05)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop = True
        self.thread.join()

    def figures(self, name):
        """Percent by NVML (the mean of its samples), by the library's own measure, as charged; and the last scale."""
        passed = (time.monotonic() - self.begun[0]) * 1e9
        for worker, before in zip(self.workers, self.begun[1]):
            samples, after = self.seen.get(worker.pid), own_measure(worker)
            figure(f"{name}_{worker.pid}_nvml_own_charged_scale", [
                round(statistics.mean(samples.values()), 1) if samples else None,
                *(round((after[i] - before[i]) / passed * 100, 1) for i in (0, 1)), round(after[2], 2)])
        if len(self.workers) > 1:
            figure(f"{name}_samples", sorted(
                (stamp // 1000 % 10**7, pid, sm) for pid, samples in self.seen.items() for stamp, sm in samples.items()))


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
        workers[index].region = environments[index].get("CUDA_DEVICE_MEMORY_SHARED_CACHE")

    threads = [threading.Thread(target=begin, args=(index,)) for index in range(len(environments))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if None in workers:
        raise Skipped("PyTorch did not start")
    return workers


def full_speed(worker, kind):
    worker.number(f"{kind} 1")
    return worker.number(f"{kind} 2")


@check(seconds=120)
def a_share_alone():
    """One kind that is judged, and for the record what computes, and what is replayed from graphs."""
    shares, off = [10, 30, 50, 90], []
    bare, *limited = start([environment(preload=None)] + [container(share) for share in shares])
    for kind, seconds in (("stream", SECONDS), ("graph-matmul", 2)):
        full = full_speed(bare, kind)
        for share, worker in zip(shares, limited):
            worker.number(f"{kind} {SETTLE}")
            with Sampled([worker]) as sampled:
                got = worker.number(f"{kind} {seconds}") / full * 100
            figure(f"{kind}_{share}", round(got, 1))
            sampled.figures(f"{kind}_{share}")
            if kind == "stream" and abs(got - share) > TOLERANCE:
                off.append(f"{got:.1f} % where {share} % were asked")
    for worker in [bare, *limited]:
        worker.end()
    expect(not off, "; ".join(off))


@check(seconds=120)
def two_tenants_share():
    """Two containers on one card, each held to its part while both are busy. Parts are of the card's time; where they
    fill it, switching between the two takes some of it, as it does where nobody is limited."""
    pairs = [(30, 70), (50, 50), (30, 30)]
    bare, other, *workers = start([environment(preload=None)] * 2 + [container(share) for pair in pairs for share in pair])
    full, off = full_speed(bare, "stream"), []
    together([bare, other], f"stream {SETTLE}")
    unlimited = sum(together([bare, other], f"stream {SETTLE}")) / full
    figure("two_unlimited", round(unlimited * 100, 1))
    for index, pair in enumerate(pairs):
        two = workers[2 * index:2 * index + 2]
        together(two, f"stream {SETTLE}")
        with Sampled(two) as sampled:
            got = [rate / full * 100 for rate in together(two, f"stream {SECONDS}")]
        name = f"{pair[0]}_{pair[1]}"
        figure(name, [round(share, 1) for share in got])
        sampled.figures(name)
        for asked, share in zip(pair, got):
            wanted = asked * min(1, unlimited) if sum(pair) >= 100 else asked
            if abs(share - wanted) > TOLERANCE:
                off.append(f"of {name} one gets {share:.1f} % where {wanted:.1f} % were to be had")
    for worker in [bare, other, *workers]:
        worker.end()
    expect(not off, "; ".join(off))


@check(seconds=60)
def without_a_limit_nothing_is_held_back():
    """Policy disable, and no limit: as fast as bare, asked in turn, within the noise of a few percent."""
    workers = start([environment(preload=None), environment("16g", region=region_path()),
                     container(30, GPU_CORE_UTILIZATION_POLICY="disable")])
    rates = [[] for _ in workers]
    for index in range(4):
        for rate, worker in zip(rates, workers):
            answer = worker.number("small 0.5")
            if index:
                rate.append(answer)
    full, free, disabled = (statistics.median(rate) for rate in rates)
    for name, speed in (("no_limit", free), ("disabled", disabled)):
        figure(name, round(speed / full * 100, 1))
        expect(speed > full * 0.94, f"{name} has {speed / full * 100:.1f} % of the bare speed")
    for worker in workers:
        worker.end()
