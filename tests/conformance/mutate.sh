#!/bin/sh
# mutate.sh SOURCE_ROOT WORK_DIR COMPILER LIBRARY…: every barrier must be needed, and the race checker must notice.
#
# Removes each SYNC of the kernels in turn (from a copy), builds what includes it, and runs the race checker on those
# kernels; a mutant whose results are all right survives, and that is a failure: either the barrier is redundant and
# should go, or a case is missing. LIBRARY: all that the race checker consists of but the kernels.
set -eu
root=$1 work=$2 cc=$3
shift 3
flags="-std=gnu11 -O1 -DCHECK_RACES -DKERNEL_PREFIX=kas_race_kernel_ -I$root"

rm -rf "$work"
mkdir -p "$work/kernels"
cp "$root"/kernels/*.k "$root"/kernels/*.h "$work/kernels/"

build() { # build KERNEL OBJECT: from the copy
    # shellcheck disable=SC2086
    $cc -I"$work" $flags -x c -c "$work/kernels/$1.k" -o "$2"
}

for source in "$work"/kernels/*.k; do
    build "$(basename "$source" .k)" "${source%.k}.o"
done

# Kernels whose text includes a file, by way of other headers too.
users() {
    case $1 in
    *.k) basename "$1" .k ;;
    *)
        for source in "$work"/kernels/*.k; do
            if $cc -I"$work" $flags -x c -MM "$source" | grep -q "kernels/$1"; then basename "$source" .k; fi
        done
        ;;
    esac
}

survived() { # survived KERNEL…: links with mutants where there are some
    objects=
    for source in "$work"/kernels/*.k; do
        object=${source%.k}.o
        if [ -e "$object.mutant" ]; then object=$object.mutant; fi
        objects="$objects $object"
    done
    # shellcheck disable=SC2086
    $cc $objects "$@" -lpthread -lm -o "$work/race"
    for kernel in $kernels; do
        if ! "$work/race" "$kernel" >/dev/null 2>&1; then return 1; fi
    done
    return 0
}

tried=0 survivors=0
kernels=
if ! survived "$@"; then exit 2; fi
covered=$("$work/race" --list)
kernels=$covered
if ! survived "$@"; then
    echo "the race checker fails without any mutation" >&2
    exit 2
fi
for file in $(cd "$work/kernels" && grep -l 'SYNC;' ./*.k ./*.h | sed 's|^\./||' | grep -v '^dialect.h$'); do
    kernels=$(users "$file" | grep -Fx "$covered" || true)
    if [ -z "$kernels" ]; then continue; fi
    cp "$work/kernels/$file" "$work/original"
    for line in $(grep -n 'SYNC;' "$work/original" | cut -d: -f1); do
        sed "${line}s/SYNC;/;/" "$work/original" >"$work/kernels/$file"
        for kernel in $kernels; do build "$kernel" "$work/kernels/$kernel.o.mutant"; done
        tried=$((tried + 1))
        if survived "$@"; then
            survivors=$((survivors + 1))
            echo "$file:$line: nobody noticed that this barrier was gone" >&2
        fi
        rm -f "$work"/kernels/*.mutant
    done
    cp "$work/original" "$work/kernels/$file"
done
echo "$tried barriers removed in turn, $survivors unnoticed"
[ "$tried" -gt 0 ] && [ "$survivors" -eq 0 ]
