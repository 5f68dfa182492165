"""What the space's own records say as of a place (docs/wire-format.md §5)."""

import json

from . import paths
from .state import State

SETTINGS = "_settings"


class Grants:
    """Takes records in as they come, and judges other operations by them."""

    def __init__(self):
        self._records = State()

    def take_effect(self, header, shown, cap):
        self._records.apply_operation(header, shown, cap)

    def faults(self, author, path):
        """The codes of what is wrong with such an author's operation here."""
        codes = []
        records = [parsed(write.value) for write in self._records.siblings(f"_members/{author.hex()}")]
        if not records or any(record.get("revoked") for record in records):
            codes.append("not-a-member")
        elif not all(any(paths.matches(pattern, path) for pattern in texts(record, "writes")) for record in records):
            codes.append("forbidden")
        settings = self._records.registers.get(SETTINGS)
        patterns = texts(parsed(settings.value), "patterns") if settings and settings.value else []
        if not any(paths.matches(pattern, path) for pattern in patterns):
            codes.append("outside-space")
        return codes


def parsed(value):
    record = json.loads(value)
    return record if isinstance(record, dict) else {}


def texts(record, field):
    """A field's texts; a field of another kind has none."""
    found = record.get(field)
    return [text for text in found if isinstance(text, str)] if isinstance(found, list) else []
