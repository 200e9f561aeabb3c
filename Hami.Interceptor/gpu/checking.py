"""What the checks share: programs that are asked line by line, the region, NVML, verdicts."""

import ctypes
import json
import os
import re
import select
import signal
import statistics
import struct
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.join(os.path.dirname(HERE), "build")
LIBRARY = os.path.join(BUILD, "libvgpu.so")
PRETENDED = bool(os.environ.get("HAMI_FAKE_DRIVER"))
OUT = os.environ.get("OUT") or os.path.join(BUILD, "gpu")
KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
SUCCESS, OUT_OF_MEMORY = 0, 2

CHECKS = []


class Failed(Exception):
    """The check shows something wrong."""


class Skipped(Exception):
    """The check has nothing to look at here."""


def check(seconds):
    """Makes a function a check; its name is the check's, and after so many seconds it counts as hung."""

    def register(function):
        CHECKS.append((function.__name__, function, seconds))
        return function

    return register


def figure(name, value):
    """A figure for the report and for figures.json."""
    print(f"= {name} {json.dumps(value)}", flush=True)


def expect(condition, text):
    if not condition:
        raise Failed(text)


def equal(what, got, wanted):
    expect(got == wanted, f"{what} is {got}, not {wanted}")


def program(name):
    path = os.path.join(BUILD, name)
    if not os.path.exists(path):
        raise Skipped(f"{name} was not built")
    return path


def region_path():
    """A region of its own for whoever asks."""
    return os.path.join(tempfile.mkdtemp(prefix="region-"), "region")


def environment(limit=None, preload=LIBRARY, region=None, **more):
    """The environment of a container with that limit (text as in 2g), or without the interceptor (preload=None)."""
    ours = ("CUDA_DEVICE_MEMORY", "CUDA_DEVICE_SM")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    kept.pop("LD_PRELOAD", None)
    if preload:
        kept["LD_PRELOAD"] = preload
        kept["CUDA_DEVICE_MEMORY_SHARED_CACHE"] = region or region_path()
    if limit:
        kept["CUDA_DEVICE_MEMORY_LIMIT"] = str(limit)
    kept.update({name: str(value) for name, value in more.items()})
    return kept


def run(command, env, seconds=30):
    """Exit status and what was printed; a program that hangs or dies of a signal is a failure."""
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds,
                          stdin=subprocess.DEVNULL, check=False)
    text = done.stdout.decode(errors="replace")
    print(f"$ {' '.join(command)} -> {done.returncode}\n{text}", flush=True)
    if done.returncode < 0:
        raise Failed(f"{os.path.basename(command[0])} died of {signal.Signals(-done.returncode).name}")
    return done.returncode, text


def run_probe(command, env, seconds=30):
    """Runs one of our programs and takes over its figures and verdict (lines = NAME VALUE, FAIL WHY, SKIP WHY)."""
    status, text = run(command, env, seconds)
    figures = {}
    for line in text.splitlines():
        if line.startswith("= "):
            _, name, value = line.split(" ", 2)
            figures[name] = json.loads(value)
        elif line.startswith("FAIL "):
            raise Failed(line[5:])
        elif line.startswith("SKIP "):
            raise Skipped(line[5:])
    equal("its exit status", status, 0)
    return figures


class Worker:
    """A program that answers a line with a line."""

    def __init__(self, command, env, seconds=30):
        self.name = os.path.basename(command[-1] if command[0].endswith("python3") else command[0])
        self.seconds = seconds
        self.buffer = b""
        self.process = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self.pid = self.process.pid

    def read(self, seconds=None):
        while b"\n" not in self.buffer:
            if not select.select([self.process.stdout], [], [], seconds or self.seconds)[0]:
                raise Failed(f"{self.name} does not answer")
            got = os.read(self.process.stdout.fileno(), 65536)
            if not got:
                raise Failed(f"{self.name} ended with {self.process.wait()}; it said {self.buffer.decode()!r}")
            self.buffer += got
        line, self.buffer = self.buffer.split(b"\n", 1)
        text = line.decode(errors="replace")
        if text.startswith("SKIP "):
            raise Skipped(text[5:])
        if text.startswith("FAIL "):
            raise Failed(text[5:])
        return text

    def ask(self, line, seconds=None):
        try:
            self.process.stdin.write(line.encode() + b"\n")
        except BrokenPipeError:
            pass  # reading says why
        answer = self.read(seconds)
        print(f"{self.pid} {line} -> {answer}", flush=True)
        return answer

    def number(self, line, seconds=None):
        return float(self.ask(line, seconds).split()[0])

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        self.process.stdin.close()
        status = self.process.wait(self.seconds)
        equal(f"the exit status of {self.name}", status, 0)


class Client(Worker):
    """tests/client: a CUDA program that does what it is told."""

    def __init__(self, env, start=True):
        super().__init__([program("tests/client")], env)
        if start:
            equal("start", self.ask("start 0"), "0")

    def take(self, question):
        """Result and pointer (text)."""
        result, pointer = self.ask(question).split()[:2]
        return int(result), pointer

    def alloc(self, size):
        return self.take(f"alloc {size}")

    def info(self):
        """Free and total bytes, by CUDA."""
        result, free, total = re.fullmatch(r"(\d+) free (\d+) total (\d+)", self.ask("info")).groups()
        equal("cuMemGetInfo", result, "0")
        return int(free), int(total)


def context_bytes():
    """What a context of tests/client takes of its limit; asked once."""
    known = os.path.join(OUT, "context-bytes")
    if not os.path.exists(known):
        client = Client(environment("32g"))
        free, total = client.info()
        client.end()
        with open(known, "w", encoding="utf-8") as file:
            file.write(str(total - free))
    with open(known, encoding="utf-8") as file:
        return int(file.read())


def granting(size, contexts=1):
    """A limit under which so many bytes are left for memory when every process has its context."""
    return size + contexts * context_bytes()


# HAMi's v1.2 layout of the region, see region.h.
PROCESSES, PROCESS_BYTES, PROCESSES_MAX, USED = 1856, 1960, 1024, 8


DATA, TOTAL = 16, 32  # of struct v1_used


def charged(region, account=0, field=DATA):
    """Bytes that the processes in the region hold on a card, by pid: what they asked for, or all that counts (TOTAL)."""
    if not os.path.exists(region):
        return {}
    with open(region, "rb") as file:
        text = file.read(PROCESSES + PROCESS_BYTES * PROCESSES_MAX)
    found = {}
    for at in range(PROCESSES, len(text) - PROCESS_BYTES + 1, PROCESS_BYTES):
        pid = struct.unpack_from("<i", text, at)[0]
        if pid:
            found[pid] = struct.unpack_from("<Q", text, at + USED + 64 * account + field)[0]
    return found


def until(question, holds, seconds=2.5):
    """The answer, asked again until it holds or time is up: what the watcher looks at takes it a few looks."""
    begin = time.monotonic()
    answer = question()
    while not holds(answer) and time.monotonic() - begin < seconds:
        time.sleep(0.02)
        answer = question()
    return answer


class ProcessInfo(ctypes.Structure):
    """nvmlProcessInfo_v2_t, what nvmlDeviceGetComputeRunningProcesses_v3 writes."""

    _fields_ = [("pid", ctypes.c_uint), ("used_bytes", ctypes.c_ulonglong), ("gpu_instance", ctypes.c_uint),
                ("compute_instance", ctypes.c_uint)]


class Memory(ctypes.Structure):
    """nvmlMemory_t."""

    _fields_ = [("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong)]


class Nvml:
    """The card as NVML sees it from outside the container."""

    def __init__(self):
        try:
            self.library = ctypes.CDLL("libnvidia-ml.so.1")
        except OSError as missing:
            raise Skipped("no libnvidia-ml.so.1") from missing
        equal("nvmlInit_v2", self.library.nvmlInit_v2(), 0)
        self.device = ctypes.c_void_p()
        equal("nvmlDeviceGetHandleByIndex_v2",
              self.library.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(self.device)), 0)

    def has(self, name):
        return hasattr(self.library, name)

    def used(self):
        memory = Memory()
        equal("nvmlDeviceGetMemoryInfo", self.library.nvmlDeviceGetMemoryInfo(self.device, ctypes.byref(memory)), 0)
        return memory.used

    def processes(self):
        """Bytes by pid; None where the driver does not say."""
        name = "nvmlDeviceGetComputeRunningProcesses_v3"
        if not self.has(name):
            return None
        count, found = ctypes.c_uint(256), (ProcessInfo * 256)()
        result = getattr(self.library, name)(self.device, ctypes.byref(count), found)
        return {found[i].pid: found[i].used_bytes for i in range(count.value)} if result == 0 else None

    def of(self, pid):
        """Bytes NVML says a process holds; None where it does not say."""
        used = (self.processes() or {}).get(pid)
        return None if used is None or used == 2**64 - 1 else used


def mib(value):
    return None if value is None else round(value / MIB, 1)


def compare(name, bare, ours, lower_is_better):
    """Medians of interleaved repetitions, the overhead in percent, and how far bare ones differ among themselves."""
    median, other = statistics.median(bare), statistics.median(ours)
    if lower_is_better:
        ratios = [b / a for a, b in zip(bare, ours)]
    else:
        ratios = [a / b for a, b in zip(bare, ours)]
    overhead = (statistics.median(ratios) - 1) * 100
    noise = (statistics.quantiles(bare, n=4)[2] - statistics.quantiles(bare, n=4)[0]) / median * 100
    figure(f"{name}_bare", round(median, 3))
    figure(f"{name}_ours", round(other, 3))
    figure(f"{name}_overhead_percent", round(overhead, 2))
    figure(f"{name}_noise_percent", round(noise, 2))
    return overhead, noise, other - median
