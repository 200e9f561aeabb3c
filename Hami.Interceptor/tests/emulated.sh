#!/bin/sh
# A limited program of another machine's, in $EMULATOR: emulated.sh BUILD. It must be given what the limit allows, and no more.
set -eu
build=$(realpath "$1")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
echo 'GPU-00000000-0000-0000-0000-0000000000aa;Pretended A100;40960;108' >"$folder/cards"

allocate() {
    $EMULATOR -E LD_PRELOAD="$build/libvgpu.so" -E LD_LIBRARY_PATH="$build/driver" -E HAMI_FAKE_DRIVER="$folder/cards" \
        -E CUDA_DEVICE_MEMORY_SHARED_CACHE="$folder/region" -E CUDA_DEVICE_MEMORY_LIMIT=1g "$build/bin/lab-cuda" alloc "$1"
}

allocate 1024 >/dev/null
if allocate 1025 >/dev/null; then
    echo "$build: more was given than the limit allows"
    exit 1
fi
echo "$build: limited in the emulator"
