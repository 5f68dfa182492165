"""COSE_Sign1 through pycose, a library that is not ours: structure, protected header and signature."""

import io

import cbor2
from pycose.algorithms import EdDSA
from pycose.headers import Algorithm, ContentType
from pycose.keys import OKPKey
from pycose.keys.curves import Ed25519
from pycose.messages import Sign1Message

SIGN1 = 18
APPLICATION_CBOR = 60


def check_sequence(data):
    """How many COSE_Sign1 are in a CBOR sequence, and what is wrong with them.

    A header must be signed by its author, a certificate by its space, a checkpoint by one of the pivots that the sequence's
    certificates name.
    """
    messages = [message for item in items(data) for message in messages_in(item)]
    payloads = [cbor2.loads(message.value[2]) for message in messages]
    pivots = [payload[2] for payload in payloads if payload[0] == "gimbal.certificate.1"]
    failures = []
    for index, (message, payload) in enumerate(zip(messages, payloads, strict=True)):
        signers = {"gimbal.delta.1": payload[2:3], "gimbal.certificate.1": payload[1:2], "gimbal.checkpoint.1": pivots}[
            payload[0]
        ]
        if not any(is_signed(cbor2.dumps(message, canonical=True), signer) for signer in signers):
            failures.append(f"COSE_Sign1 {index}, a {payload[0]}, is not signed as it should be")
    return len(messages), failures


def items(data):
    stream = io.BytesIO(data)
    while stream.tell() < len(data):
        yield cbor2.load(stream)


def messages_in(item):
    """All COSE_Sign1 in an item, the outermost first."""
    if isinstance(item, cbor2.CBORTag) and item.tag == SIGN1:
        yield item
    elif isinstance(item, list):
        for inner in item:
            yield from messages_in(inner)


def is_signed(data, key):
    message = Sign1Message.decode(data)
    message.key = OKPKey(crv=Ed25519, x=key)
    expected = {Algorithm: EdDSA, ContentType: APPLICATION_CBOR}
    return message.phdr == expected and message.uhdr == {} and message.verify_signature()
