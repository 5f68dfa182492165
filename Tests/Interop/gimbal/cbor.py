"""Deterministic CBOR (RFC 8949 §4.2.1), as narrow as Gimbal's formats are: unsigned numbers, bytes, text, arrays, and the
tag and the empty map of COSE_Sign1.

`Reader` is our own, because it must name the code of what is wrong. `check_roundtrip` asks cbor2 the same question in
its own way: decode, encode canonically, compare.
"""

import io

import cbor2

from .errors import WireError
from .limits import ORDINAL, UINT64

UINT, NEGATIVE, BYTES, TEXT, ARRAY, MAP, TAG, OTHER = range(8)
NAMES = ["an unsigned number", "a negative number", "bytes", "text", "an array", "a map", "a tag", "a simple value or float"]


def encode(value):
    """The one encoding of a value."""
    return cbor2.dumps(value, canonical=True)


def encode_array(items):
    """An array of items that are encoded already."""
    count = encode(len(items))
    return bytes([count[0] | ARRAY << 5]) + count[1:] + b"".join(items)


def check_roundtrip(data):
    """Refuses an item, or a sequence of items, that cbor2 does not give back as it was."""
    stream = io.BytesIO(data)
    while (start := stream.tell()) < len(data):
        if encode(cbor2.load(stream)) != data[start : stream.tell()]:
            raise WireError("not-canonical", start, "cbor2 encodes this in another way")


class Reader:
    """Reads typed items from bytes, one after the other, and refuses every encoding but the deterministic one."""

    def __init__(self, data, place=0):
        self.data = data
        self.place = place

    @property
    def at_end(self):
        return self.place == len(self.data)

    def peek(self):
        """The major type of the next item."""
        if self.at_end:
            raise WireError("truncated", self.place, "the bytes end where an item should begin")
        return self.data[self.place] >> 5

    def uint(self, greatest=UINT64, code="unexpected"):
        """A number up to `greatest`; beyond it the error has the code."""
        start = self.place
        number = self._head(UINT)
        if number > greatest:
            raise WireError(code, start, f"{number} is greater than {greatest}")
        return number

    def ordinal(self, code="too-large"):
        """What is counted or added to: a position, sequence, count, epoch number or time."""
        return self.uint(ORDINAL, code)

    def bytes(self, size=None):
        """Bytes, of exactly this size if one is given."""
        start = self.place
        length = self._head(BYTES)
        if size is not None and length != size:
            raise WireError("unexpected", start, f"{length} bytes instead of {size}")
        return self._take(length)

    def text(self, greatest, code="unexpected"):
        """UTF-8 of at most this many bytes; what is no UTF-8 has the code."""
        start = self.place
        length = self._head(TEXT)
        if length > greatest and start + length <= len(self.data):
            raise WireError("too-large", start, f"{length} bytes of text, at most {greatest} are allowed")
        try:
            return self._take(length).decode("utf-8")
        except UnicodeDecodeError as error:
            raise WireError(code, start, "text that is not UTF-8") from error

    def array(self, greatest):
        """The head of an array of at most this many elements; answers how many it has."""
        start = self.place
        count = self._head(ARRAY)
        if count > greatest:
            raise WireError("too-large", start, f"{count} elements, at most {greatest} are allowed")
        return count

    def record(self, size):
        """The head of an array of exactly this many elements."""
        start = self.place
        count = self._head(ARRAY)
        if count != size:
            raise WireError("unexpected", start, f"{count} elements instead of {size}")

    def constant(self, expected):
        """Exactly these bytes."""
        start = self.place
        if self.data[start : start + len(expected)] != expected:
            rest = self.data[start:]
            code = "truncated" if expected.startswith(rest) else "unexpected"
            raise WireError(code, start, f"not {expected.hex()}")
        self.place += len(expected)

    def item(self, nesting):
        """The bytes of one item of numbers, bytes, text and arrays, whatever they mean, nested at most so deep."""
        start = self.place
        unread = [1]  # how many items are left at each level
        while unread:
            unread[-1] -= 1
            major = self.peek()
            here = self.place
            if major in (UINT, NEGATIVE):
                self._head(major)
            elif major in (BYTES, TEXT):
                self._take(self._head(major))
            elif major == ARRAY:
                unread.append(self._head(ARRAY))
                if len(unread) - 1 > nesting:
                    raise WireError("nesting", here, f"more than {nesting} levels of CBOR")
            else:
                raise WireError("unexpected", here, f"{NAMES[major]} has no place here")
            while unread and unread[-1] == 0:
                unread.pop()
        return self.data[start : self.place]

    def end(self):
        """Nothing may follow."""
        if not self.at_end:
            raise WireError("trailing-bytes", self.place, f"{len(self.data) - self.place} bytes too many")

    def _head(self, major):
        start = self.place
        found = self.peek()
        if found != major:
            raise WireError("unexpected", start, f"{NAMES[found]} instead of {NAMES[major]}")
        low = self.data[start] & 31
        if low == 31 and major in (BYTES, TEXT, ARRAY):
            raise WireError("not-canonical", start, "an indefinite length")
        if low > 27:
            raise WireError("unexpected", start, "a head that no CBOR has")
        self.place += 1
        if low < 24:
            return low
        size = 1 << (low - 24)
        number = int.from_bytes(self._take(size), "big")
        if number < (24 if size == 1 else 1 << (4 * size)):
            raise WireError("not-canonical", start, f"{number} in more bytes than it needs")
        return number

    def _take(self, length):
        if length > len(self.data) - self.place:
            raise WireError("truncated", self.place, f"{length} bytes should follow, {len(self.data) - self.place} do")
        taken = self.data[self.place : self.place + length]
        self.place += length
        return taken
