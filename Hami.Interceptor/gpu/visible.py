"""What nvidia-smi and NVML show."""

import ctypes
import os
import re
import shutil
import sys
import time

from checking import (BUILD, GIB, MIB, PRETENDED, Client, Nvml, Skipped, Worker, check, environment, equal, expect,
                      figure, granting, program, region_path, run)


def nvidia_smi():
    path = os.path.join(BUILD, "bin", "nvidia-smi") if PRETENDED else shutil.which("nvidia-smi")
    if not path:
        raise Skipped("no nvidia-smi")
    return path


def memory_shown(text):
    """Used and total MiB in nvidia-smi's table."""
    found = re.search(r"(\d+)MiB\s*/\s*(\d+)MiB", text)
    expect(found, "the table shows no memory")
    return int(found.group(1)), int(found.group(2))


@check(seconds=40)
def nvidia_smi_bare():
    begin = time.monotonic()
    status, text = run([nvidia_smi()], environment(preload=None))
    figure("seconds", round(time.monotonic() - begin, 2))
    equal("its exit status", status, 0)
    used, total = memory_shown(text)
    figure("used_mib", used)
    figure("total_mib", total)


@check(seconds=60)
def nvidia_smi_shows_the_limit():
    region = region_path()
    env = environment("4g", region=region)
    client = Client(env)
    equal("an allocation", client.alloc(GIB)[0], 0)
    begin = time.monotonic()
    status, text = run([nvidia_smi()], env)
    figure("seconds", round(time.monotonic() - begin, 2))
    equal("its exit status", status, 0)
    equal("used and total", memory_shown(text), (granting(GIB) // MIB, 4096))
    figure("processes_listed", len(re.findall(r"^\|\s+\d+\s+\S+\s+\S+\s+\d+\s+[CGM+]+\s", text, re.M)))
    figure("own_pid_listed", f" {client.pid} " in text)
    client.end()


@check(seconds=60)
def nvidia_smi_queries_show_the_limit():
    if PRETENDED:
        raise Skipped("the pretended nvidia-smi has no queries")
    env = environment("4g", region=region_path())
    status, text = run([nvidia_smi(), "--query-gpu=memory.total,memory.used,memory.free,memory.reserved",
                        "--format=csv,noheader,nounits"], env)
    equal("its exit status", status, 0)
    total, used, free, reserved = (int(word) for word in text.splitlines()[0].split(","))
    figure("query", {"total": total, "used": used, "free": free, "reserved": reserved})
    equal("total, used, free", (total, used, free), (4096, 0, 4096))
    status, text = run([nvidia_smi(), "-q", "-d", "MEMORY"], env)
    equal("its exit status", status, 0)
    frame = text.split("FB Memory Usage")[1].split("BAR1")[0]
    figure("frame_buffer", dict(re.findall(r"(\w+)\s+: (\d+) MiB", frame)))
    equal("total in -q", re.search(r"Total\s+: (\d+) MiB", frame).group(1), "4096")


PYNVML = """
import pynvml
pynvml.nvmlInit()
device = pynvml.nvmlDeviceGetHandleByIndex(0)
print("v1", pynvml.nvmlDeviceGetMemoryInfo(device).total)
print("v2", pynvml.nvmlDeviceGetMemoryInfo(device, version=pynvml.nvmlMemory_v2).total)
"""


@check(seconds=30)
def pynvml_shows_the_limit():
    if run([sys.executable, "-c", "import pynvml"], environment(preload=None))[0] != 0:
        raise Skipped("no pynvml here")
    status, text = run([sys.executable, "-c", PYNVML], environment("4g"))
    equal("its exit status", status, 0)
    equal("the totals", text.split()[-4:], ["v1", str(4 * GIB), "v2", str(4 * GIB)])


@check(seconds=30)
def nvml_says_what_a_process_holds():
    """Does the pid NVML answers with match ours, and do its bytes?"""
    nvml = Nvml()
    if nvml.processes() is None:
        raise Skipped("the driver does not list processes")
    client = Client(environment("2g"))
    equal("an allocation", client.alloc(512 * MIB)[0], 0)
    found = nvml.processes()
    figure("pids", sorted(found))
    figure("own_pid_listed", client.pid in found)
    figure("own_mib", None if client.pid not in found else found[client.pid] // MIB)
    client.end()


@check(seconds=30)
def health_events_are_there():
    """The node agent wants to hear of XIDs; 0 is success. Recorded only."""
    nvml, events, kinds = Nvml(), ctypes.c_void_p(), ctypes.c_ulonglong()
    if not nvml.has("nvmlEventSetCreate"):
        raise Skipped("the driver has no event sets")
    library = nvml.library
    equal("nvmlEventSetCreate", library.nvmlEventSetCreate(ctypes.byref(events)), 0)
    figure("supported_types_result", library.nvmlDeviceGetSupportedEventTypes(nvml.device, ctypes.byref(kinds)))
    figure("supported_types", hex(kinds.value))
    critical_xid = 0x8
    figure("register_result",
           library.nvmlDeviceRegisterEvents(nvml.device, ctypes.c_ulonglong(critical_xid), events))
    data = (ctypes.c_ubyte * 256)()
    figure("wait_result", library.nvmlEventSetWait_v2(events, data, 20))  # 10: a time-out, nothing has happened
    library.nvmlEventSetFree(events)


class Sample(ctypes.Structure):
    """nvmlProcessUtilizationSample_t."""

    _fields_ = [("pid", ctypes.c_uint), ("time_stamp", ctypes.c_ulonglong), ("sm", ctypes.c_uint),
                ("memory", ctypes.c_uint), ("encoder", ctypes.c_uint), ("decoder", ctypes.c_uint)]


@check(seconds=30)
def utilisation_by_process_is_sampled():
    """How often, and under which pid: an SM limit will steer by it."""
    nvml = Nvml()
    if not nvml.has("nvmlDeviceGetProcessUtilization"):
        raise Skipped("the driver does not sample processes")
    busy = Worker([program("gpu/costs")], environment(preload=None))
    busy.read()
    busy.process.stdin.write(b"spin 3000\n")
    stamps, begin, seen = {}, 0, []
    until = time.monotonic() + 3
    while time.monotonic() < until:
        count, samples = ctypes.c_uint(512), (Sample * 512)()
        result = nvml.library.nvmlDeviceGetProcessUtilization(nvml.device, samples, ctypes.byref(count),
                                                              ctypes.c_ulonglong(begin))
        for sample in samples[:count.value] if result == 0 else []:
            if sample.time_stamp:
                stamps[sample.time_stamp] = (sample.pid, sample.sm)
                begin = max(begin, sample.time_stamp)
        seen.append(result)
        time.sleep(0.02)
    busy.read(20)
    busy.end()
    times = sorted(stamps)
    gaps = sorted(b - a for a, b in zip(times, times[1:]))
    figure("results", sorted(set(seen)))
    figure("samples", len(times))
    figure("gap_ms_median", None if not gaps else round(gaps[len(gaps) // 2] / 1000, 1))
    figure("own_pid_seen", busy.pid in {pid for pid, _ in stamps.values()})
    figure("sm_percent", [sm for _, sm in stamps.values()][-5:])


@check(seconds=20)
def card_attributes():
    """Facts of the card that decide what an escape could be (pageable memory on the card) and what can be shared."""
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError as missing:
        raise Skipped("no libcuda.so.1") from missing
    equal("cuInit", cuda.cuInit(0), 0)
    if not hasattr(cuda, "cuDeviceGetAttribute"):
        raise Skipped("the driver has no attributes")
    attributes = {"multiprocessors": 16, "compute_mode": 20, "unified_addressing": 41, "major": 75, "minor": 76,
                  "managed_memory": 83, "pageable_memory_access": 88, "concurrent_managed_access": 89,
                  "virtual_memory": 102, "memory_pools": 115, "multicast": 132}
    value = ctypes.c_int()
    for name, number in attributes.items():
        result = cuda.cuDeviceGetAttribute(ctypes.byref(value), number, 0)
        figure(name, value.value if result == 0 else f"result {result}")
    version = ctypes.c_int()
    cuda.cuDriverGetVersion(ctypes.byref(version))
    figure("cuda_version", version.value)
