"""checkpoints.json: what the pivot signs about its log."""

from dataclasses import replace

import cbor2

from gimbal.cbor import encode
from gimbal.cose import Envelope, seal, to_be_signed
from gimbal.hashes import blake2b_256
from gimbal.limits import ORDINAL
from gimbal.limits import STAMP as GREATEST
from gimbal.trust import Checkpoint

from .world import MILLISECONDS, NEXT_PIVOT, OTHER_ROOT, PIVOT, ROOT, SPACE, STAMP, invalid
from .world import valid as valid_vector

BASE = Checkpoint(SPACE, (1, 0xFEDCBA9876543210), 7, 1, MILLISECONDS, STAMP, blake2b_256(b"state"), blake2b_256(b"log"))


def vectors():
    plain = cbor2.loads(BASE.payload)
    envelope = seal(PIVOT, BASE.payload)
    checkpoints = {
        "a log of seven": BASE,
        "a log of one": replace(BASE, position=1),
        "after a join": replace(BASE, epoch=(3, 0), position=2**40, first_position=2**40 - 5),
        "greatest numbers": replace(
            BASE, epoch=(ORDINAL, 2**64 - 1), position=ORDINAL, first_position=ORDINAL, pivot_time=ORDINAL, greatest_stamp=GREATEST
        ),
    }
    wrong = [
        ("signed by the root", seal(ROOT, BASE.payload), "bad-signature"),
        ("signed by another pivot", seal(NEXT_PIVOT, BASE.payload), "bad-signature"),
        (
            "signature over another checkpoint",
            Envelope(BASE.payload, PIVOT.sign(to_be_signed(encode([*plain[:5], 8, *plain[6:]])))),
            "bad-signature",
        ),
        ("of another space", seal(PIVOT, replace(BASE, space=OTHER_ROOT.public).payload), "wrong-space"),
        ("greatest stamp over the greatest", seal(PIVOT, replace(BASE, greatest_stamp=GREATEST + 1).payload), "bad-stamp"),
        *(
            (f"{name} {text}", seal(PIVOT, replace(BASE, **{field: number}).payload), "too-large")
            for text, number in (("2^62", 2**62), ("2^64 - 1", 2**64 - 1))
            for name, field in (("position", "position"), ("first position", "first_position"), ("time", "pivot_time"))
        ),
        ("epoch 2^62", seal(PIVOT, replace(BASE, epoch=(2**62, 1)).payload), "too-large"),
        ("of a newer type", seal(PIVOT, encode(["gimbal.checkpoint.2", *plain[1:]])), "unknown-type"),
        ("of the type of a header", seal(PIVOT, encode(["gimbal.delta.1", *plain[1:]])), ["unknown-type", "unexpected"]),
        ("epoch an array", seal(PIVOT, encode([*plain[:2], plain[2:4], *plain[4:]])), "unexpected"),
        ("a field more", seal(PIVOT, encode([*plain, 0])), ["unexpected", "trailing-bytes"]),
        ("log root of 31 bytes", seal(PIVOT, encode([*plain[:-1], plain[-1][:31]])), "unexpected"),
        ("position negative", seal(PIVOT, encode([*plain[:4], -1, *plain[5:]])), "unexpected"),
        ("payload cut", seal(PIVOT, BASE.payload[:-1]), "truncated"),
        ("payload with a byte more", seal(PIVOT, BASE.payload + b"\0"), "trailing-bytes"),
    ]
    return [
        *(valid_vector(name, seal(PIVOT, one.payload).encoded, **fields(one)) for name, one in checkpoints.items()),
        *(invalid(name, one.encoded, error) for name, one, error in wrong),
        invalid("a byte more", envelope.encoded + b"\0", "trailing-bytes"),
        invalid("cut", envelope.encoded[:-1], "truncated"),
    ]


def fields(checkpoint):
    number, random = checkpoint.epoch
    return {
        "space": checkpoint.space.hex(),
        "epochNumber": str(number),
        "epochRandom": str(random),
        "position": str(checkpoint.position),
        "firstPosition": str(checkpoint.first_position),
        "pivotTime": str(checkpoint.pivot_time),
        "greatestStamp": str(checkpoint.greatest_stamp),
        "stateDigest": checkpoint.state_digest.hex(),
        "logRoot": checkpoint.log_root.hex(),
    }
