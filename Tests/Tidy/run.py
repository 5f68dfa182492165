#!/usr/bin/env python3
"""Polices the house: lengths, names, references, imports, limits. Needs nothing but Python, builds nothing, takes seconds.

    Tests/Tidy/run.py            all checks on this tree, then whether each of them notices what it is for
    Tests/Tidy/run.py --root DIR all checks on another tree
    Tests/Tidy/run.py --notes    also what the lists of exceptions may lose

Each finding is one line, FILE:LINE: SENTENCE, and fails the run.
"""

import argparse
import pathlib
import sys

sys.dont_write_bytecode = True

import arrows  # noqa: E402
import leftovers  # noqa: E402
import limits  # noqa: E402
import references  # noqa: E402
import shape  # noqa: E402
from tree import Tree  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]

CHECKS = [
    shape.columns, shape.file_lengths, shape.function_lengths, shape.file_names,
    references.sections, references.links, references.paths, references.names, references.decisions,
    arrows.pure_targets, arrows.declared_imports,
    limits.stated_limits,
    leftovers.words, leftovers.swift_habits, leftovers.scripts,
]  # fmt: skip


def check(root, notes):
    """The findings of each check that has some, by its name."""
    tree = Tree(root)
    return {check.__name__: found for check in CHECKS if (found := check(tree, notes))}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=pathlib.Path, default=ROOT)
    parser.add_argument("--notes", action="store_true")
    options = parser.parse_args()
    notes = []
    findings = check(options.root, notes)
    for name, found in findings.items():
        for finding in found:
            print(f"{finding} [{name}]")
    if options.notes:
        for note in notes:
            print(f"note: {note}")
    elif notes:
        print(f"tidy: {len(notes)} exceptions may go (Tests/Tidy/run.py --notes)")
    blind = []
    if options.root == ROOT:
        import faults

        blind = faults.unnoticed(Tree(ROOT), CHECKS)
        for sentence in blind:
            print(sentence)
    failed = len(findings) + len(blind)
    print(f"tidy: {len(CHECKS) - len(findings)} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
