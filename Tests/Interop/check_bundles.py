#!/usr/bin/env python3
"""Verifies and merges real bundles, and compares all that comes of it with what the maker of the bundles states.

    python3 Tests/Interop/check_bundles.py FOLDER

Each NNNN.bundle lies beside a NNNN.json with `valid`, `findings`, `operations` and `state`, much as gimbal/report.py makes it of
the bundle's bytes. Everything must be the same; of an invalid bundle, that it is. Each COSE_Sign1 in a valid one is verified
with a library that is not ours as well.
"""

import json
import pathlib
import sys

from checkers import cose_library
from gimbal.cbor import check_roundtrip
from gimbal.errors import WireError
from gimbal.report import report
from gimbal.verifier import Verification


def main(folder):
    bundles = sorted(folder.glob("*.bundle"))
    if not bundles:
        print(f"no bundles in {folder}")
        return 1
    operations = signatures = differing = 0
    for file in bundles:
        stated = json.loads(file.with_suffix(".json").read_text())
        data = file.read_bytes()
        found = report(Verification(data))
        failures = list(differences("", comparable(stated), comparable(found)))
        if found["valid"]:
            count, wrong = cose_library.check_sequence(data)
            signatures += count
            failures += wrong + canonical_failures(data)
        operations += len(found["operations"])
        differing += bool(failures)
        for failure in failures[:5]:
            print(f"{file.name}: {failure}")
    outcome = f"{differing} differ" if differing else "agree"
    print(f"{len(bundles)} bundles, {operations} operations: {outcome} ({signatures} signatures checked by pycose)")
    return 1 if differing else 0


def canonical_failures(data):
    """Whether cbor2 gives every item back as it was."""
    try:
        check_roundtrip(data)
    except WireError as error:
        return [str(error)]
    return []


def comparable(record):
    """Of an invalid bundle nobody says which operations count, nor what is found once something is wrong."""
    if not record["valid"]:
        return {"valid": False, "has errors": any(one["severity"] == "error" for one in record["findings"])}
    compared = {name: record[name] for name in ("valid", "findings", "state")}
    return compared | {"operations": [effective(one) for one in record["operations"]]}


def effective(operation):
    """With the stamp that counts: the Swift side states no other, and neither cap nor tree."""
    stamp = min(int(operation["stamp"]), int(operation.get("cap") or operation["stamp"]))
    return {name: value for name, value in operation.items() if name not in ("cap", "tree")} | {"stamp": str(stamp)}


def differences(place, stated, found):
    """Where two JSON values differ, each with its place."""
    if isinstance(stated, dict) and isinstance(found, dict):
        for name in sorted(stated.keys() | found.keys()):
            if name in stated and name in found:
                yield from differences(f"{place}.{name}", stated[name], found[name])
            else:
                yield f"{place}.{name} is only {'stated' if name in stated else 'found'}"
    elif isinstance(stated, list) and isinstance(found, list):
        if len(stated) != len(found):
            yield f"{place} has {len(found)} elements, {len(stated)} are stated"
        for index, (left, right) in enumerate(zip(stated, found, strict=False)):
            yield from differences(f"{place}[{index}]", left, right)
    elif stated != found or type(stated) is not type(found):
        yield f"{place} is {found!r}, {stated!r} is stated"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(pathlib.Path(sys.argv[1])))
