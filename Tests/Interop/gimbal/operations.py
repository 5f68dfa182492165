"""Operations (docs/wire-format.md §2)."""

from dataclasses import dataclass
from itertools import pairwise

from . import paths
from .cbor import Reader, encode
from .errors import WireError
from .limits import OBSERVED_DOTS, STAMP, UINT64, VALUE_BYTES
from .values import check_value

ASSIGN, CLEAR, PUT, REMOVE = 1, 2, 3, 4
KIND_NAMES = {ASSIGN: "assign", CLEAR: "clear", PUT: "put", REMOVE: "remove"}
FIELDS = {ASSIGN: 5, CLEAR: 3, PUT: 6, REMOVE: 4}
FOR_REGISTERS = {ASSIGN, CLEAR}
WITH_VALUE = {ASSIGN, PUT}
WITH_OBSERVED = {PUT, REMOVE}


@dataclass(frozen=True)
class Operation:
    """`observed` has (index into the header's table, sequence) pairs; `value` and `created` are None without a value."""

    kind: int
    offset: int
    path: str
    value: str | None = None
    created: int | None = None
    observed: tuple = ()

    @property
    def encoded(self):
        fields = [self.kind, self.offset, self.path]
        if self.kind in WITH_VALUE:
            fields += [self.value, self.created]
        if self.kind in WITH_OBSERVED:
            fields.append([number for dot in self.observed for number in dot])
        return encode(fields)


def decode_operation(data):
    """The operation of exactly these bytes, by itself: what only its header can say is not checked."""
    reader = Reader(data)
    start = reader.place
    count = reader.array(UINT64)
    kind_place = reader.place
    kind = reader.uint()
    if kind not in KIND_NAMES:
        raise WireError("unknown-kind", kind_place, f"an operation of kind {kind}")
    if count != FIELDS[kind]:
        raise WireError("unexpected", start, f"{count} fields, {KIND_NAMES[kind]} has {FIELDS[kind]}")
    offset = reader.uint()
    path = read_path(reader, kind)
    value = created = None
    if kind in WITH_VALUE:
        place = reader.place
        value = reader.text(VALUE_BYTES, code="bad-value")
        check_value(value, place)
        created = reader.uint(STAMP, code="bad-stamp")
    observed = read_observed(reader) if kind in WITH_OBSERVED else ()
    reader.end()
    return Operation(kind, offset, path, value, created, observed)


def read_path(reader, kind):
    place = reader.place
    path = reader.text(UINT64, code="bad-path")
    if not paths.is_path(path):
        raise WireError("bad-path", place, f"{path[:60]!r} is no path")
    if paths.is_register(path) != (kind in FOR_REGISTERS):
        raise WireError("bad-path", place, f"{KIND_NAMES[kind]} does not fit {path!r}")
    return path


def read_observed(reader):
    """Pairs, strictly rising."""
    place = reader.place
    numbers = reader.array(2 * OBSERVED_DOTS)
    if numbers % 2:
        raise WireError("bad-observed", place, "half a pair")
    dots = tuple((reader.uint(4095, code="bad-observed"), reader.ordinal(code="bad-observed")) for _ in range(numbers // 2))
    if any(sequence == 0 for _, sequence in dots):
        raise WireError("bad-observed", place, "sequences begin with 1")
    if any(left >= right for left, right in pairwise(dots)):
        raise WireError("bad-observed", place, "observed dots do not rise")
    return dots
