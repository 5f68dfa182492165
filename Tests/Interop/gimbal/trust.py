"""What the root key and the pivot sign: certificates and checkpoints (docs/wire-format.md §4 and §5)."""

from dataclasses import astuple, dataclass

from .cbor import Reader, encode
from .cose import read_type
from .limits import STAMP


@dataclass(frozen=True)
class Certificate:
    """The root key names the pivot's working key. `issued` is in milliseconds."""

    TYPE = "gimbal.certificate.1"

    space: bytes
    pivot: bytes
    serial: int
    issued: int

    @property
    def payload(self):
        return encode([self.TYPE, *astuple(self)])


@dataclass(frozen=True)
class Checkpoint:
    """`epoch` is a number and random bits; `pivot_time` is in milliseconds."""

    TYPE = "gimbal.checkpoint.1"

    space: bytes
    epoch: tuple
    position: int
    first_position: int
    pivot_time: int
    greatest_stamp: int
    state_digest: bytes
    log_root: bytes

    @property
    def payload(self):
        space, epoch, *rest = astuple(self)
        return encode([self.TYPE, space, *epoch, *rest])

    @property
    def leaves(self):
        """How many leaves its log tree has."""
        return self.position - self.first_position + 1


def decode_certificate(payload):
    reader = Reader(payload)
    reader.record(5)
    read_type(reader, Certificate.TYPE)
    certificate = Certificate(reader.bytes(32), reader.bytes(32), reader.ordinal(), reader.ordinal())
    reader.end()
    return certificate


def decode_checkpoint(payload):
    reader = Reader(payload)
    reader.record(10)
    read_type(reader, Checkpoint.TYPE)
    checkpoint = Checkpoint(
        space=reader.bytes(32),
        epoch=(reader.ordinal(), reader.uint()),
        position=reader.ordinal(),
        first_position=reader.ordinal(),
        pivot_time=reader.ordinal(),
        greatest_stamp=reader.uint(STAMP, code="bad-stamp"),
        state_digest=reader.bytes(32),
        log_root=reader.bytes(32),
    )
    reader.end()
    return checkpoint
