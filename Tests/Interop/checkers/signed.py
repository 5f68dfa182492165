"""Operations, headers, certificates and checkpoints."""

from dataclasses import fields as dataclass_fields

from gimbal.cbor import Reader
from gimbal.cose import Envelope, read_envelope
from gimbal.errors import WireError
from gimbal.hashes import leaf
from gimbal.headers import decode_header
from gimbal.operations import WITH_OBSERVED, WITH_VALUE, decode_operation
from gimbal.trust import decode_certificate, decode_checkpoint

from .outcome import compare
from .worlds import PIVOT, SPACE


def plain(value):
    """A field as JSON has it: bytes in hex, 64-bit numbers in decimal."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple):
        return [plain(one) for one in value]
    return str(value) if isinstance(value, int) else value


def check_operation(vector):
    def read(data):
        operation = decode_operation(data)
        fields = {"kind": operation.kind, "offset": str(operation.offset), "path": operation.path, "leaf": leaf(data).hex()}
        if operation.kind in WITH_VALUE:
            fields |= {"value": operation.value, "created": str(operation.created)}
        if operation.kind in WITH_OBSERVED:
            fields["observed"] = [[index, str(sequence)] for index, sequence in operation.observed]
        return fields, operation.encoded

    return compare(vector, read)


def check_header(vector):
    def read(data):
        envelope = whole_envelope(data)
        header = decode_header(envelope.payload)
        require(header.space == SPACE, "wrong-space")
        require(envelope.is_signed_by(header.author), "bad-signature")
        return header_fields(header), Envelope(header.payload, envelope.signature).encoded

    return compare(vector, read)


def header_fields(header):
    fields = {field.name: plain(getattr(header, field.name)) for field in dataclass_fields(header)}
    return fields | {"count": header.count, "headerHash": header.hash.hex()}


def whole_envelope(data):
    reader = Reader(data)
    envelope = read_envelope(reader)
    reader.end()
    return envelope


def require(condition, code):
    if not condition:
        raise WireError(code, 0, "the vector's context says otherwise")


def check_certificate(vector):
    def read(data):
        envelope = whole_envelope(data)
        certificate = decode_certificate(envelope.payload)
        require(certificate.space == SPACE, "wrong-space")
        require(envelope.is_signed_by(SPACE), "bad-signature")
        fields = {field.name: plain(getattr(certificate, field.name)) for field in dataclass_fields(certificate)}
        return fields, Envelope(certificate.payload, envelope.signature).encoded

    return compare(vector, read)


def check_checkpoint(vector):
    def read(data):
        envelope = whole_envelope(data)
        checkpoint = decode_checkpoint(envelope.payload)
        require(checkpoint.space == SPACE, "wrong-space")
        require(envelope.is_signed_by(PIVOT), "bad-signature")
        number, random = checkpoint.epoch
        fields = {
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
        return fields, Envelope(checkpoint.payload, envelope.signature).encoded

    return compare(vector, read)
