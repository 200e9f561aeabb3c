"""The limit is exact, whatever way a program takes to the driver."""

from checking import (GIB, LIBRARY, MIB, OUT_OF_MEMORY, PRETENDED, SUCCESS, Client, Nvml, Skipped, charged, check,
                      context_bytes, environment, granting, equal, expect, figure, mib, program, region_path, run_probe)


@check(seconds=30)
def limit_is_exact_to_the_byte():
    region = region_path()
    limit = granting(GIB)
    client = Client(environment(limit, region=region))
    figure("context_mib", mib(context_bytes()))
    equal("cuMemGetInfo at the start", client.info(), (GIB, limit))
    equal("one byte more than the limit", client.alloc(GIB + 1)[0], OUT_OF_MEMORY)
    result, whole = client.alloc(GIB)
    equal("the whole limit", result, SUCCESS)
    equal("one byte beyond", client.alloc(1)[0], OUT_OF_MEMORY)
    equal("cuMemGetInfo", client.info(), (0, limit))
    equal("charged", charged(region), {client.pid: GIB})
    equal("cuMemFree", client.ask(f"free {whole}"), "0")
    equal("cuMemGetInfo after it", client.info(), (GIB, limit))
    small = [client.alloc(1000)[0] for _ in range(1000)]
    equal("a thousand small ones", set(small), {SUCCESS})
    equal("charged for them", charged(region), {client.pid: 1000 * 1000})
    if not PRETENDED:
        figure("thousand_of_1000_bytes_mib_by_nvml", mib(Nvml().of(client.pid)))
    client.end()


@check(seconds=30)
def cuda_and_nvml_show_the_limit():
    client, used = Client(environment("2g")), context_bytes()
    left = 2 * GIB - used
    equal("cuDeviceTotalMem", client.ask("total 0"), f"0 {2 * GIB}")
    for size in (0, 256 * MIB):
        if size:
            equal("an allocation", client.alloc(size)[0], SUCCESS)
        expected = f"0 total {2 * GIB} used {used + size} free {left - size}"
        equal("cuMemGetInfo", client.info(), (left - size, 2 * GIB))
        equal("nvmlDeviceGetMemoryInfo", client.ask("nvml 0"), expected)
        equal("nvmlDeviceGetMemoryInfo_v2", client.ask("nvml-v2 0"), expected)
    client.end()


@check(seconds=40)
def without_a_limit_everything_is_as_bare():
    bare, ours = Client(environment(preload=None), start=False), Client(environment(), start=False)
    for question in ("start 0", "total 0", "nvml 0", "nvml-v2 0 1", "alloc 0", "alloc-to-null 4096", "free 12345000",
                     "pitch 0 0 4", "total 99", "no-context", "alloc 4096"):
        wanted, got = bare.ask(question), ours.ask(question)
        if question == "nvml 0":  # what is used may change between the two
            wanted, got = wanted.split()[:3], got.split()[:3]
        equal(f"\"{question}\"", got, wanted)
    bare.end()
    ours.end()


@check(seconds=30)
def nonsense_gives_no_memory():
    client = Client(environment("2GiB!"), start=False)
    equal("a context", client.ask("start 0"), str(OUT_OF_MEMORY))  # which would take hundreds of MiB
    client.end()


@check(seconds=40)
def limit_beyond_the_card_shows_the_card():
    bare, ours = Client(environment(preload=None)), Client(environment("900g"))
    equal("cuDeviceTotalMem", ours.ask("total 0"), bare.ask("total 0"))
    equal("total by cuMemGetInfo", ours.info()[1], bare.info()[1])
    figure("total_bytes", bare.info()[1])
    bare.end()
    ours.end()


def route(name):
    for figure_name, value in run_probe([program("gpu/routes"), "try", name, str(2 * GIB)], environment("2g")).items():
        figure(figure_name, value)


@check(seconds=30)
def route_linked():
    client = Client(environment(granting(GIB), ROUTE="link"))
    equal("beyond", client.alloc(GIB + 1)[0], OUT_OF_MEMORY)
    equal("within", client.alloc(GIB)[0], SUCCESS)
    client.end()


@check(seconds=30)
def route_dlsym():
    route("dlsym")


@check(seconds=30)
def route_dlsym_default():
    route("default")


@check(seconds=30)
def route_dlvsym():
    """README does not claim it; SKIP means the driver has no versioned symbols, so it is no way in."""
    status = None
    try:
        route("dlvsym")
    except Skipped:
        status = "finds nothing"
        raise
    finally:
        figure("dlvsym", status or "finds functions")


@check(seconds=30)
def route_cuGetProcAddress():
    route("proc1")


@check(seconds=30)
def route_cuGetProcAddress_v2():
    route("proc2")


@check(seconds=30)
def route_cuGetProcAddress_v2_of_today():
    route("proc2-today")


@check(seconds=30)
def route_cuGetProcAddress_asked_of_itself():
    route("proc-of-proc")


@check(seconds=30)
def route_legacy_stream():
    route("proc2-legacy")


@check(seconds=30)
def route_per_thread_stream():
    route("proc2-per-thread")


@check(seconds=30)
def every_hook_is_answered_with_its_wrapper():
    for name, value in run_probe([program("gpu/routes"), "hooks"], environment("1g", preload=LIBRARY)).items():
        figure(name, value)
        expect(value > 0, "cuGetProcAddress answered none")
