"""The state digest (docs/wire-format.md §4)."""

from .cbor import encode
from .hashes import blake2b_256, blake2b_512

BUCKETS = 256
BUCKET_BYTES = 64
# Buckets that are hashed together.
GROUP = 8


def write_item(write):
    """A register or a live dot. `stamp` and `created` are the effective ones."""
    return encode([1, write.path, *write.dot, write.stamp, write.created, write.operation_hash])


def refused_item(dot, reason):
    return encode([2, *dot, reason])


def head_item(dot, header_hash):
    return encode([3, *dot, header_hash])


def path_bucket(path):
    return blake2b_256(path.encode())[0]


def replica_bucket(author, incarnation):
    return blake2b_256(author + incarnation.to_bytes(8, "big"))[0]


def state_digest(items):
    """The digest over (bucket, item) pairs, in any order."""
    sums = [0] * BUCKETS
    for bucket, item in items:
        sums[bucket] += int.from_bytes(blake2b_512(item), "little")
    modulus = 1 << (8 * BUCKET_BYTES)
    buckets = [(total % modulus).to_bytes(BUCKET_BYTES, "little") for total in sums]
    groups = [b"".join(buckets[first : first + GROUP]) for first in range(0, BUCKETS, GROUP)]
    return blake2b_256(b"".join(map(blake2b_256, groups)))
