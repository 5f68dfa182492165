"""headers.json: signed headers, and everything that can be wrong with a COSE_Sign1."""

import hashlib
from dataclasses import replace

import cbor2

from gimbal.cbor import encode
from gimbal.cose import PROTECTED, Envelope, seal, to_be_signed
from gimbal.headers import TYPE, Header
from gimbal.limits import ORDINAL
from gimbal.limits import STAMP as GREATEST
from gimbal.signatures import ORDER, ORDER_8_Y, PRIME, Signer
from gimbal.trust import Checkpoint

from .raw import array, bstr, head, tstr, uint
from .world import ANNA, BERT, CLEO, INCARNATION, MILLISECONDS, OTHER_ROOT, SPACE, STAMP, header_fields, invalid
from .world import valid as valid_vector

ROOT_HASH = hashlib.blake2b(b"root", digest_size=32).digest()
BASE = Header(SPACE, ANNA.public, INCARNATION, 1, 1, STAMP, bytes(32), (), ROOT_HASH)


def vectors():
    return [*valid(), *fields(), *encodings(), *envelopes(), *signatures(), *weak_keys()]


def valid():
    table = ((BERT.public, 0, 1), (BERT.public, 7, ORDINAL), (CLEO.public, 2**64 - 1, 3))
    headers = {
        "the first of a replica": BASE,
        "a later one": replace(BASE, first=2, count=4096, previous=BASE.hash),
        "with a table of observed replicas": replace(BASE, observed=table),
        "observing another incarnation of the author": replace(BASE, observed=((ANNA.public, INCARNATION + 1, 5),)),
        "greatest stamp": replace(BASE, stamp=GREATEST),
        "stamp 0, incarnation 0": replace(BASE, stamp=0, incarnation=0),
        "greatest sequence": replace(BASE, first=ORDINAL - 1, count=2, previous=BASE.hash, incarnation=2**64 - 1),
    }
    clashing = {
        "one of two that clash": replace(BASE, first=2, previous=BASE.hash, stamp=STAMP + 1),
        "the other of two that clash": replace(BASE, first=2, previous=BASE.hash, stamp=STAMP + 2),
    }
    return [valid_vector(name, sign(one).encoded, **header_fields(one)) for name, one in (headers | clashing).items()]


def sign(header):
    return seal(ANNA, header.payload)


def signed_bytes(payload):
    return seal(ANNA, payload).encoded


def fields():
    bert, cleo = (BERT.public, 0, 1), (CLEO.public, 0, 1)
    unsorted, own = ["not-canonical", "inconsistent", "bad-observed"], ["inconsistent", "bad-observed", "unexpected"]
    wrong = [
        ("count 0", replace(BASE, count=0), ["inconsistent", "unexpected"]),
        ("count 4097", replace(BASE, count=4097), ["too-large", "inconsistent"]),
        ("first sequence 0", replace(BASE, first=0), ["inconsistent", "unexpected"]),
        ("first sequence 2^64 - 1", replace(BASE, first=2**64 - 1, count=2, previous=BASE.hash), "too-large"),
        ("first sequence 2^62", replace(BASE, first=2**62, previous=BASE.hash), "too-large"),
        ("last sequence 2^62", replace(BASE, first=2**62 - 1, count=2, previous=BASE.hash), "too-large"),
        ("greatest sequence 2^62 in the table", replace(BASE, observed=((BERT.public, 0, 2**62),)), "too-large"),
        ("the first names one before it", replace(BASE, previous=BASE.hash), "inconsistent"),
        ("a later one names none before it", replace(BASE, first=2), "inconsistent"),
        ("stamp over the greatest", replace(BASE, stamp=GREATEST + 1), "bad-stamp"),
        ("stamp 2^64 - 1", replace(BASE, stamp=2**64 - 1), "bad-stamp"),
        ("table falls", replace(BASE, observed=(cleo, bert)), unsorted),
        ("table has a replica twice", replace(BASE, observed=(bert, (BERT.public, 0, 2))), unsorted),
        ("incarnations fall", replace(BASE, observed=((BERT.public, 2, 1), (BERT.public, 1, 1))), unsorted),
        ("table has the delta's own replica", replace(BASE, observed=((ANNA.public, INCARNATION, 1),)), own),
        ("greatest sequence 0 in the table", replace(BASE, observed=((BERT.public, 0, 0),)), own),
    ]
    return [invalid(name, sign(header).encoded, error) for name, header, error in wrong] + [
        invalid("of another space", sign(replace(BASE, space=OTHER_ROOT.public)).encoded, "wrong-space"),
    ]


def encodings():
    plain = cbor2.loads(BASE.payload)
    wrong = [
        ("of a newer type", encode(["gimbal.delta.2", *plain[1:]]), "unknown-type"),
        ("no type", encode(plain[1:]), "unexpected"),
        ("a field too few", encode(plain[:-1]), "unexpected"),
        ("a field too many", encode([*plain, 0]), ["unexpected", "trailing-bytes"]),
        ("author of 31 bytes", encode([*plain[:2], plain[2][:31], *plain[3:]]), "unexpected"),
        ("root of 33 bytes", encode([*plain[:-1], plain[-1] + b"\0"]), "unexpected"),
        ("space of text", encode([plain[0], "space", *plain[2:]]), "unexpected"),
        ("payload with a byte more", BASE.payload + b"\0", "trailing-bytes"),
        ("payload cut", BASE.payload[:-1], "truncated"),
        ("payload empty", b"", "truncated"),
        (
            "count in two bytes",
            BASE.payload.replace(uint(INCARNATION) + b"\1\1", uint(INCARNATION) + b"\1\x18\1"),
            "not-canonical",
        ),
        ("table of 2^60 replicas", head(4, 10) + b"".join(map(encode, plain[:8])) + head(4, 2**60), ["truncated", "too-large"]),
    ]
    return [invalid(name, signed_bytes(payload), error) for name, payload, error in wrong]


def envelopes():
    def envelope(protected=PROTECTED, unprotected=b"\xa0", external=b"", context="Signature1", start=b"\xd2"):
        message = encode([context, protected, external, BASE.payload])
        return start + array(bstr(protected), unprotected, bstr(BASE.payload), bstr(ANNA.sign(message)))

    whole, signature = envelope(), sign(BASE).signature
    protected_error = ["unexpected", "bad-signature", "not-canonical"]
    protected = [
        ("no content type", "a10127"), ("another content type", "a20127031832"), ("keys fall", "a203183c0127"),
        ("algorithm in two bytes", "a201380703183c"), ("ES256", "a2012603183c"), ("indefinite", "bf012703183cff"),
        ("empty map", "a0"), ("empty", ""), ("a key more", "a3012703183c044161"),
    ]  # fmt: skip
    unprotected_error = ["unexpected", "bad-signature"]
    return [
        *(invalid(f"protected: {name}", envelope(bytes.fromhex(data)), protected_error) for name, data in protected),
        invalid("a key in the unprotected map", envelope(unprotected=b"\xa1\x04\x41a"), unprotected_error),
        invalid("indefinite unprotected map", envelope(unprotected=b"\xbf\xff"), ["not-canonical", "unexpected"]),
        invalid("signed with external data", envelope(external=b"x"), "bad-signature"),
        invalid("signed for COSE_Sign", envelope(context="Signature"), "bad-signature"),
        invalid("the payload alone is signed", Envelope(BASE.payload, ANNA.sign(BASE.payload)).encoded, "bad-signature"),
        invalid("no tag", envelope(start=b""), "unexpected"),
        invalid("the tag of COSE_Sign", envelope(start=b"\xd8\x62"), "unexpected"),
        invalid("tag in two bytes", envelope(start=b"\xd8\x12"), ["not-canonical", "unexpected"]),
        invalid("array in two bytes", whole.replace(b"\xd2\x84", b"\xd2\x98\x04", 1), ["not-canonical", "unexpected"]),
        invalid("no payload", b"\xd2" + array(bstr(PROTECTED), b"\xa0", b"\xf6", bstr(signature)), "unexpected"),
        invalid("signature of 63 bytes", Envelope(BASE.payload, signature[:63]).encoded, ["unexpected", "bad-signature"]),
        invalid("signature of 65 bytes", Envelope(BASE.payload, signature + b"\0").encoded, ["unexpected", "bad-signature"]),
        invalid("payload of 2^63 bytes", b"\xd2\x84" + bstr(PROTECTED) + b"\xa0" + head(2, 2**63), ["truncated", "too-large"]),
        invalid("a byte more", whole + b"\0", "trailing-bytes"),
        *(
            invalid(f"cut after {place} bytes", whole[:place], "truncated")
            for place in (0, 1, 2, 3, 9, 10, 11, 12, 100, len(whole) - 1)
        ),
        invalid("no COSE at all", tstr(TYPE), "unexpected"),
    ]


def signatures():
    good = sign(BASE).signature
    checkpoint = Checkpoint(SPACE, (1, 2), 1, 1, MILLISECONDS, STAMP, ROOT_HASH, ROOT_HASH)
    scalar = int.from_bytes(good[32:], "little") + ORDER
    wrong = {
        "a bit of R flipped": bytes([good[0] ^ 1]) + good[1:],
        "a bit of S flipped": good[:32] + bytes([good[32] ^ 1]) + good[33:],
        "zeros": bytes(64),
        "by another author": BERT.sign(to_be_signed(BASE.payload)),
        "over another header": sign(replace(BASE, stamp=STAMP + 1)).signature,
        "over a checkpoint": ANNA.sign(to_be_signed(checkpoint.payload)),
        "S is not below the order of the group": good[:32] + scalar.to_bytes(32, "little"),
    }
    return [
        *(
            invalid(f"signature {name}", Envelope(BASE.payload, signature).encoded, "bad-signature")
            for name, signature in wrong.items()
        ),
        invalid("a signed checkpoint", signed_bytes(checkpoint.payload), ["unknown-type", "unexpected"]),
    ]


def weak_keys():
    """Signatures that a verifier takes if it does not refuse keys of small order: S·B = R, and k·A is the neutral point."""
    points = {
        "order 1": 1, "order 2": PRIME - 1, "order 4": 0, "order 8": ORDER_8_Y, "order 8, the other": PRIME - ORDER_8_Y,
        "order 8, negative": ORDER_8_Y | 1 << 255, "order 4, not canonical": PRIME, "order 1, not canonical": PRIME + 1,
    }  # fmt: skip
    return [
        invalid(f"author key of {name}", forged(y.to_bytes(32, "little")).encoded, "bad-signature") for name, y in points.items()
    ]


def forged(key):
    payload = replace(BASE, author=key).payload
    for attempt in range(1000):
        seed = hashlib.sha256(b"forger %d" % attempt).digest()
        point = Signer(seed).public
        hashed = hashlib.sha512(point + key + to_be_signed(payload)).digest()
        if int.from_bytes(hashed, "little") % ORDER % 8 == 0:
            return Envelope(payload, point + (secret_scalar(seed) % ORDER).to_bytes(32, "little"))
    raise AssertionError("no multiple of eight in a thousand draws")


def secret_scalar(seed):
    """RFC 8032 §5.1.5."""
    low = bytearray(hashlib.sha512(seed).digest()[:32])
    low[0] &= 248
    low[31] = low[31] & 127 | 64
    return int.from_bytes(low, "little")
