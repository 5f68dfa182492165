"""The header of a delta, signed by its author (docs/wire-format.md §3)."""

from dataclasses import dataclass
from itertools import pairwise

from .cbor import Reader, encode
from .cose import read_type
from .errors import WireError
from .hashes import ZEROS, blake2b_256
from .limits import OBSERVED_REPLICAS, OPERATIONS, ORDINAL, STAMP

TYPE = "gimbal.delta.1"


@dataclass(frozen=True)
class Header:
    """`observed` is the table of (author, incarnation, greatest sequence)."""

    space: bytes
    author: bytes
    incarnation: int
    first: int
    count: int
    stamp: int
    previous: bytes
    observed: tuple
    root: bytes

    @property
    def payload(self):
        return encode([
            TYPE, self.space, self.author, self.incarnation, self.first, self.count, self.stamp, self.previous,
            [list(entry) for entry in self.observed], self.root,
        ])  # fmt: skip

    @property
    def hash(self):
        return blake2b_256(self.payload)

    @property
    def replica(self):
        return (self.author, self.incarnation)

    @property
    def last(self):
        return self.first + self.count - 1


def decode_header(payload):
    reader = Reader(payload)
    reader.record(10)
    read_type(reader, TYPE)
    space, author, incarnation = reader.bytes(32), reader.bytes(32), reader.uint()
    place = reader.place
    first, count = reader.ordinal(), reader.uint()
    if count > OPERATIONS:
        raise WireError("too-large", place, f"{count} operations, at most {OPERATIONS} are allowed")
    if first + count - 1 > ORDINAL:
        raise WireError("too-large", place, f"{count} operations from sequence {first} on, which end beyond {ORDINAL}")
    if first == 0 or count == 0:
        raise WireError("inconsistent", place, f"{count} operations from sequence {first} on")
    stamp = reader.uint(STAMP, code="bad-stamp")
    place = reader.place
    previous = reader.bytes(32)
    if (first == 1) != (previous == ZEROS):
        raise WireError("inconsistent", place, "zeros stand before the first header of a replica, and only there")
    observed = read_table(reader, (author, incarnation))
    header = Header(space, author, incarnation, first, count, stamp, previous, observed, reader.bytes(32))
    reader.end()
    return header


def read_table(reader, own):
    place = reader.place
    table = []
    for _ in range(reader.array(OBSERVED_REPLICAS)):
        reader.record(3)
        table.append((reader.bytes(32), reader.uint(), reader.ordinal()))
    replicas = [entry[:2] for entry in table]
    if any(left >= right for left, right in pairwise(replicas)):
        raise WireError("not-canonical", place, "the table of replicas does not rise")
    if own in replicas:
        raise WireError("inconsistent", place, "the table has the delta's own replica")
    if any(greatest == 0 for _, _, greatest in table):
        raise WireError("inconsistent", place, "sequences begin with 1")
    return tuple(table)
