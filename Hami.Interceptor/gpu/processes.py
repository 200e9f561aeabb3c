"""One budget for all processes of the container, however they begin and end."""

import threading
import time

from checking import (GIB, MIB, OUT_OF_MEMORY, PRETENDED, SUCCESS, Client, Failed, charged, check,
                      context_bytes, environment, granting, equal,
                      expect, figure, program, region_path, run)


@check(seconds=30)
def two_processes_share_one_limit():
    env = environment(granting(2 * GIB, 2), region=region_path())
    one, two = Client(env), Client(env)
    result, pointer = one.alloc(GIB + GIB // 2)
    equal("the first one's 1.5 GiB", result, SUCCESS)
    equal("the second one's 1 GiB", two.alloc(GIB)[0], OUT_OF_MEMORY)
    equal("the second one's 0.5 GiB", two.alloc(GIB // 2)[0], SUCCESS)
    equal("free for both", (one.info()[0], two.info()[0]), (0, 0))
    equal("cuMemFree", one.ask(f"free {pointer}"), "0")
    equal("free for the second", two.info()[0], GIB + GIB // 2)
    one.end()
    two.end()


@check(seconds=60)
def a_storm_of_two_processes_stays_within():
    """Eight threads allocate and free; what is charged is looked at all the while."""
    region = region_path()
    env = environment(granting(GIB, 2), region=region)
    clients = [Client(env), Client(env)]
    answers, most = [], 0
    threads = [threading.Thread(target=lambda c=c: answers.append(c.ask(f"hammer 4 1500 {96 * MIB}", 50)))
               for c in clients]
    begin = time.monotonic()
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        most = max(most, sum(charged(region).values()))
        time.sleep(0.002)
    figure("seconds", round(time.monotonic() - begin, 2))
    figure("most_charged_mib", most // MIB)
    figure("answers", answers)
    equal("answers", len(answers), 2)
    for answer in answers:
        expect(answer.startswith("wrong 0 "), f"the storm says: {answer}")
    equal("charged afterwards", sum(charged(region).values()), 0)
    for client in clients:
        client.end()


@check(seconds=60)
def killed_processes_give_their_budget_back():
    limit = granting(GIB)
    rounds, env = 3 if PRETENDED else 5, environment(limit + context_bytes(), region=region_path())
    waiting = Client(env)
    for _ in range(rounds):
        victim = Client(env)
        equal("the whole limit", victim.alloc(GIB)[0], SUCCESS)
        equal("one byte for the other", waiting.alloc(1)[0], OUT_OF_MEMORY)
        victim.kill()
        begin = time.monotonic()
        equal("free after the kill", waiting.info()[0], limit)
        figure("seen_after_ms", round((time.monotonic() - begin) * 1000, 2))
    result, pointer = waiting.alloc(limit)
    equal("the whole limit for the other", result, SUCCESS)
    equal("cuMemFree", waiting.ask(f"free {pointer}"), "0")
    waiting.end()


@check(seconds=60)
def killed_in_the_middle_leaves_nothing():
    """Killed while it allocates and frees as fast as it can."""
    region = region_path()
    env = environment(granting(GIB), region=region)
    for round_number in range(4):
        victim = Client(env)
        victim.process.stdin.write(f"hammer 2 100000000 {64 * MIB}\n".encode())
        time.sleep(0.15 + 0.07 * round_number)
        expect(victim.process.poll() is None, "the storm ended by itself")
        victim.kill()
    next_one = Client(env)
    equal("the whole limit for the next", next_one.alloc(GIB)[0], SUCCESS)
    next_one.end()


@check(seconds=30)
def exec_gives_back_what_was_held():
    client = Client(environment(granting(GIB), region=region_path()))
    equal("the whole limit", client.alloc(GIB)[0], SUCCESS)
    client.process.stdin.write(b"exec\n")
    equal("start", client.ask("start 0"), "0")
    equal("the whole limit after exec", client.alloc(GIB)[0], SUCCESS)
    client.end()


@check(seconds=30)
def a_forked_child_neither_hangs_nor_crashes():
    """CUDA does not work in a child forked after cuInit; we must not make that a hang."""
    region = region_path()
    client = Client(environment(granting(GIB), region=region))
    equal("half the limit", client.alloc(GIB // 2)[0], SUCCESS)
    figure("child_alloc_result", int(client.ask(f"fork {GIB // 2}", 15)))
    equal("the child's exit", client.ask("join", 15), "0")
    equal("charged to the parent", charged(region).get(client.pid), GIB // 2)
    client.end()


@check(seconds=30)
def a_child_forked_before_cuda_has_its_own_slot():
    region = region_path()
    client = Client(environment(granting(GIB, 2), region=region), start=False)
    equal("the child's half", client.ask(f"fork {GIB // 2}", 20), "0")
    equal("start", client.ask("start 0"), "0")
    equal("the parent's whole", client.alloc(GIB)[0], OUT_OF_MEMORY)
    equal("the parent's half", client.alloc(GIB // 2)[0], SUCCESS)
    equal("the child's exit", client.ask("join", 15), "0")
    equal("free after the child", client.info()[0], GIB // 2 + context_bytes())
    client.end()


@check(seconds=30)
def children_are_limited_too():
    """Started by a shell that is itself under the interceptor. Without LD_PRELOAD a child is free today: recorded."""
    command = f"{program('gpu/routes')} try dlsym {2 * GIB}"
    env = environment("2g", region=region_path())
    status, _ = run(["/bin/sh", "-c", f"({command}); exit $?"], env)
    equal("the limited child", status, 0)
    status, text = run(["/bin/sh", "-c", f"unset LD_PRELOAD; {command}"], env)
    if "= over" not in text:
        raise Failed("the child without LD_PRELOAD did not run")
    figure("limit_holds_without_LD_PRELOAD", status == 0)


@check(seconds=60)
def many_start_at_once():
    """Eight processes, one region: all start, all are counted."""
    many, region = 4 if PRETENDED else 8, region_path()
    for name, env in (("bare", environment(preload=None)), ("ours", environment("8g", region=region))):
        begin = time.monotonic()
        clients = [Client(env, start=False) for _ in range(many)]
        for client in clients:
            client.process.stdin.write(b"start 0\nalloc 4194304\n")
        for client in clients:
            equal("start", client.read(50), "0")
            equal("an allocation", client.read(50).split()[0], "0")
        figure(f"{name}_seconds", round(time.monotonic() - begin, 2))
        if name == "ours":
            equal("charged", sum(charged(region).values()), many * 4 * MIB)
        for client in clients:
            client.end()
