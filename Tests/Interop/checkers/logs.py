"""Sealed deltas and log entries."""

from gimbal.deltas import decode_sealed, verify_delta
from gimbal.entries import DeltaEntry, JoinEntry, decode_entry, leaf_hash, shown_refusals
from gimbal.operations import WITH_OBSERVED, WITH_VALUE

from .outcome import compare
from .signed import header_fields, require
from .worlds import SPACE


def check_delta(vector):
    def read(data):
        sealed = decode_sealed(data)
        verified = verify_delta(sealed, SPACE)
        verified.check_operations()
        fields = {
            "header": header_fields(sealed.header),
            "operations": [shown_fields(sealed.header, shown) for shown in verified.shown],
            "hidden": sorted(verified.hidden),
        }
        return fields, sealed.encoded

    return compare(vector, read)


def shown_fields(header, shown):
    operation = shown.operation
    fields = {
        "index": shown.index,
        "sequence": str(header.first + shown.index),
        "stamp": str(header.stamp + operation.offset),
        "kind": operation.kind,
        "offset": str(operation.offset),
        "path": operation.path,
        "leaf": shown.leaf.hex(),
    }
    if operation.kind in WITH_VALUE:
        fields |= {"value": operation.value, "created": str(operation.created)}
    if operation.kind in WITH_OBSERVED:
        fields["observed"] = [[index, str(sequence)] for index, sequence in operation.observed]
    return fields


def check_entry(vector):
    def read(data):
        entry = decode_entry(data)
        return entry_fields(entry), entry.encoded

    return compare(vector, read)


def entry_fields(entry):
    leaf = {"leaf": leaf_hash(entry).hex()}
    if isinstance(entry, JoinEntry):
        return {"kind": 3, "checkpoints": [hash.hex() for hash in entry.checkpoints], **leaf}
    fields = {
        "kind": 1 if isinstance(entry, DeltaEntry) else 2,
        "cap": str(entry.cap),
        "refusals": [list(refusal) for refusal in entry.refusals],
        "headerHash": entry.header_hash.hex(),
        **leaf,
    }
    if isinstance(entry, DeltaEntry):
        verified = verify_delta(entry.sealed, SPACE)
        verified.check_operations()
        require(not shown_refusals(entry, verified), "refused-shown")
        fields["effectiveStamps"] = [
            [shown.index, str(min(entry.cap, entry.sealed.header.stamp + shown.operation.offset))] for shown in verified.shown
        ]
    return fields
