"""The items of a bundle (docs/wire-format.md §7)."""

from dataclasses import dataclass

from .cbor import TEXT, encode, encode_array
from .cose import read_envelope, read_type
from .deltas import SealedDelta, read_sealed
from .entries import DeltaEntry, read_entry
from .errors import WireError
from .limits import BUNDLE_ITEM_BYTES, CERTIFICATES, CHECKPOINTS, INCLUSION_HASHES

TYPE = "gimbal.bundle.1"


@dataclass(frozen=True)
class Head:
    """Certificates and checkpoints are envelopes that nobody has checked yet."""

    space: bytes
    certificates: tuple
    checkpoints: tuple

    @property
    def encoded(self):
        envelopes = [encode_array([one.encoded for one in signed]) for signed in (self.certificates, self.checkpoints)]
        return encode_array([encode(TYPE), encode(self.space), *envelopes])


@dataclass(frozen=True)
class Placed:
    tree: int
    position: int
    entry: DeltaEntry
    path: tuple

    @property
    def encoded(self):
        place = [encode(1), encode(self.tree), encode(self.position)]
        return encode_array([*place, self.entry.encoded, encode(list(self.path))])


@dataclass(frozen=True)
class Unplaced:
    sealed: SealedDelta

    @property
    def encoded(self):
        return encode_array([encode(2), self.sealed.encoded])


@dataclass(frozen=True)
class End:
    entries: int
    unplaced: int
    hash: bytes

    @property
    def encoded(self):
        return encode([0, self.entries, self.unplaced, self.hash])


def read_head(reader):
    reader.record(4)
    read_type(reader, TYPE)
    space = reader.bytes(32)
    certificates = read_envelopes(reader, CERTIFICATES)
    return Head(space, certificates, read_envelopes(reader, CHECKPOINTS))


def read_envelopes(reader, greatest):
    place = reader.place
    envelopes = tuple(read_envelope(reader) for _ in range(reader.array(greatest)))
    if not envelopes:
        raise WireError("unexpected", place, "a head has at least one certificate and one checkpoint")
    return envelopes


def read_item(reader):
    """The next item after the head: `Placed`, `Unplaced` or `End`."""
    start = reader.place
    count = reader.array(len(reader.data))
    kind_place = reader.place
    if reader.peek() == TEXT:
        raise WireError("unexpected", kind_place, "a second head")
    kind = reader.uint()
    readers = {0: (4, read_end), 1: (5, read_placed), 2: (2, read_unplaced)}
    if kind not in readers:
        raise WireError("unknown-kind", kind_place, f"a bundle's item of kind {kind}")
    size, read = readers[kind]
    if count != size:
        raise WireError("unexpected", start, f"{count} fields, an item of kind {kind} has {size}")
    item = read(reader)
    if reader.place - start > BUNDLE_ITEM_BYTES:
        raise WireError("too-large", start, f"an item of more than {BUNDLE_ITEM_BYTES} bytes")
    return item


def read_placed(reader):
    tree, position = reader.uint(CHECKPOINTS - 1), reader.ordinal()
    place = reader.place
    entry = read_entry(reader)
    if not isinstance(entry, DeltaEntry):
        raise WireError("unexpected", place, "a log entry without a delta")
    return Placed(tree, position, entry, tuple(reader.bytes(32) for _ in range(reader.array(INCLUSION_HASHES))))


def read_unplaced(reader):
    return Unplaced(read_sealed(reader))


def read_end(reader):
    return End(reader.ordinal(), reader.ordinal(), reader.bytes(32))
