"""Runs the checks, each in a process of its own, and reports: a line each, figures.json and log.txt in OUT."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback

from checking import CHECKS, OUT, PRETENDED, Failed, Skipped

import costs
import families
import limits
import others
import pacing
import processes
import pytorch
import visible

ALL_SECONDS = 320  # a lent machine's time costs

# In the order in which they run: what matters most first.
ROOMS = [visible, limits, families, processes, costs, pytorch, pacing, others]


def inside(name):
    """One check, in this process: 0 passed, 1 failed, 77 nothing to look at; the last line says why."""
    function = next(function for known, function, _ in CHECKS if known == name)
    try:
        function()
    except Skipped as why:
        print(f"SKIP {why}", flush=True)
        return 77
    except Failed as why:
        print(f"FAIL {why}", flush=True)
        return 1
    except Exception as why:  # pylint: disable=broad-except  # whatever it was, the next check runs
        traceback.print_exc(file=sys.stdout)
        print(f"FAIL {type(why).__name__}: {why}", flush=True)
        return 1
    return 0


def run_inside(name, seconds):
    """Exit status (None: it hung) and what was printed, of one check in a process group of its own."""
    with (tempfile.TemporaryDirectory(prefix="libvgpu-gpu-", ignore_cleanup_errors=True) as folder,
          tempfile.TemporaryFile() as output):
        process = subprocess.Popen([sys.executable, __file__, "--inside", name], stdout=output,
                                   stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True,
                                   env={**os.environ, "TMPDIR": folder})
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            status = None
        try:
            os.killpg(process.pid, signal.SIGKILL)  # itself, and whatever it started and left
        except ProcessLookupError:
            pass
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            pass  # stuck in the driver; the next check has its own process
        output.seek(0)
        return status, output.read().decode(errors="replace").splitlines()


def outcome(name, seconds):
    """Verdict, reason, figures and everything printed."""
    status, lines = run_inside(name, seconds)
    figures = {}
    for line in lines:
        if line.startswith("= "):
            _, key, value = line.split(" ", 2)
            try:
                figures[key] = json.loads(value)
            except ValueError:
                figures[key] = value
    reason = next((line[5:] for line in reversed(lines) if line.startswith(("FAIL ", "SKIP "))), "")
    if status is None:
        return "FAIL", f"does not end within {seconds:.0f} s", figures, lines
    if status < 0:
        return "FAIL", f"died of {signal.Signals(-status).name}", figures, lines
    verdict = {0: "PASS", 77: "SKIP"}.get(status, "FAIL")
    return verdict, "" if verdict == "PASS" else reason, figures, lines


def card_is_here():
    """Asked in a process of its own: a driver without a card may do anything."""
    code = "import ctypes, sys; sys.exit(ctypes.CDLL('libcuda.so.1').cuInit(0) != 0)"
    return subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          timeout=60, check=False).returncode == 0


def chosen(words):
    rooms = [room.__name__ for room in ROOMS]
    ordered = sorted(CHECKS, key=lambda entry: rooms.index(entry[1].__module__))
    return [entry for entry in ordered if not words or any(word in entry[0] for word in words)]


def main(words):
    os.makedirs(OUT, exist_ok=True)
    begin, here, report = time.monotonic(), card_is_here(), []
    with open(os.path.join(OUT, "log.txt"), "w", encoding="utf-8") as log:
        for name, _, seconds in chosen(words):
            started = time.monotonic()
            if not here:
                verdict, reason, figures, lines = "SKIP", "no NVIDIA driver here", {}, []
            elif started - begin > ALL_SECONDS - 5:
                verdict, reason, figures, lines = "SKIP", "no time left", {}, []
            else:
                verdict, reason, figures, lines = outcome(name, min(seconds, ALL_SECONDS - (started - begin)))
            took = round(time.monotonic() - started, 2)
            report.append({"name": name, "verdict": verdict, "reason": reason, "seconds": took, "figures": figures})
            shown = ", ".join(f"{key} {value}" for key, value in figures.items())
            print(f"{verdict} {name}: {'; '.join(part for part in (reason, shown) if part)}", flush=True)
            log.write(f"\n==== {verdict} {name} ({took} s)\n" + "\n".join(lines) + "\n")
            log.flush()
    count = {verdict: sum(entry["verdict"] == verdict for entry in report) for verdict in ("PASS", "FAIL", "SKIP")}
    with open(os.path.join(OUT, "figures.json"), "w", encoding="utf-8") as file:
        json.dump({"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "pretended": PRETENDED,
                   "seconds": round(time.monotonic() - begin, 1), "counts": count, "checks": report}, file, indent=1)
    print(f"{count['PASS']} passed, {count['FAIL']} failed, {count['SKIP']} skipped", flush=True)
    return 1 if count["FAIL"] else 0


if __name__ == "__main__":
    sys.exit(inside(sys.argv[2]) if sys.argv[1:2] == ["--inside"] else main(sys.argv[1:]))
