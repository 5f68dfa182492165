"""CBOR written by hand, so that it can be wrong."""


def head(major, number, size=None):
    """A head; `size` in bytes after the first forces a longer form than needed, as invalid vectors want it."""
    if size is None:
        size = 0 if number < 24 else next(size for size in (1, 2, 4, 8) if number < 1 << (8 * size))
    if size == 0:
        return bytes([major << 5 | number])
    return bytes([major << 5 | (23 + size.bit_length())]) + number.to_bytes(size, "big")


def uint(number, size=None):
    return head(0, number, size)


def bstr(data, size=None):
    return head(2, len(data), size) + data


def tstr(data, size=None):
    data = data.encode() if isinstance(data, str) else data
    return head(3, len(data), size) + data


def array(*items, size=None):
    return head(4, len(items), size) + b"".join(items)


def indefinite(*items):
    return b"\x9f" + b"".join(items) + b"\xff"
