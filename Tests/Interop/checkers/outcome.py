"""How one vector is compared."""

from gimbal.cbor import check_roundtrip
from gimbal.errors import WireError


def compare(vector, read):
    """`read` gives (fields, bytes encoded again) for the vector's bytes, or raises a `WireError`."""
    data = bytes.fromhex(vector["hex"])
    try:
        fields, encoded = read(data)
    except WireError as error:
        return refused(vector, {error.code}, str(error))
    if not vector["valid"]:
        return [f"is taken, should be {vector['error']}"]
    if encoded != data:
        return ["does not encode to the same bytes again"]
    check_roundtrip(data)
    return differences(vector, fields)


def refused(vector, codes, sentence):
    """What to say about a refusal with these codes."""
    if vector["valid"]:
        return [f"is refused: {sentence}"]
    error = vector["error"]
    expected = {error} if isinstance(error, str) else set(error)
    return [] if codes & expected else [f"is refused with {sorted(codes)} instead of {sorted(expected)}: {sentence}"]


def differences(vector, fields):
    """Every field that the vector states must be what was read, and the other way round."""
    stated = {name: field for name, field in vector.items() if name not in ("name", "hex", "valid")}
    return [
        f"{name} is {fields.get(name)!r}, the vector says {stated.get(name)!r}"
        for name in sorted(stated.keys() | fields.keys())
        if stated.get(name) != fields.get(name)
    ]
