"""Merges, joins and digests. The digest here adds bytes by hand, in another way than the reader's own."""

import hashlib

import cbor2

from gimbal.deltas import verify_delta
from gimbal.entries import decode_entry
from gimbal.state import State, join

from .worlds import SPACE


def check_merge(vector):
    if "left" in vector:
        left, right = merged(vector["left"])[0], merged(vector["right"])[0]
        state, digests = join(left, right), None
    else:
        state, digests = merged(vector["entries"])
    found = state_fields(state)
    failures = [f"{name} is {found[name]!r}, the vector says {vector[name]!r}" for name in found if found[name] != vector[name]]
    if digests is not None and digests != vector["digests"]:
        failures.append("the digest after an entry differs")
    return failures + check_set(vector)


def merged(entries):
    """The state after these entries, which must be in causal order, and the digest after each."""
    state, digests, cap = State(), [], -1
    for text in entries:
        entry = decode_entry(bytes.fromhex(text))
        assert entry.cap > cap, "caps rise"
        cap = entry.cap
        verified = verify_delta(entry.sealed, SPACE)
        verified.check_operations()
        header = verified.header
        assert (header.first - 1, header.previous) == state.heads.get(header.replica, (0, bytes(32))), "extends its head"
        assert all(state.covers(dot) for dot in header.observed), "observes what is covered"
        state.apply(entry, verified)
        digests.append(state.digest.hex())
    return state, digests


def state_fields(state):
    return {
        "registers": [write_fields(state.registers[path]) for path in sorted(state.registers)],
        "members": [[path, [write_fields(write) for write in state.siblings(path)]] for path in sorted(state.members)],
        "versionVector": [
            [dot_fields((*replica, state.heads[replica][0])), state.heads[replica][1].hex()] for replica in sorted(state.heads)
        ],
        "refused": [[dot_fields(dot), state.refused[dot]] for dot in sorted(state.refused)],
        "items": [{"bucket": bucket, "hex": item.hex()} for bucket, item in state.items()],
        "digest": state.digest.hex(),
    }


def write_fields(write):
    return {
        "path": write.path,
        "dot": dot_fields(write.dot),
        "effectiveStamp": str(write.stamp),
        "created": str(write.created),
        "operation": write.operation_hash.hex(),
        "value": write.value,
    }


def dot_fields(dot):
    author, incarnation, sequence = dot
    return [author.hex(), str(incarnation), str(sequence)]


def check_digest(vector):
    return check_item(vector) if "hex" in vector else check_set(vector)


def check_item(vector):
    data = bytes.fromhex(vector["hex"])
    failures = []
    if bucket_of(data) != vector["bucket"]:
        failures.append(f"bucket is {bucket_of(data)}")
    if hashlib.blake2b(data).hexdigest() != vector["blake2b512"]:
        failures.append("the hash differs")
    if cbor2.dumps(cbor2.loads(data), canonical=True) != data:
        failures.append("cbor2 encodes it in another way")
    return failures


def check_set(vector):
    buckets = [bytearray(64) for _ in range(256)]
    failures = []
    for item in vector["items"]:
        data = bytes.fromhex(item["hex"])
        if bucket_of(data) != item["bucket"]:
            failures.append(f"an item's bucket is {bucket_of(data)} instead of {item['bucket']}")
        add(buckets[item["bucket"]], hashlib.blake2b(data).digest())
    digest = digest_of(buckets)
    return failures + ([] if digest == vector["digest"] else [f"the digest is {digest}"])


def digest_of(buckets):
    """As hexadecimal: over the hashes of eight buckets each."""
    eights = [hashlib.blake2b(digest_size=32) for _ in range(len(buckets) // 8)]
    for index, bucket in enumerate(buckets):
        eights[index // 8].update(bucket)
    return hashlib.blake2b(b"".join(eight.digest() for eight in eights), digest_size=32).hexdigest()


def bucket_of(data):
    kind, first, *rest = cbor2.loads(data)
    named = first.encode() if kind == 1 else first + rest[0].to_bytes(8, "big")
    return hashlib.blake2b(named, digest_size=32).digest()[0]


def add(bucket, summand):
    """Adds with carry, the lowest byte first; what overflows is dropped."""
    carry = 0
    for index, byte in enumerate(summand):
        carry, bucket[index] = divmod(bucket[index] + byte + carry, 256)
