"""Specs/tables against the merge rules."""

from gimbal.operations import PUT, REMOVE
from gimbal.state import State, Write

NONE = "–"


def check(folder):
    """How many rows were checked, and the sentences about those that differ."""
    failures = []
    rows = 0
    for name, outcome in (("register", register_outcome), ("member", member_outcome)):
        for line in (folder / f"{name}.tsv").read_text().splitlines():
            if line.startswith("#"):
                continue
            rows += 1
            before, arrives, after = line.split("\t")
            found = outcome(before, arrives)
            if found != after:
                failures.append(f"{name}.tsv: {before} and {arrives} give {found}, the table says {after}")
    return rows, failures


def register_outcome(before, arrives):
    state = State()
    for sequence, text in enumerate((before, arrives), 1):
        if text != "none":
            word, stamp = text.split("@")
            value = "1" if word in ("value", "assign") else None
            state.merge_register(Write("one", (b"a", 0, sequence), int(stamp), 0, b"", value))
    write = state.registers["one"]
    return f"{'deleted' if write.value is None else 'value'}@{write.stamp}"


def member_outcome(before, arrives):
    state = State()
    live, _, covered = before.partition("covered")
    for dot in dots(live):
        state.members.setdefault("a/b", {})[dot] = Write("a/b", dot, 1, 0, b"", "1")
        state.heads[dot[:2]] = dot[2:] + (b"",)
    for dot in dots(covered):
        state.heads[dot[:2]] = dot[2:] + (b"",)
    verb, _, rest = arrives.partition(" ")
    dot, _, observed = rest.partition(" observed ")
    [dot] = dots(dot)
    if not state.covers(dot):
        kind = {"put": PUT, "remove": REMOVE}[verb]
        state.merge_member(Write("a/b", dot, 1, 0, b"", "1"), set(dots(observed)), kind)
    found = sorted(state.members.get("a/b", {}))
    return " ".join(f"{author.decode()}{sequence}" for author, _, sequence in found) or NONE


def dots(text):
    return [(name[0].encode(), 0, int(name[1:])) for name in text.split() if name != NONE]
