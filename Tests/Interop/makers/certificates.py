"""certificates.json: what the root key signs."""

from dataclasses import replace

import cbor2

from gimbal.cbor import encode
from gimbal.cose import Envelope, seal, to_be_signed
from gimbal.limits import ORDINAL
from gimbal.trust import Certificate

from .world import MILLISECONDS, NEXT_PIVOT, OTHER_ROOT, PIVOT, ROOT, SPACE, invalid
from .world import valid as valid_vector

BASE = Certificate(SPACE, PIVOT.public, 1, MILLISECONDS)


def vectors():
    plain = cbor2.loads(BASE.payload)
    envelope = seal(ROOT, BASE.payload)
    foreign = replace(BASE, space=OTHER_ROOT.public)
    checkpoint_type = encode(["gimbal.checkpoint.1", *plain[1:]])
    certificates = {
        "the first": BASE,
        "the next": replace(BASE, pivot=NEXT_PIVOT.public, serial=2),
        "greatest numbers": replace(BASE, serial=ORDINAL, issued=ORDINAL),
        "serial 0": replace(BASE, serial=0, issued=0),
    }
    wrong = [
        ("signed by the pivot", seal(PIVOT, BASE.payload), "bad-signature"),
        ("signed by another root", seal(OTHER_ROOT, BASE.payload), "bad-signature"),
        ("signature over another certificate", Envelope(BASE.payload, ROOT.sign(to_be_signed(foreign.payload))), "bad-signature"),
        ("signature over another type", Envelope(BASE.payload, ROOT.sign(to_be_signed(checkpoint_type))), "bad-signature"),
        ("of another space", seal(OTHER_ROOT, foreign.payload), ["wrong-space", "bad-signature"]),
        ("of another space, signed by this one", seal(ROOT, foreign.payload), ["wrong-space", "bad-signature"]),
        ("serial 2^62", seal(ROOT, replace(BASE, serial=2**62).payload), "too-large"),
        ("issued at 2^64 - 1", seal(ROOT, replace(BASE, issued=2**64 - 1).payload), "too-large"),
        ("of a newer type", seal(ROOT, encode(["gimbal.certificate.2", *plain[1:]])), "unknown-type"),
        ("of the type of a checkpoint", seal(ROOT, checkpoint_type), ["unknown-type", "unexpected"]),
        ("a field more", seal(ROOT, encode([*plain, 0])), ["unexpected", "trailing-bytes"]),
        ("a field less", seal(ROOT, encode(plain[:-1])), "unexpected"),
        ("a key of 33 bytes", seal(ROOT, encode([*plain[:2], plain[2] + b"\0", *plain[3:]])), "unexpected"),
        (
            "serial in two bytes",
            seal(ROOT, BASE.payload.replace(PIVOT.public + b"\1", PIVOT.public + b"\x18\1")),
            "not-canonical",
        ),
        ("payload cut", seal(ROOT, BASE.payload[:-1]), "truncated"),
        ("payload with a byte more", seal(ROOT, BASE.payload + b"\0"), "trailing-bytes"),
    ]
    return [
        *(valid_vector(name, seal(ROOT, one.payload).encoded, **fields(one)) for name, one in certificates.items()),
        *(invalid(name, one.encoded, error) for name, one, error in wrong),
        invalid("a byte more", envelope.encoded + b"\0", "trailing-bytes"),
        invalid("cut", envelope.encoded[:-1], "truncated"),
    ]


def fields(certificate):
    return {
        "space": certificate.space.hex(),
        "pivot": certificate.pivot.hex(),
        "serial": str(certificate.serial),
        "issued": str(certificate.issued),
    }
