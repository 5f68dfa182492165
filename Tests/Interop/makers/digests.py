"""digests.json: items of the state digest, their buckets, and digests over sets of them."""

import hashlib

from gimbal.digest import head_item, path_bucket, refused_item, replica_bucket, state_digest, write_item
from gimbal.hashes import blake2b_256, blake2b_512
from gimbal.limits import STAMP as GREATEST
from gimbal.state import Write

from .world import ANNA, BERT, INCARNATION, STAMP

HASH = blake2b_256(b"operation")


def items():
    """(name, bucket, bytes)"""
    writes = {
        "a register": Write("settings", (ANNA.public, INCARNATION, 1), STAMP, 0, HASH, "1"),
        "a live dot": Write("things/42", (BERT.public, 2**64 - 1, 2**64 - 1), GREATEST, GREATEST, HASH, "1"),
        "another of the same path": Write("things/42", (ANNA.public, 0, 23), 24, 255, HASH, "1"),
        "a record": Write("_members/" + ANNA.public.hex(), (ANNA.public, 256, 65_536), 0, 0, HASH, "1"),
    }
    dots = [(ANNA.public, INCARNATION, 1), (BERT.public, 2**64 - 1, 2**32)]
    return [
        *((name, path_bucket(write.path), write_item(write)) for name, write in writes.items()),
        *(
            (f"a refused dot {number}", replica_bucket(*dot[:2]), refused_item(dot, "forbidden"))
            for number, dot in enumerate(dots)
        ),
        *((f"a head {number}", replica_bucket(*dot[:2]), head_item(dot, HASH)) for number, dot in enumerate(dots)),
    ]


def vectors():
    all_items = items()
    pairs = [(bucket, data) for _, bucket, data in all_items]
    many = [
        (
            path_bucket(path),
            write_item(Write(path, (ANNA.public, 1, number), STAMP + number, 0, hashlib.sha256(path.encode()).digest(), "1")),
        )
        for number, path in enumerate((f"things/{number}" for number in range(1, 301)), 1)
    ]
    one_bucket = [pair for pair in many if pair[0] == many[0][0]]
    sets = {
        "of nothing": [],
        "of one item": pairs[:1],
        "of two in one bucket": pairs[1:3],
        "of all above": pairs,
        "of all above, in another order": pairs[::-1],
        "of some that share a bucket": one_bucket,
        "of 300, with sums beyond 2^512": many,
    }
    return [
        *(
            {"name": name, "hex": data.hex(), "valid": True, "bucket": bucket, "blake2b512": blake2b_512(data).hex()}
            for name, bucket, data in all_items
        ),
        *(
            {
                "name": name,
                "valid": True,
                "items": [{"bucket": bucket, "hex": data.hex()} for bucket, data in pairs],
                "digest": state_digest(pairs).hex(),
            }
            for name, pairs in sets.items()
        ),
    ]
