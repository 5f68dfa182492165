"""The people, keys and clocks of the vectors. Everything is fixed: the same bytes come out every time."""

import hashlib

from gimbal import hashes
from gimbal.cose import seal
from gimbal.deltas import Hidden, SealedDelta
from gimbal.headers import Header
from gimbal.operations import ASSIGN, CLEAR, PUT, REMOVE, Operation
from gimbal.signatures import Signer


def signer(name):
    return Signer(hashlib.sha256(b"gimbal vectors: " + name.encode()).digest())


ROOT, OTHER_ROOT = signer("root"), signer("other root")
PIVOT, NEXT_PIVOT = signer("pivot"), signer("next pivot")
ANNA, BERT, CLEO = sorted((signer(name) for name in ("anna", "bert", "cleo")), key=lambda one: one.public)
SPACE = ROOT.public

MILLISECONDS = 1_700_000_000_000
STAMP = MILLISECONDS << 16
INCARNATION = 0x0123456789ABCDEF


def assign(path, value, offset=0, created=0):
    return Operation(ASSIGN, offset, path, value, created)


def clear(path, offset=0):
    return Operation(CLEAR, offset, path)


def put(path, value, offset=0, created=0, observed=()):
    return Operation(PUT, offset, path, value, created, tuple(observed))


def remove(path, offset=0, observed=()):
    return Operation(REMOVE, offset, path, observed=tuple(observed))


def make_delta(
    author, operations, first=1, stamp=STAMP, previous=hashes.ZEROS, observed=(), incarnation=INCARNATION, space=SPACE, root=None
):
    """A whole delta of these operations, which may be bytes instead."""
    items = tuple(one if isinstance(one, bytes) else one.encoded for one in operations)
    root = root or hashes.root([hashes.leaf(item) for item in items])
    header = Header(space, author.public, incarnation, first, len(items), stamp, previous, tuple(observed), root)
    return SealedDelta(seal(author, header.payload), header, items)


def prune(sealed, hidden):
    """The delta without the operations of these indexes."""
    return SealedDelta(sealed.envelope, sealed.header, tuple(pruned_items(sealed.items, 0, set(hidden))))


def pruned_items(items, first, hidden):
    if hidden.issuperset(range(first, first + len(items))):
        return [Hidden(hashes.root([hashes.leaf(item) for item in items]), len(items))]
    if len(items) == 1:
        return [items[0]]
    middle = hashes.split(len(items))
    return pruned_items(items[:middle], first, hidden) + pruned_items(items[middle:], first + middle, hidden)


def valid(name, data, **fields):
    return {"name": name, "hex": data.hex(), "valid": True, **fields}


def invalid(name, data, error):
    """`error` is a code, or a list of codes where the specification leaves it open which one it is."""
    return {"name": name, "hex": data.hex(), "valid": False, "error": error}


def header_fields(header):
    return {
        "space": header.space.hex(),
        "author": header.author.hex(),
        "incarnation": str(header.incarnation),
        "first": str(header.first),
        "count": header.count,
        "stamp": str(header.stamp),
        "previous": header.previous.hex(),
        "observed": [[author.hex(), str(incarnation), str(greatest)] for author, incarnation, greatest in header.observed],
        "root": header.root.hex(),
        "headerHash": header.hash.hex(),
    }


def operation_fields(operation):
    fields = {"kind": operation.kind, "offset": str(operation.offset), "path": operation.path}
    if operation.kind in (ASSIGN, PUT):
        fields |= {"value": operation.value, "created": str(operation.created)}
    if operation.kind in (PUT, REMOVE):
        fields["observed"] = [[index, str(sequence)] for index, sequence in operation.observed]
    return fields | {"leaf": hashes.leaf(operation.encoded).hex()}
