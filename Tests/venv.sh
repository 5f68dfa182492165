#!/bin/sh
# Prints the Python that has a requirements file's packages, making it where it is missing: Tests/venv.sh NAME REQUIREMENTS
# It lies in a folder of the user's cache, so that a fresh clone need not fetch them again.
set -eu

venv=${XDG_CACHE_HOME:-$HOME/.cache}/gimbal/$1
requirements=$2

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# A fresh Debian has a python3 whose venv module cannot install pip.
make_venv() {
    rm -rf "$venv"
    python3 -m venv "$venv" >/dev/null 2>&1 && return
    rm -rf "$venv"
    as_root apt-get install -y -qq python3-venv >/dev/null 2>&1
    python3 -m venv "$venv" >&2
}

if ! cmp -s "$requirements" "$venv/installed"; then
    make_venv
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$requirements" >&2
    cp "$requirements" "$venv/installed"
fi
echo "$venv/bin/python"
