"""Log entries and the log's leaves (docs/wire-format.md §4)."""

from dataclasses import dataclass
from itertools import pairwise

from . import hashes
from .cbor import Reader, encode, encode_array
from .deltas import SealedDelta, read_sealed
from .errors import WireError
from .limits import CHECKPOINTS, OPERATIONS, REASON_BYTES, STAMP, UINT64


@dataclass(frozen=True)
class DeltaEntry:
    """`refusals` are (index, reason) pairs."""

    cap: int
    refusals: tuple
    sealed: SealedDelta

    @property
    def header_hash(self):
        return self.sealed.header.hash

    @property
    def leaf(self):
        return leaf_bytes(self.cap, self.refusals, self.header_hash)

    @property
    def encoded(self):
        return encode_array([encode(1), encode(self.cap), encode(flat(self.refusals)), self.sealed.encoded])


@dataclass(frozen=True)
class ReceiptEntry:
    """What a delta's own author pulls in its place."""

    cap: int
    refusals: tuple
    header_hash: bytes

    @property
    def leaf(self):
        return leaf_bytes(self.cap, self.refusals, self.header_hash)

    @property
    def encoded(self):
        return encode([2, self.cap, flat(self.refusals), self.header_hash])


@dataclass(frozen=True)
class JoinEntry:
    """The first entry of a log that began as a join."""

    checkpoints: tuple

    @property
    def leaf(self):
        return self.encoded

    @property
    def encoded(self):
        return encode([3, list(self.checkpoints)])


def flat(refusals):
    return [field for refusal in refusals for field in refusal]


def leaf_bytes(cap, refusals, header_hash):
    return encode([1, cap, flat(refusals), header_hash])


def leaf_hash(entry):
    return hashes.leaf(entry.leaf)


def read_entry(reader):
    """A log entry. Whether it shows a refused operation is for `shown_refusals` to say."""
    start = reader.place
    count = reader.array(UINT64)
    kind_place = reader.place
    kind = reader.uint()
    sizes = {1: 4, 2: 4, 3: 2}
    if kind not in sizes:
        raise WireError("unknown-kind", kind_place, f"a log entry of kind {kind}")
    if count != sizes[kind]:
        raise WireError("unexpected", start, f"{count} fields, a log entry of kind {kind} has {sizes[kind]}")
    if kind == 3:
        return JoinEntry(tuple(reader.bytes(32) for _ in range(reader.array(CHECKPOINTS))))
    cap = reader.uint(STAMP, code="bad-stamp")
    refusals = read_refusals(reader)
    if kind == 2:
        return ReceiptEntry(cap, refusals, reader.bytes(32))
    entry = DeltaEntry(cap, refusals, read_sealed(reader))
    if refusals and refusals[-1][0] >= entry.sealed.header.count:
        raise WireError("inconsistent", start, "a refusal beyond the delta's operations")
    return entry


def read_refusals(reader):
    place = reader.place
    fields = reader.array(2 * OPERATIONS)
    if fields % 2:
        raise WireError("unexpected", place, "half a refusal")
    refusals = tuple((reader.uint(OPERATIONS - 1), reader.text(REASON_BYTES)) for _ in range(fields // 2))
    if any(left[0] >= right[0] for left, right in pairwise(refusals)):
        raise WireError("not-canonical", place, "refusals do not rise")
    return refusals


def decode_entry(data):
    reader = Reader(data)
    entry = read_entry(reader)
    reader.end()
    return entry


def shown_refusals(entry, verified):
    """The indexes of operations that the pivot refused and the entry shows all the same."""
    refused = {index for index, _ in entry.refusals}
    return [shown.index for shown in verified.shown if shown.index in refused]
