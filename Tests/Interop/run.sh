#!/bin/sh
# Checks our bytes with a second implementation and with libraries that are not ours.
#
#   Tests/Interop/run.sh [SAMPLES_DIR [BUNDLES_DIR]]
#
# Vectors are always checked. SAMPLES_DIR is what ExportSamples wrote (check_cddl.py), BUNDLES_DIR has bundles with what the
# Swift side states about them (check_bundles.py). Python packages go into $GIMBAL_VENV, or a folder of the user's cache.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
venv=${GIMBAL_VENV:-${XDG_CACHE_HOME:-$HOME/.cache}/gimbal-interop}
requirements=$here/requirements.txt
export PYTHONDONTWRITEBYTECODE=1

case $# in
    0 | 1 | 2) ;;
    *) echo "usage: $0 [SAMPLES_DIR [BUNDLES_DIR]]" >&2; exit 2 ;;
esac

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# A fresh Debian has a python3 whose venv module cannot install pip.
make_venv() {
    python3 -m venv "$venv" >/dev/null 2>&1 && return
    rm -rf "$venv"
    as_root apt-get install -y -qq python3-venv >/dev/null 2>&1 || return
    python3 -m venv "$venv" >/dev/null 2>&1
}

install() {
    if make_venv; then
        "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$requirements"
    else
        rm -rf "$venv"
        python3 -m pip install --quiet --disable-pip-version-check --target "$venv/packages" -r "$requirements"
    fi
    cp "$requirements" "$venv/installed"
}

cmp -s "$requirements" "$venv/installed" || install

if [ -x "$venv/bin/python" ]; then
    python=$venv/bin/python
else
    python=python3
    export PYTHONPATH="$venv/packages"
fi

failed=""
check() {
    "$python" "$here/$@" || failed="$failed $1"
}

check make_vectors.py --check
check check_vectors.py
[ $# -lt 1 ] || check check_cddl.py "$1"
[ $# -lt 2 ] || check check_bundles.py "$2"

if [ -n "$failed" ]; then
    echo "interop: failed:$failed"
    exit 1
fi
echo "interop: all checks passed"
