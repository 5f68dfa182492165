"""Sealed deltas, whole and pruned (docs/wire-format.md §3)."""

from dataclasses import dataclass, field

from . import hashes
from .cbor import BYTES, Reader, encode, encode_array
from .cose import Envelope, read_envelope
from .errors import WireError
from .headers import Header, decode_header
from .limits import DELTA_BYTES, OPERATION_NESTING, OPERATIONS, STAMP
from .operations import Operation, decode_operation


@dataclass(frozen=True)
class Hidden:
    """A hash in place of one whole subtree of operations."""

    hash: bytes
    leaves: int


@dataclass(frozen=True)
class SealedDelta:
    """What was read and not verified: operations are still bytes."""

    envelope: Envelope
    header: Header
    items: tuple

    @property
    def encoded(self):
        items = [encode([item.hash, item.leaves]) if isinstance(item, Hidden) else item for item in self.items]
        return encode_array([self.envelope.encoded, encode_array(items)])


@dataclass
class Shown:
    """An operation of a verified delta. `problem` says why it is no operation; then `operation` is None."""

    index: int
    leaf: bytes
    operation: Operation | None = None
    problem: WireError | None = None


@dataclass
class VerifiedDelta:
    """A delta whose signature and root are right; what it hides is known by index only."""

    header: Header
    shown: list = field(default_factory=list)
    hidden: set = field(default_factory=set)

    def check_operations(self):
        """Refuses the first operation that is none."""
        for shown in self.shown:
            if shown.problem:
                raise shown.problem


def read_sealed(reader):
    start = reader.place
    reader.record(2)
    envelope = read_envelope(reader)
    header = decode_header(envelope.payload)
    items = tuple(read_item(reader) for _ in range(reader.array(OPERATIONS)))
    if reader.place - start > DELTA_BYTES:
        raise WireError("too-large", start, f"a delta of more than {DELTA_BYTES} bytes")
    return SealedDelta(envelope, header, items)


def read_item(reader):
    """An operation's bytes, or a hash that hides some."""
    start = reader.place
    data = reader.item(OPERATION_NESTING)
    inner = Reader(data)
    if inner.array(len(data)) == 0:
        raise WireError("unexpected", start, "an empty item")
    if inner.peek() != BYTES:
        return data
    inner.place = 0
    inner.record(2)
    hidden = Hidden(inner.bytes(32), inner.uint(OPERATIONS))
    if hidden.leaves == 0:
        raise WireError("inconsistent", start, "a hash that hides nothing")
    return hidden


def decode_sealed(data):
    reader = Reader(data)
    sealed = read_sealed(reader)
    reader.end()
    return sealed


def verify_delta(sealed, space=None):
    """Checks signature, root, and space if one is given; each operation says by itself what is wrong with it."""
    header = sealed.header
    if space is not None and header.space != space:
        raise WireError("wrong-space", 0, "a delta of another space")
    if not sealed.envelope.is_signed_by(header.author):
        raise WireError("bad-signature", 0, "the author did not sign this header")
    verified = VerifiedDelta(header)
    walk = Walk(sealed.items, verified)
    root = walk.root(0, header.count)
    if walk.next != len(sealed.items):
        raise WireError("bad-root", 0, "more items than the header counts")
    if root != header.root:
        raise WireError("bad-root", 0, "the operations are not those that were signed")
    check_in_header(verified)
    return verified


class Walk:
    """The walk from the root, with the items in order."""

    def __init__(self, items, verified):
        self.items = items
        self.next = 0
        self.verified = verified

    def root(self, first, count):
        if self.next == len(self.items):
            raise WireError("bad-root", 0, "fewer items than the header counts")
        item = self.items[self.next]
        if isinstance(item, Hidden) and item.leaves == count:
            self.next += 1
            self.verified.hidden.update(range(first, first + count))
            return item.hash
        if count == 1:
            if isinstance(item, Hidden):
                raise WireError("bad-root", 0, "a hash that covers no whole subtree")
            self.next += 1
            return self.show(first, item)
        middle = hashes.split(count)
        before = self.next
        left = self.root(first, middle)
        right = self.root(first + middle, count - middle)
        if self.next - before == 2 and all(isinstance(item, Hidden) for item in self.items[before : self.next]):
            raise WireError("not-canonical", 0, "two hashed siblings are written as their parent")
        return hashes.node(left, right)

    def show(self, index, data):
        shown = Shown(index, hashes.leaf(data))
        try:
            shown.operation = decode_operation(data)
        except WireError as problem:
            shown.problem = problem
        self.verified.shown.append(shown)
        return shown.leaf


def check_in_header(verified):
    """What only header and operation together can say: stamps, and observed dots."""
    header = verified.header
    before = None
    for shown in verified.shown:
        if shown.operation is None:
            continue
        offset = shown.operation.offset
        if (offset == 0) != (shown.index == 0) or (before is not None and offset <= before):
            shown.problem = WireError("bad-stamp", 0, f"the offset of operation {shown.index} does not rise")
        elif header.stamp + offset > STAMP:
            shown.problem = WireError("bad-stamp", 0, f"the stamp of operation {shown.index} is too great")
        elif not all(
            replica < len(header.observed) and sequence <= header.observed[replica][2]
            for replica, sequence in shown.operation.observed
        ):
            shown.problem = WireError("bad-observed", 0, f"operation {shown.index} observes what the header does not list")
        before = offset
        if shown.problem:
            shown.operation = None
