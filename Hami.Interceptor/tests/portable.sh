#!/bin/sh
# Checks that a libvgpu.so loads where it must: portable.sh LIBRARY. Names what is wrong, and ends with 1.
set -eu
approved=$(dirname "$0")/approved/exports.txt
library=$1
wrong=0

complain() {
    echo "$library: $1"
    wrong=1
}

newest=$(readelf -V -W "$library" | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -1)
[ "$(printf '%s\nGLIBC_2.17\n' "$newest" | sort -V | tail -1)" = GLIBC_2.17 ] || complain "needs $newest, newer than GLIBC_2.17"

others=$(readelf -d -W "$library" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' |
    grep -vxE 'libc\.so\.6|libdl\.so\.2|libpthread\.so\.0|ld-linux-aarch64\.so\.1' || true)
[ -z "$others" ] || complain "needs $others"

exports=$(readelf --dyn-syms -W "$library" | awk '$7 != "UND" && $5 != "LOCAL" && NR > 3 && $8 != "" { print $8 }' | LC_ALL=C sort)
[ "$exports" = "$(cat "$approved")" ] || complain "exports other names than tests/approved/exports.txt"

readelf -l -W "$library" | grep -q 'GNU_STACK.* RW ' || complain "has an executable stack"
readelf -l -W "$library" | grep -q GNU_RELRO || complain "has no RELRO"
readelf -d -W "$library" | grep -qE 'FLAGS.*NOW' || complain "does not bind at once (NOW)"
! readelf -d -W "$library" | grep -q TEXTREL || complain "has relocations in its code"

[ $wrong = 1 ] || echo "$library: loads from GLIBC_2.17 on (needs $newest), exports what is approved"
exit $wrong
