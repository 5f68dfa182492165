"""entries.json: log entries as a node pulls them."""

from dataclasses import replace

import cbor2

from gimbal import hashes
from gimbal.cbor import encode
from gimbal.entries import DeltaEntry, JoinEntry, ReceiptEntry
from gimbal.limits import STAMP as GREATEST

from .deltas import FIVE, delta_of
from .raw import array, head, tstr, uint
from .world import ANNA, STAMP, invalid, make_delta, prune
from .world import valid as valid_vector

CAP = STAMP + (30_000 << 16)
WHOLE = delta_of(4)
HASH = WHOLE.header.hash


def vectors():
    return [*valid(), *kinds(), *refusals(), *encodings()]


def valid():
    refused = ((1, "forbidden"), (3, "bad-path"))
    deltas = {
        "nothing refused": DeltaEntry(CAP, (), WHOLE),
        "two refused": DeltaEntry(CAP, refused, prune(WHOLE, [1, 3])),
        "all refused": DeltaEntry(CAP, tuple((index, "outside-space") for index in range(4)), prune(WHOLE, range(4))),
        "a reason of the future": DeltaEntry(CAP, ((0, "x" * 64),), prune(WHOLE, [0])),
        "an empty reason": DeltaEntry(CAP, ((0, ""),), prune(WHOLE, [0])),
        "capped": DeltaEntry(STAMP + 1, (), WHOLE),
        "capped below all": DeltaEntry(5, (), WHOLE),
        "greatest cap": DeltaEntry(GREATEST, (), WHOLE),
    }
    receipts = {
        "receipt": ReceiptEntry(CAP, (), HASH),
        "receipt with refusals": ReceiptEntry(CAP, refused, HASH),
    }
    joins = {
        "join of two": JoinEntry((hashes.blake2b_256(b"1"), hashes.blake2b_256(b"2"))),
        "join of none": JoinEntry(()),
    }
    return [
        *(valid_vector(name, one.encoded, kind=1, **fields(one), **stamps(one)) for name, one in deltas.items()),
        *(valid_vector(name, one.encoded, kind=2, **fields(one)) for name, one in receipts.items()),
        *(
            valid_vector(name, one.encoded, kind=3, checkpoints=[hash.hex() for hash in one.checkpoints], **leaf(one))
            for name, one in joins.items()
        ),
    ]


def leaf(entry):
    return {"leaf": hashes.leaf(entry.leaf).hex()}


def fields(entry):
    return {
        "cap": str(entry.cap),
        "refusals": [list(refusal) for refusal in entry.refusals],
        "headerHash": entry.header_hash.hex(),
        **leaf(entry),
    }


def stamps(entry):
    """The effective stamps of what is shown."""
    refused = dict(entry.refusals)
    return {
        "effectiveStamps": [
            [index, str(min(entry.cap, STAMP + operation.offset))]
            for index, operation in enumerate(FIVE[:4])
            if index not in refused
        ]
    }


def kinds():
    return [
        *(
            invalid(f"kind {kind}", array(uint(kind), uint(0), array(), encode(HASH)), ["unknown-kind", "unexpected"])
            for kind in (0, 4, 2**64 - 1)
        ),
        invalid("kind text", array(tstr("1"), uint(0), array(), encode(HASH)), ["unexpected", "unknown-kind"]),
        invalid("a leaf is no entry", leaf_of(WHOLE), "unexpected"),
        invalid("receipt with a delta", encode([2, CAP, [], cbor2.loads(WHOLE.encoded)]), "unexpected"),
        invalid("receipt without its hash", encode([2, CAP, []]), ["unexpected", "unknown-kind"]),
        invalid("receipt with a field more", encode([2, CAP, [], HASH, 0]), ["unexpected", "trailing-bytes", "too-large"]),
        invalid("receipt with a hash of 31 bytes", encode([2, CAP, [], HASH[:31]]), "unexpected"),
        invalid("join with a cap", encode([3, CAP, [HASH]]), ["unexpected", "unknown-kind"]),
        invalid("join with a hash of 33 bytes", encode([3, [HASH + b"\0"]]), "unexpected"),
        invalid("join of 2^60", array(uint(3), head(4, 2**60)), ["truncated", "too-large"]),
        invalid("cap over the greatest", ReceiptEntry(GREATEST + 1, (), HASH).encoded, "bad-stamp"),
        invalid("cap 2^64 - 1", ReceiptEntry(2**64 - 1, (), HASH).encoded, "bad-stamp"),
    ]


def leaf_of(sealed):
    return DeltaEntry(CAP, (), sealed).leaf


def refusals():
    def receipt(*fields):
        return encode([2, CAP, list(fields), HASH])

    order = ["not-canonical", "inconsistent", "unexpected"]
    too_long = ["too-large", "unexpected"]
    return [
        invalid("refusals fall", receipt(1, "forbidden", 0, "forbidden"), order),
        invalid("a refusal twice", receipt(1, "forbidden", 1, "forbidden"), order),
        invalid("half a refusal", receipt(1), ["unexpected", "inconsistent", "truncated"]),
        invalid("a refusal in an array", receipt([1, "forbidden"]), ["unexpected", "inconsistent"]),
        invalid("a refusal without words", receipt(1, 2), "unexpected"),
        invalid("a reason of 65 bytes", receipt(1, "x" * 65), too_long),
        invalid("index 4096", receipt(4096, "forbidden"), ["unexpected", "inconsistent", "too-large"]),
        invalid("index beyond the delta", DeltaEntry(CAP, ((4, "forbidden"),), WHOLE).encoded, "inconsistent"),
        invalid("refused and shown", DeltaEntry(CAP, ((1, "forbidden"),), WHOLE).encoded, ["refused-shown", "inconsistent"]),
        invalid(
            "a reason with no UTF-8",
            array(uint(2), uint(0), array(uint(0), tstr(b"\xff")), encode(HASH)),
            ["unexpected", "not-canonical", "bad-value"],
        ),
    ]


def encodings():
    whole, receipt = DeltaEntry(CAP, (), WHOLE).encoded, ReceiptEntry(17, (), HASH).encoded
    bad_item = make_delta(ANNA, [array(uint(5), uint(0), tstr("a"))])
    wrong_root = replace(WHOLE, items=(*WHOLE.items[:3], WHOLE.items[0]))
    return [
        invalid("an unknown operation is shown", DeltaEntry(CAP, (), bad_item).encoded, "unknown-kind"),
        invalid("a delta with a wrong root", DeltaEntry(CAP, (), wrong_root).encoded, "bad-root"),
        invalid("a byte more", whole + b"\0", "trailing-bytes"),
        invalid("cap in two bytes", receipt.replace(b"\x84\x02\x11", b"\x84\x02\x18\x11"), "not-canonical"),
        invalid("indefinite refusals", receipt.replace(b"\x84\x02\x11\x80", b"\x84\x02\x11\x9f\xff"), "not-canonical"),
        *(
            invalid(f"cut after {place} bytes", whole[:place], "truncated")
            for place in (0, 1, 2, 5, 11, 12, 13, 200, len(whole) - 1)
        ),
    ]
