#!/bin/sh
# mutate.sh barriers|early|bounds SOURCE_ROOT FOLDER WORK_DIR COMPILER LIBRARY…: what the kernels of a folder do for
# safety must be needed, and the race checker must notice when it is gone.
#
#   barriers  every SYNC, and of copies that run beside a kernel every commit and wait
#   early     one set of those copies more is not waited for
#   bounds    every ITEMS_BELOW (all items then run) and every comparison of a place with a size; kernels are built with
#             the address sanitizer, which sees what strays
#
# Removes each in turn from a copy of the kernels, builds what includes it, and runs the race checker on those kernels.
# A mutant whose results are all right survives, and that is a failure: either it is redundant and should go, or a case
# is missing. WORK_DIR/table: a line for each, for docs/mutations.md. LIBRARY: all that the race checker consists of but
# the kernels.
set -eu
what=$1 root=$2 folder=$3 work=$4 cc=$5
shift 5
flags="-std=gnu11 -O1 -DCHECK_RACES -DKERNEL_PREFIX=kas_race_kernel_ -I$root"
link=
case $what in
barriers) found='\bSYNC;\?\|ASYNC_WAIT([^;]*);\|ASYNC_COMMIT;' becomes=';' ;;
early) found='ASYNC_WAIT(' becomes='ASYNC_WAIT(1 + ' ;;
bounds)
    found='ITEMS_BELOW([a-z][^{]*{\|\(\b\(row\|col\|k\|e\|y\|x\|at\)\|(row)\) < \(rows\|count\|args\.[a-z_]*\(\[d\]\)\?\)' becomes=
    found="$found"'\|(row0) + r < (rows)\|left <= 0\|left < size\|count > 0\|ALIGNED16([A-Z])\|[a-z.]* % 4 == 0'
    flags="$flags -fsanitize=address"
    link=-fsanitize=address
    ;;
*) exit 2 ;;
esac
export ASAN_OPTIONS=detect_stack_use_after_return=0:detect_leaks=0

case $folder in
kernels/cuda) suffix=cu texts='./*.k' ;; # headers: the device's own words and how tests play them
*) suffix=k texts='./*.k ./*.h' ;;
esac

rm -rf "$work"
mkdir -p "$work/$folder"
cp "$root/$folder"/*.k "$root/$folder"/*.h "$root/$folder"/*."$suffix" "$work/$folder/"

build() { # build KERNEL OBJECT: from the copy
    # shellcheck disable=SC2086
    $cc -I"$work" $flags -x c -c "$work/$folder/$1.$suffix" -o "$2"
}

for source in "$work/$folder"/*."$suffix"; do
    build "$(basename "$source" ".$suffix")" "${source%."$suffix"}.o"
done

# Kernels whose text is a file or includes it, by way of other headers too.
users() {
    for source in "$work/$folder"/*."$suffix"; do
        if $cc -I"$work" $flags -x c -MM "$source" | grep -q "$folder/$1"; then basename "$source" ".$suffix"; fi
    done
}

# Sets of kernels of which one at least has to notice, a line each: all that use a file, but each by itself where they
# are built for several types of weights.
sets() {
    case $(users "$1") in
    *_bf16*) users "$1" ;;
    *) users "$1" | tr '\n' ' ' && echo ;;
    esac
}

survived() { # survived LIBRARY…: links with mutants where there are some, and runs the cases of $kernels; else $by noticed
    objects=
    for source in "$work/$folder"/*."$suffix"; do
        object=${source%."$suffix"}.o
        if [ -e "$object.mutant" ]; then object=$object.mutant; fi
        objects="$objects $object"
    done
    # shellcheck disable=SC2086
    $cc $link $objects "$@" -lpthread -lm -o "$work/race" || exit 2
    for kernel in $kernels; do
        by=$kernel
        if ! "$work/race" "$kernel" >/dev/null 2>&1; then return 1; fi
    done
    return 0
}

# Bounds that only save work: phases that read nothing but the items' own memory or an element that is there for all, or
# that look at every access themselves; and the ends of loops.
only_saves() { # only_saves FILE TEXT
    case $1:$2 in
    *'for ('* | *'{ MY(a)[0] ='* | act_phase.h:* | *'= T[start]; }'* | conv.k:*'ITEMS_BELOW(below) {') [ "$what" = bounds ] ;;
    *) false ;;
    esac
}

# The original with the n-th match of a line taken out; fails when there is none.
mutated() { # mutated FILE LINE N
    case $what:$(sed -n "$2p" "$work/original") in
    bounds:*ITEMS_BELOW*) becomes='ITEMS {' ;;
    bounds:*'left <= 0'*) becomes=false ;;
    bounds:*) becomes=true ;;
    esac
    sed "$2s/$found/$becomes/$3" "$work/original" >"$work/$folder/$1"
    ! cmp -s "$work/original" "$work/$folder/$1"
}

# A line of the table.
note() { # note FILE LINE_OF_TEXT N NOTICED
    shown=$(printf '%s' "$2" | sed 's/^ *//; s/ *\\$//; s/|/\\|/g')
    if [ "$3" -gt 1 ]; then shown="match $3 of $shown"; fi
    if [ "$what" = early ]; then shown="one set later: $shown"; fi
    printf '| `%s` | `%s` |%s |\n' "$folder/$1" "$shown" "$4" >>"$work/table"
}

tried=0 survivors=0
kernels=$(for source in "$work/$folder"/*."$suffix"; do basename "$source" ".$suffix"; done)
if ! survived "$@"; then
    echo "the race checker fails without any mutation" >&2
    exit 2
fi
# subgroup_reduce.h has no reading in C: tests/opencl/test_subgroups.c takes its barriers out.
# shellcheck disable=SC2086
for file in $(cd "$work/$folder" && grep -l "$found" $texts | sed 's|^\./||' |
    grep -vx -e dialect.h -e subgroup_reduce.h); do
    sets "$file" >"$work/sets"
    cp "$work/$folder/$file" "$work/original"
    for line in $(grep -n "$found" "$work/original" | cut -d: -f1); do
        text=$(sed -n "${line}p" "$work/original")
        if only_saves "$file" "$text"; then continue; fi
        n=1
        while mutated "$file" "$line" $n; do
            noticed=
            while read -r kernels; do
                for kernel in $kernels; do build "$kernel" "$work/$folder/$kernel.o.mutant"; done
                tried=$((tried + 1))
                if survived "$@"; then
                    survivors=$((survivors + 1))
                    echo "$file:$line: $kernels: nobody noticed that this was gone (match $n): $text" >&2
                    by='**nobody**'
                fi
                noticed="$noticed $by"
                rm -f "$work/$folder"/*.mutant
            done <"$work/sets"
            note "$file" "$text" $n "$noticed"
            n=$((n + 1))
        done
    done
    cp "$work/original" "$work/$folder/$file"
done
echo "$tried $what removed in turn, $survivors unnoticed"
[ "$tried" -gt 0 ] && [ "$survivors" -eq 0 ]
