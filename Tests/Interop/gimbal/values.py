"""Values: JSON texts (RFC 8259), carried as they were written."""

import json

from .errors import WireError
from .limits import JSON_NESTING


def nesting(text):
    """How many arrays and objects are open at the deepest place; a number has none."""
    depth = deepest = 0
    in_string = escaped = False
    for character in text:
        if escaped:
            escaped = False
        elif in_string:
            escaped = character == "\\"
            in_string = character != '"'
        elif character == '"':
            in_string = True
        elif character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


def refuse(constant):
    raise ValueError(f"{constant} is no JSON")


def check_value(text, place):
    """Refuses what is no JSON, or is nested too deep."""
    if nesting(text) > JSON_NESTING:
        raise WireError("bad-value", place, f"JSON of more than {JSON_NESTING} levels")
    try:
        json.loads(text, parse_int=str, parse_float=str, parse_constant=refuse)
    except ValueError as error:
        raise WireError("bad-value", place, f"no JSON: {error}") from error
