#!/usr/bin/env bash
# Fuzzes: Fuzz/run.sh [SECONDS [TARGET …]]
# Builds the targets, replays every input that once broke a property, checks large hostile inputs, and then fuzzes each
# target for so many seconds (60 by default; 0: none). What is worth keeping of the inputs stays in .build-fuzz/corpus. An
# input that breaks a property is left in Fuzz/Crashes, to be kept there.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-60}
shift || true
scratch=.build-fuzz
log=$scratch/log
fuzz=$scratch/release/fuzz

GIMBAL_CORE=1 swift build -c release --package-path Fuzz --scratch-path $scratch \
  -Xswiftc -sanitize=fuzzer,address -Xswiftc -parse-as-library -Xswiftc -use-ld=lld
# Leaks: Swift keeps flags in the high bits of pointers, so the leak detector does not see them.
export ASAN_OPTIONS=detect_leaks=0:malloc_context_size=2 SWIFT_BACKTRACE=enable=no

targets=("$@")
[ $# -gt 0 ] || mapfile -t targets < <($fuzz --list)
rm -rf $scratch/seeds
$fuzz --seeds Specs/vectors $scratch/seeds
$fuzz --hostile

dictionary() {
  case $1 in
    json | patch) echo Fuzz/Dictionaries/json.dict ;;
    path | request) echo "Fuzz/Dictionaries/$1.dict" ;;
    *) echo Fuzz/Dictionaries/cbor.dict ;;
  esac
}

# Ends with what libFuzzer said when a property does not hold.
run() {
  "$fuzz" "$@" >$log 2>&1 || { tail -n 60 $log; exit 1; }
}

for target in "${targets[@]}"; do
  crashes=(Fuzz/Crashes/"$target"/*)
  [ -e "${crashes[0]}" ] || continue
  run "$target" "${crashes[@]}"
  echo "$target: ${#crashes[@]} former finds hold"
done
[ "$seconds" -gt 0 ] || exit 0

printf '%-10s %12s %14s %8s %9s %8s\n' target executions 'a CPU second' edges features inputs
for target in "${targets[@]}"; do
  corpora=("$scratch/corpus/$target" "$scratch/seeds/$target")
  [ ! -d "Fuzz/Seeds/$target" ] || corpora+=("Fuzz/Seeds/$target")
  mkdir -p "${corpora[0]}" "Fuzz/Crashes/$target"
  run "$target" -max_total_time="$seconds" -max_len=8192 -timeout=60 -rss_limit_mb=2048 -malloc_limit_mb=64 \
    -print_final_stats=1 -dict="$(dictionary "$target")" -artifact_prefix="Fuzz/Crashes/$target/" "${corpora[@]}"
  rmdir --ignore-fail-on-non-empty "Fuzz/Crashes/$target"
  awk -v target="$target" '
    /cov:/ { for (i = 1; i < NF; i++) value[$i] = $(i + 1) }
    /^stat::/ { value[$1] = $2 }
    END {
      runs = value["stat::number_of_executed_units:"]
      split(value["corp:"], inputs, "/")
      printf "%-10s %12d %14d %8d %9d %8d\n", target, runs, runs / value["stat::cpu_seconds:"], value["cov:"], value["ft:"], inputs[1]
    }' $log
done
