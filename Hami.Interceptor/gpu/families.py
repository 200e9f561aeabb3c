"""Every family of device memory: is it charged, is it refused beyond the limit, and what does the driver say of it?"""

import time

from checking import (GIB, MIB, OUT_OF_MEMORY, PRETENDED, SUCCESS, TOTAL, Nvml, Worker, charged, check, environment,
                      equal, expect, figure, granting, mib, program, region_path, until)

AMOUNT = 256 * MIB


class Family(Worker):
    """A process that takes one kind of memory: families.c."""

    def __init__(self, kind, argument, env):
        super().__init__([program("gpu/families"), kind, str(argument)], env)
        equal("its start", self.ask("begin"), "0")


def look(name, region, nvml, pid):
    """Bytes charged and bytes by NVML, now."""
    ours = charged(region).get(pid, 0)
    theirs = nvml.of(pid)
    figure(f"{name}_charged_mib", mib(ours))
    figure(f"{name}_nvml_mib", mib(theirs))
    return ours, theirs


def family(kind, is_claimed, amount=AMOUNT, granule=2 * MIB):
    """Charged as it is asked for (is_claimed), or only as what the driver counts beyond that; never not at all."""
    region, nvml = region_path(), Nvml()
    process = Family(kind, amount, environment("4g", region=region))
    before = look("before", region, nvml, process.pid)
    equal("taking", process.ask("take"), str(SUCCESS))
    held = look("held", region, nvml, process.pid)
    if held[1] is not None:
        total = until(lambda: charged(region, field=TOTAL)[process.pid], lambda got: abs(got - held[1]) <= granule)
        figure("total_beyond_nvml_mib", mib(total - held[1]))
        expect(total >= held[1] - granule, f"{total} bytes count where the driver counts {held[1]}")
    equal("giving back", process.ask("give"), str(SUCCESS))
    after = until(lambda: charged(region).get(process.pid, 0), lambda got: got == before[0])
    look("after", region, nvml, process.pid)
    process.end()
    figure("counted", held[0] - before[0] >= amount)
    if held[1] is not None and before[1] is not None:
        figure("by_nvml_beyond_charged_mib", mib(held[1] - before[1] - (held[0] - before[0])))

    small = Family(kind, amount, environment(granting(amount - MIB)))
    refusal = int(small.ask("take"))
    small.kill()
    figure("beyond_the_limit", refusal)
    if is_claimed:
        expect(amount <= held[0] - before[0] <= amount + 2 * granule, f"{held[0] - before[0]} bytes are charged")
        equal("taking more than the limit", refusal, OUT_OF_MEMORY)
    equal("charged after it was given back", after, before[0])


@check(seconds=30)
def family_alloc():
    family("alloc", True)


@check(seconds=30)
def family_pitch():
    family("pitch", True)


@check(seconds=30)
def family_managed():
    family("managed", True)


@check(seconds=30)
def family_async():
    family("async", True)


@check(seconds=30)
def family_async_per_thread():
    family("per-thread", True)


@check(seconds=30)
def family_async_freed_plainly():
    family("async-freed-plainly", True)


@check(seconds=30)
def family_default_pool():
    family("pool", True)


@check(seconds=30)
def family_own_pool():
    family("own-pool", True)


@check(seconds=30)
def family_virtual():
    family("virtual", True)


@check(seconds=30)
def family_kept_by_pool():
    """What a pool keeps after a free stays charged until it is trimmed."""
    family("kept-by-pool", True)


@check(seconds=30)
def family_array():
    family("array", True, granule=32 * MIB)


@check(seconds=30)
def family_array3d():
    family("array3d", True, granule=32 * MIB)


@check(seconds=30)
def family_mipmapped():
    family("mipmapped", True, granule=64 * MIB)  # all levels: a third more


@check(seconds=30)
def family_graph():
    family("graph", True, granule=32 * MIB)


@check(seconds=30)
def family_captured():
    """Allocated and freed in stream order while the stream is captured into a graph."""
    family("captured", True, granule=32 * MIB)


@check(seconds=30)
def family_module():
    family("module", False)


@check(seconds=30)
def family_context():
    """A second context; the first one's cost is before_nvml_mib. Nobody asks for it by size, so it is not refused."""
    family("context", False, MIB)


@check(seconds=30)
def family_ipc():
    """Who exports is charged; what an import adds is recorded."""
    region, nvml = region_path(), Nvml()
    env = environment("4g", region=region)
    giver = Family("export", AMOUNT, env)
    token, result = giver.ask("take").split()
    equal("exporting", result, str(SUCCESS))
    taker = Family("import", token, env)
    look("before_import", region, nvml, taker.pid)
    equal("importing", taker.ask("take"), str(SUCCESS))
    imported = look("imported", region, nvml, taker.pid)
    look("exported", region, nvml, giver.pid)
    figure("import_counted", imported[0] > 0)
    equal("charged in all", sum(charged(region).values()), AMOUNT)
    equal("closing", taker.ask("give"), str(SUCCESS))
    equal("freeing", giver.ask("give"), str(SUCCESS))
    equal("charged at the end", sum(charged(region).values()), 0)
    taker.end()
    giver.end()


@check(seconds=30)
def card_use_bare_and_charged():
    """What one process with one context and 1 GiB takes of the card."""
    nvml, region = Nvml(), region_path()
    idle = nvml.used()
    process = Family("alloc", GIB, environment("4g", region=region))
    with_context = nvml.used()
    equal("taking", process.ask("take"), str(SUCCESS))
    figure("context_mib_of_the_card", mib(with_context - idle))
    figure("context_mib_of_the_process", mib((nvml.of(process.pid) or GIB) - GIB))
    figure("one_gib_mib_of_the_card", mib(nvml.used() - with_context))
    figure("charged_mib", mib(charged(region)[process.pid]))
    process.kill()
    if not PRETENDED:
        begin = time.monotonic()
        while nvml.used() > idle + 8 * MIB and time.monotonic() - begin < 10:
            time.sleep(0.01)
        figure("card_free_again_ms_after_kill", round((time.monotonic() - begin) * 1000))
