#!/bin/sh
# Builds and runs the example programs against a pivot of their own: docs/Examples/run.sh BINARIES
# SCRATCH names a build folder for them; with that of the repository nothing is built twice.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
binaries=$1
scratch=${SCRATCH:-$here/../../.build}
folder=$(mktemp -d)
trap 'kill "$pivot" 2>/dev/null || true; rm -rf "$folder"' EXIT

for example in TalkingClient EmbeddedNode; do
  swift build -c release --package-path "$here/$example" --scratch-path "$scratch/examples/$example"
done

"$binaries/pivot" --listen 127.0.0.1:0 --data "$folder/pivot" --sync 'things/*' --sync settings --open-enrollment \
  >"$folder/listening" 2>"$folder/log" &
pivot=$!
until [ -s "$folder/listening" ]; do kill -0 "$pivot"; sleep 0.1; done
url="http://$(sed 's/listening on //' "$folder/listening")"

"$scratch/examples/TalkingClient/release/TalkingClient" "$url" | tee "$folder/talk"
grep -q 'is gone already' "$folder/talk"
"$scratch/examples/EmbeddedNode/release/EmbeddedNode" "$folder/node" "$url" | tee "$folder/embed"
grep -q 'the theme is dark' "$folder/embed"
echo 'the examples run'
