"""What the interceptor costs, bare and ours asked in turn."""

import statistics
import time

from checking import (PRETENDED, Skipped, Worker, check, compare, environment, expect, figure, program)

ROUNDS = 3 if PRETENDED else 11


def in_turn(bare, ours, question, rounds=ROUNDS):
    """Answers of both; who goes first changes every round."""
    answers = {bare: [], ours: []}
    for index in range(rounds):
        for worker in (bare, ours) if index % 2 == 0 else (ours, bare):
            answers[worker].append(worker.number(question))
    if min(answers[bare]) < 0:
        return None
    return answers[bare], answers[ours]


def workers(limit):
    pair = [Worker([program("gpu/costs")], env) for env in (environment(preload=None), environment(limit))]
    for worker in pair:
        worker.read()
    return pair


def measure(name, questions, budget_ns):
    """The first answers warm up. Over budget: more than so many ns, one percent and the noise above bare."""
    bare, ours = workers("8g")
    over = []
    for short, question in questions.items():
        in_turn(bare, ours, question, 1)
        answers = in_turn(bare, ours, question)
        if not answers:
            raise Skipped(f"the driver cannot {question.split()[0]}")
        percent, noise, above = compare(f"{short}_ns", *answers, lower_is_better=True)
        if above > budget_ns and percent > 1 + noise and not PRETENDED:
            over.append(f"{short} costs {above:.0f} ns ({percent:.1f} %) more than bare")
    bare.end()
    ours.end()
    expect(not over, f"{name}: {'; '.join(over)}")


@check(seconds=40)
def launch_cost():
    measure("launching", {"launch": "launch 20480"}, 3)


@check(seconds=60)
def alloc_cost():
    measure("allocating", {"alloc_64k": "alloc 500 65536", "alloc_32m": "alloc 100 33554432", "info": "info 500"}, 100)


@check(seconds=40)
def async_alloc_cost():
    """Five short questions to the driver, which it answers in 0.1 to 0.3 us each."""
    measure("allocating in stream order", {"async_1m": "async 1000 1048576"}, 2000)


@check(seconds=60)
def start_up():
    """From the program's start to its first 2 MiB, in which we ask NVML for the card's place."""
    spans = {"bare": [], "ours": []}
    for index in range(2 if PRETENDED else 5):
        for name in ("bare", "ours") if index % 2 == 0 else ("ours", "bare"):
            begin = time.monotonic()
            worker = Worker([program("gpu/costs")], environment(preload=None) if name == "bare" else environment("8g"))
            words = worker.read().split()
            spans[name].append({"wall_ms": (time.monotonic() - begin) * 1000,
                                **dict(zip(words[::2], map(float, words[1::2])))})
            worker.end()
    for name, found in spans.items():
        for key in found[0]:
            figure(f"{name}_{key}", round(statistics.median(span[key] for span in found), 2))
