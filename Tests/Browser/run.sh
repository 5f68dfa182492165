#!/bin/sh
# The page at / in Debian's Chromium: Tests/Browser/run.sh BINARIES [STEP ...]
# PICTURES=FOLDER keeps what it looked like.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
python=$("$here/../venv.sh" browser "$here/requirements.txt")
export PYTHONDONTWRITEBYTECODE=1
exec "$python" "$here/check_page.py" "$@"
