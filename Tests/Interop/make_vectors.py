#!/usr/bin/env python3
"""Writes Specs/vectors from fixed seeds. With --check it writes nothing, and fails if a file is not what it would write.

python3 Tests/Interop/make_vectors.py [--check]
"""

import json
import pathlib
import sys

from makers import bundles, certificates, checkpoints, deltas, digests, entries, headers, merges, operations

FOLDER = pathlib.Path(__file__).parents[2] / "Specs" / "vectors"
MAKERS = [operations, headers, deltas, certificates, checkpoints, entries, merges, digests, bundles]


def main(check):
    FOLDER.mkdir(exist_ok=True)
    differing = []
    total = 0
    for maker in MAKERS:
        vectors = maker.vectors()
        names = [vector["name"] for vector in vectors]
        assert len(set(names)) == len(names), f"two vectors of one name: {[name for name in names if names.count(name) > 1]}"
        total += len(vectors)
        text = json.dumps(vectors, indent=1, ensure_ascii=True) + "\n"
        file = FOLDER / f"{maker.__name__.split('.')[-1]}.json"
        if not check:
            file.write_text(text)
        elif not file.exists() or file.read_text() != text:
            differing.append(file.name)
    for name in differing:
        print(f"{name} is not what make_vectors.py writes")
    print(f"{total} vectors in {len(MAKERS)} files {'compared' if check else 'written'}, {len(differing)} differ")
    return 1 if differing else 0


if __name__ == "__main__":
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit(__doc__)
    sys.exit(main(check=bool(sys.argv[1:])))
