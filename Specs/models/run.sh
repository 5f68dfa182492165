#!/bin/sh
# Searches the models with spin and finds their planted faults; fails when one of them does not end as cases.tsv says.
#
#   run.sh [MODEL]               all cases, or one model's
#   run.sh --trail MODEL FAULT   the shortest way that the search finds into a fault, step by step
#
# Installs nothing: spin and a C compiler must be there. A correct model must be searched in full: no error, no depth or memory
# that did not suffice, no statement that was never reached. `pan` says "errors: 1" with exit code 0, so its words are read.
set -eu

for tool in spin cc awk; do
    command -v $tool >/dev/null || { echo "$0: $tool is not installed" >&2; exit 2; }
done

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cp "$here"/*.pml .

# Makes pan in $work, from a model, its bounds and a fault.
build() {
    rm -f pan.out
    definitions=""
    search="-DSAFETY"
    optimise="-O1"
    for bound in $2; do
        case $bound in
            cycles) search="-DNP" ;;
            *) definitions="$definitions -D$bound" ;;
        esac
    done
    change=0
    case $3 in
        –) ;;
        CHANGED_ROW) change=12 ;;
        # It is found soon: what takes long is to compile.
        *) definitions="$definitions -DFAULT_$3"; optimise="-O0" ;;
    esac
    if [ "$1" = tables ]; then
        awk -v change=$change -f "$here/tables.awk" "$here/../tables/member.tsv" "$here/../tables/register.tsv" > tables.pml
    fi
    # shellcheck disable=SC2086
    spin -a $definitions "$1.pml" > spin.out || { cat spin.out; return 1; }
    cc $optimise -w $search -DNOFAIR -DMEMLIM=1800 -o pan pan.c
}

run() {
    rm -f ./*.trail
    if [ "$search" = -DNP ]; then ./pan -l -m20000 -w22; else ./pan -m20000 -w22; fi > pan.out 2>&1
}

if [ "${1:-}" = --trail ]; then
    bounds=$(awk -F '\t' -v model="$2" -v fault="$3" '$1 == model && $3 == fault { print $2; exit }' "$here/cases.tsv")
    [ -n "$bounds" ] || { echo "no such case: $2 $3" >&2; exit 2; }
    build "$2" "$bounds" "$3"
    run
    # shellcheck disable=SC2086
    spin -k "$2.pml.trail" -g -l -p $definitions "$2.pml"
    exit 0
fi

# The claim that a search found to be broken.
broken_claim() {
    if grep -q 'non-progress cycle' pan.out && grep -q '^pan:1: non-progress' pan.out; then
        echo every_run_ends
    else
        sed -n 's/^pan:1: assertion violated .*||\([a-z_]*\)).*/\1/p; s/^pan:1: invalid end state.*/every_run_ends_well/p' pan.out
    fi
}

# What is wrong with a search that was to find nothing; nothing if all is well.
judge_search() {
    grep -q 'errors: 0$' pan.out || { echo "broken: $(broken_claim), see run.sh --trail $1 $2"; return; }
    grep -q '^Full statespace search for:' pan.out || { echo "not a full search"; return; }
    if grep -qE 'max search depth too small|Search not completed|reached -DMEMLIM|out of memory' pan.out; then
        echo "not a full search"
    fi
    [ "$1" = tables ] || [ "$search" = -DNP ] && return
    grep 'state [0-9]*, ' pan.out | grep -v '"-end-"' | head -1 | sed 's/^[[:space:]]*/never reached: /'
}

started=$(date +%s)
failures=0
count=0
row='%-10s %-28s %-26s %9s %6s %7s  %s\n'
# shellcheck disable=SC2059
printf "$row" model bounds "planted fault" states depth errors verdict
while IFS='	' read -r model bounds fault claim; do
    case $model in \#*) continue ;; esac
    [ $# = 0 ] || [ "$1" = "$model" ] || continue
    count=$((count + 1))
    if build "$model" "$bounds" "$fault"; then
        run || true
        if [ "$claim" = – ]; then
            problem=$(judge_search "$model" "$fault")
            verdict=${problem:-full search}
        else
            found=$(broken_claim)
            verdict="found: $found"
            problem=""
            [ "$found" = "$claim" ] || problem="NOT FOUND: $claim"
        fi
    else
        problem="does not compile"
    fi
    if [ -n "$problem" ]; then
        verdict=$problem
        failures=$((failures + 1))
    fi
    [ -f pan.out ] || : > pan.out
    states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' pan.out)
    depth=$(sed -n 's/.*depth reached \([0-9]*\),.*/\1/p' pan.out)
    # shellcheck disable=SC2059
    printf "$row" "$model" "$bounds" "$fault" "$states" "$depth" "$(sed -n 's/.*errors: //p' pan.out)" "$verdict"
done < "$here/cases.tsv"

echo "models: $count searches in $(($(date +%s) - started)) s, $failures not as expected"
[ "$count" -gt 0 ] && [ "$failures" = 0 ]
