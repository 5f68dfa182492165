#!/usr/bin/env bash
# Walks through what Gimbal does, with a pivot and two nodes on this machine. Usage: demo.sh FOLDER_OF_THE_PROGRAMS
# KEEP=1 leaves the three running.
set -euo pipefail
programs=${1:-.build/release}
work=$(mktemp -d)
declare -A pid url port

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
fail() { echo "DEMO FAILED: $*" >&2; exit 1; }

cleanup() {
  if [ -n "${KEEP:-}" ] && [ "${finished:-}" = yes ]; then return; fi
  for process in "${pid[@]}"; do kill -9 "$process" 2>/dev/null || true; done
  rm -rf "$work"
}
trap cleanup EXIT

# start NAME PROGRAM FLAGS…: on the port that it had before, if any.
start() {
  local name=$1 program=$2; shift 2
  : > "$work/$name.out"
  "$programs/$program" --listen "127.0.0.1:${port[$name]:-0}" --data "$work/$name" "$@" > "$work/$name.out" 2>> "$work/$name.log" &
  pid[$name]=$!
  disown
  for _ in $(seq 200); do
    if read -r line < "$work/$name.out" && [[ $line == listening* ]]; then break; fi
    kill -0 "${pid[$name]}" 2>/dev/null || { cat "$work/$name.log"; fail "$name did not start"; }
    sleep 0.05
  done
  url[$name]="http://${line#listening on }"
  port[$name]=${line##*:}
  until_true "$name serves" curl -sf "${url[$name]}/_health/ready" -o /dev/null
}

stop() { kill -9 "${pid[$1]}"; while kill -0 "${pid[$1]}" 2>/dev/null; do sleep 0.02; done; }

until_true() {
  local what=$1; shift
  for _ in $(seq 400); do if "$@"; then return; fi; sleep 0.05; done
  fail "never happened: $what"
}

# What a server's own copy holds at a key.
data() { curl -s -H 'Gimbal-Read: local' "${url[$1]}/$2" | sed -n 's/.*"data":\(.*\)}$/\1/p'; }
holds() { [ "$(data "$1" "$2")" = "$3" ]; }
everywhere() {
  local key=$1 value=$2
  for server in pivot shop van; do
    until_true "$server holds $value at $key" holds "$server" "$key" "$value"
    printf '  %-6s %s = %s\n' "$server" "$key" "${value:-(nothing)}"
  done
}

say "A pivot, and two nodes that follow it: a shop and a van"
start pivot pivot --sync 'things/*' --sync settings --open-enrollment
start shop node --pivot "${url[pivot]}"
start van node --pivot "${url[pivot]}"
for server in pivot shop van; do echo "  $server at ${url[$server]}"; done

say "push: the shop adds to the collection things/*"
index=$(curl -s -d '{"name":"lamp"}' "${url[shop]}/things/*" | sed 's/.*:"\(.*\)".*/\1/')
echo "  its index is $index"
everywhere "things/$index" '{"name":"lamp"}'

say "set: the pivot writes the single key settings"
curl -s -d '{"currency":"EUR"}' "${url[pivot]}/settings" > /dev/null
everywhere settings '{"currency":"EUR"}'

say "delete: the van removes the lamp"
curl -s -X DELETE "${url[van]}/things/$index"
everywhere "things/$index" ''

say "conflict: the pivot is away; the shop deletes a chair while the van repaints it"
curl -s -d '"red"' "${url[pivot]}/things/chair" > /dev/null
everywhere things/chair '"red"'
stop pivot
curl -s -X DELETE "${url[shop]}/things/chair"
curl -s -d '"blue"' "${url[van]}/things/chair" > /dev/null
echo "  shop   things/chair = $(data shop things/chair)(deleted)"
echo "  van    things/chair = $(data van things/chair)"
start pivot pivot --open-enrollment
echo "  … the pivot is back: what one wrote without knowing of the delete stays, on all three"
everywhere things/chair '"blue"'

say "offline: the van is switched off while the others write, and comes back"
stop van
curl -s -d '{"currency":"CHF"}' "${url[shop]}/settings" > /dev/null
curl -s -d '"green"' "${url[pivot]}/things/table" > /dev/null
start van node --pivot "${url[pivot]}"
everywhere settings '{"currency":"CHF"}'
everywhere things/table '"green"'

say "proof: a bundle exported from the van, verified with no server at all"
"$programs/gimbal" export "$work/van" things/chair settings --output "$work/proof.bundle"
"$programs/gimbal" verify "$work/proof.bundle" | sed 's/^/  /'
printf 'x' | dd of="$work/proof.bundle" bs=1 seek=700 conv=notrunc status=none
if "$programs/gimbal" verify "$work/proof.bundle" > "$work/forged.txt"; then fail "a forged bundle passed"; fi
echo "  with one byte changed: $(grep -m1 NOT "$work/forged.txt")"

finished=yes
if [ -n "${KEEP:-}" ]; then
  say "Left running:"
  for server in pivot shop van; do echo "  $server at ${url[$server]}, process ${pid[$server]}, data in $work/$server"; done
  echo "  stop them with: kill ${pid[*]}"
else
  say "All of it came out as it should."
fi
