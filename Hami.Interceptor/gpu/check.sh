#!/bin/sh
# Builds libvgpu.so, notes the facts of the card, and checks on it what the interceptor does: a line per check, the rest
# in OUT (else build/gpu). Changes no setting of the card. With words: only the checks whose names have one of them.
# --pretend first: on the pretended driver, to try the checks themselves.
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$here/.." && pwd)/build
export OUT="${OUT:-$build/gpu}"
export PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
unset LD_PRELOAD
mkdir -p "$OUT"
rm -f "$OUT/context-bytes" # of another card

# A compiler newer than ours may warn of more; that is no reason to leave without a look at the card.
if ! make -C "$here/.." -j"$(nproc)" CFLAGS="-O2 -g -Wno-error" gpu-programs >"$OUT/log.txt" 2>&1; then
    tail -20 "$OUT/log.txt"
    echo "FAIL build: see $OUT/log.txt"
    echo "0 passed, 1 failed, 0 skipped"
    exit 1
fi

pretended=
if [ "${1:-}" = --pretend ]; then
    shift
    pretended=$(mktemp -d)
    HAMI_FAKE_DRIVER=$pretended/cards
    export HAMI_FAKE_DRIVER LD_LIBRARY_PATH="$build/driver" HAMI_FAKE_CONTEXT=518
    echo "GPU-00000000-0000-0000-0000-0000000000aa;Pretended H100;81559;132" >"$HAMI_FAKE_DRIVER"
fi

fact() {
    printf '\n==== %s\n' "$*"
    timeout -k 2 20 "$@" 2>&1
    printf -- '---- exit %s\n' "$?"
}

# Where the loader finds a library, once it is in a process.
path_of() {
    timeout -k 2 20 python3 -c "
import ctypes
try:
    ctypes.CDLL('$1')
    print(next(line.split()[-1] for line in open('/proc/self/maps') if '$2' in line))
except (OSError, StopIteration):
    pass"
}

facts() {
    fact uname -a
    fact cat /proc/driver/nvidia/version
    fact sh -c 'ls -l /dev/nvidia* /proc/self/ns/pid; cat /sys/fs/cgroup/cgroup.controllers'
    fact sh -c 'ldd --version | head -1; gcc --version | head -1; env | grep -E "^(NVIDIA|CUDA|PYTORCH|LD_)"'
    fact nvidia-smi
    fact nvidia-smi -L
    fact nvidia-smi -q
    fact nvidia-smi topo -m
    fact nvidia-smi mig -lgip
    fact nvidia-smi mig -lgipp
    fact nvidia-smi --query-compute-apps=pid,used_memory,name --format=csv
    fact nvidia-smi pmon -c 1
    echo
    echo "==== libraries"
    echo "$1"
    echo "$2"
    if [ -n "$1" ]; then
        nm -D --defined-only "$1" | sort -k3 >"$OUT/libcuda-exports.txt"
        fact sh -c "readelf -d '$1' | grep -E 'SONAME|NEEDED|SYMBOLIC|FLAGS'; readelf -V '$1' | grep -A8 'Version def'"
        echo
        echo "==== what the driver calls through its own exports (a wrapper would be called from within)"
        readelf -rW "$1" | grep -oE ' cu[A-Z][A-Za-z0-9_]*' | sort | uniq -c
        echo
        echo "==== driver functions that share an address (one wrapper could stand for another)"
        awk '{ seen[$1] = seen[$1] " " $3; n[$1]++ } END { for (a in n) if (n[a] > 1) print a seen[a] }' \
            "$OUT/libcuda-exports.txt" | sort | head -60
    fi
    if [ -n "$2" ]; then
        nm -D --defined-only "$2" | sort -k3 >"$OUT/nvml-exports.txt"
        echo
        echo "==== NVML functions of interest"
        grep -oE 'nvml[A-Za-z]+(_v[0-9]+)?' "$OUT/nvml-exports.txt" | sort -u |
            grep -E 'Process|MemoryInfo|Mig|Instance|Event|FieldValues|GetHandle|Accounting|Utilization'
    fi
    fact "$build/gpu/routes" addresses
}

# Somebody who has the card open: without one, a driver that does not persist starts it anew for every program.
python3 -c "
import ctypes, time
nvml = ctypes.CDLL('libnvidia-ml.so.1')
nvml.nvmlInit_v2()
nvml.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(ctypes.c_void_p()))
time.sleep(600)" 2>/dev/null &
holder=$!
trap 'kill $holder 2>/dev/null; rm -rf ${pretended:+"$pretended"}' EXIT

cuda=$(path_of libcuda.so.1 libcuda.so)
nvml=$(path_of libnvidia-ml.so.1 libnvidia-ml.so)
if [ -n "$cuda" ]; then
    facts "$cuda" "$nvml" >"$OUT/facts.txt"
    echo "facts: $OUT/facts.txt"
else
    echo "no NVIDIA driver here" >"$OUT/facts.txt"
fi

python3 "$here/run.py" "$@" | tee "$OUT/report.txt"
tail -1 "$OUT/report.txt" | grep -q ' 0 failed,'
