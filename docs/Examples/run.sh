#!/bin/sh
# Builds and runs the example programs against a pivot of their own: docs/Examples/run.sh BINARIES [SCRATCH]
# SCRATCH is their build folder, by default that of the repository: then no dependency is built twice.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
binaries=$1
scratch=${2:-$root/.build}
folder=$(mktemp -d)
pivot=
trap '[ -z "$pivot" ] || kill "$pivot" 2>/dev/null || true; rm -rf "$folder"' EXIT

cp "$binaries/pivot" "$folder/pivot"
for example in TalkingClient EmbeddedNode; do
  # The same versions as the repository's own build.
  [ ! -f "$root/Package.resolved" ] || cp "$root/Package.resolved" "$here/$example/"
  swift build -c release --package-path "$here/$example" --scratch-path "$scratch" --product "$example" \
    --disable-build-manifest-caching
done

"$folder/pivot" --listen 127.0.0.1:0 --data "$folder/data" --sync 'things/*' --sync settings --open-enrollment \
  >"$folder/listening" 2>"$folder/log" &
pivot=$!
until [ -s "$folder/listening" ]; do kill -0 "$pivot"; sleep 0.1; done
url="http://$(sed 's/listening on //' "$folder/listening")"

"$scratch/release/TalkingClient" "$url" | tee "$folder/talk"
grep -q 'is gone already' "$folder/talk"
"$scratch/release/EmbeddedNode" "$folder/node" "$url" | tee "$folder/embed"
grep -q 'the theme is dark' "$folder/embed"
echo 'the examples run'
