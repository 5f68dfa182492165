"""COSE_Sign1 (RFC 9052 §4.2) in the one form that Gimbal signs."""

from dataclasses import dataclass

import cbor2

from . import signatures
from .cbor import TAG, encode
from .errors import WireError

PROTECTED = bytes.fromhex("a2012703183c")
START = bytes.fromhex("d284")  # tag 18, an array of four
NOTHING_UNPROTECTED = b"\xa0"


@dataclass(frozen=True)
class Envelope:
    """A payload with its signature, which nobody has checked yet."""

    payload: bytes
    signature: bytes

    def is_signed_by(self, key):
        return signatures.verifies(key, to_be_signed(self.payload), self.signature)

    @property
    def encoded(self):
        return encode(cbor2.CBORTag(18, [PROTECTED, {}, self.payload, self.signature]))


def to_be_signed(payload):
    return encode(["Signature1", PROTECTED, b"", payload])


def seal(signer, payload):
    return Envelope(payload, signer.sign(to_be_signed(payload)))


def read_envelope(reader):
    if reader.peek() != TAG:
        raise WireError("unexpected", reader.place, "no COSE_Sign1")
    reader.constant(START)
    start = reader.place
    if reader.bytes() != PROTECTED:
        raise WireError("unexpected", start, "another protected header")
    reader.constant(NOTHING_UNPROTECTED)
    payload = reader.bytes()
    return Envelope(payload, reader.bytes(64))


def read_type(reader, expected):
    """The type text that every payload begins with."""
    start = reader.place
    found = reader.text(greatest=64)
    if found != expected:
        raise WireError("unknown-type", start, f"{found!r} instead of {expected!r}")
