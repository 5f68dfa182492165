#!/bin/sh
# Clients that are not ours against real servers: Tests/Clients/run.sh BINARIES
set -eu

here=$(cd "$(dirname "$0")" && pwd)
python=$("$here/../venv.sh" clients "$here/requirements.txt")
export PYTHONDONTWRITEBYTECODE=1
"$python" "$here/check_mirrors.py" "$1"
"$python" "$here/check_readers.py" "$1"
"$python" "$here/check_hostile_nodes.py" "$1"
"$python" "$here/check_hostile_pivots.py" "$1"
"$python" "$here/check_lying_pivots.py" "$1"
"$python" "$here/check_deletes.py" "$1"
"$python" "$here/check_metrics.py" "$1"
"$python" "$here/check_browsers.py" "$1"
"$python" "$here/check_limits.py" "$1"
"$python" "$here/check_shapes.py" "$1"
"$python" "$here/check_websocket.py" "$1"
"$python" "$here/check_one_reading.py" "$1"
"$python" "$here/check_go_client.py" "$1"
