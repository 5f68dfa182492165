#!/usr/bin/env python3
"""Reads every vector of Specs/vectors with the reader of Tests/Interop/gimbal and compares what it finds.

    python3 Tests/Interop/check_vectors.py [FOLDER]

A valid vector must decode to its fields, encode to its bytes again, here and in cbor2; an invalid one must be refused with its
code. Specs/tables is checked as well, against the merge rules.
"""

import json
import pathlib
import sys

import checkers
from checkers import tables
from gimbal.errors import WireError

SPECS = pathlib.Path(__file__).parents[2] / "Specs"


def main(folder):
    failures = []
    counts = {True: 0, False: 0}
    files = {file.stem: file for file in sorted(folder.glob("*.json"))}
    for missing in checkers.BY_FILE.keys() ^ files.keys():
        failures.append(f"{missing}: a file without a checker, or a checker without a file")
    for name, check in checkers.BY_FILE.items():
        for vector in json.loads(files[name].read_text()) if name in files else []:
            counts[vector["valid"]] += 1
            failures += [f"{name}: {vector['name']}: {failure}" for failure in checked(check, vector)]
    rows, table_failures = tables.check(SPECS / "tables")
    failures += table_failures
    for failure in failures:
        print(failure)
    print(f"{counts[True]} valid and {counts[False]} invalid vectors, {rows} rows of tables, {len(failures)} failures")
    return 1 if failures else 0


def checked(check, vector):
    """The failures, with one for a valid vector whose parts cannot be read at all."""
    try:
        return check(vector)
    except (WireError, AssertionError, ValueError) as error:
        return [f"cannot be read: {error}"]


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit(__doc__)
    sys.exit(main(pathlib.Path(sys.argv[1]) if len(sys.argv) == 2 else SPECS / "vectors"))
