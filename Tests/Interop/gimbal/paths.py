"""Paths and patterns (docs/wire-format.md §1 and §5)."""

import re

from .limits import PATH_BYTES

SEGMENT = "[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
PATH = re.compile(f"_?{SEGMENT}(?:/{SEGMENT})*")


def is_path(text):
    return 1 <= len(text.encode()) <= PATH_BYTES and PATH.fullmatch(text) is not None


def is_register(path):
    """One segment is a register, more are a member of a collection."""
    return "/" not in path


def is_record(path):
    """Whether it is one of the space's own records."""
    return path.startswith("_")


def matches(pattern, path):
    """`*` stands for one whole segment, a final `**` for one or more; neither matches a record."""
    if is_record(path):
        return False
    wanted, segments = pattern.split("/"), path.split("/")
    if wanted[-1] == "**":
        wanted = wanted[:-1] + ["*"] * max(1, len(segments) - len(wanted) + 1)
    return len(wanted) == len(segments) and all(w in ("*", s) for w, s in zip(wanted, segments))
