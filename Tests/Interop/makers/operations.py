"""operations.json: single operations."""

from gimbal.limits import ORDINAL, STAMP

from .raw import array, bstr, head, indefinite, tstr, uint
from .world import assign, clear, invalid, operation_fields, put, remove
from .world import valid as valid_vector

HALF_EMOJI = '"\\ud800"'
VALUES = [
    "null", "true", "0", "-0", "-1.5e+10", '""', '"ä€😀"', '"\\u0000\\/"', HALF_EMOJI, "[]", "{}", ' {"a" : [1,\n2]}\t\r',
    '{"a":1,"a":2}', "1e400", "9" * 5000, "[" * 128 + "]" * 128,
]  # fmt: skip
BAD_VALUES = [
    "", " ", "nul", "True", "{", "[1,]", "[1 2]", '{"a"}', '{"a":1,}', "{1:2}", "01", "+1", "1.", ".5", "1e", "-", "0x1", "NaN",
    "Infinity", "-Infinity", "'a'", '"\t"', '"\\x"', '"\\u12"', '"a', "1 2", "1 // one", "\ufeff1", "\u00a01", "\x0b1", "٣",
    "[" * 129 + "]" * 129, '{"a":' * 129 + "1" + "}" * 129, "[" * 10_000,
]  # fmt: skip
NO_UTF8 = {
    "a lone continuation byte": b'"\x80"',
    "an overlong slash": b'"\xc0\xaf"',
    "a surrogate": b'"\xed\xa0\x80"',
    "beyond Unicode": b'"\xf4\x90\x80\x80"',
    "a cut sequence": b'"\xe2\x82"',
}
PATHS = ["a", "Z9", "a.b", "a-_.b", "_settings", "_a/b", "things/42", "a/b/c/d", "0", "x" * 512, "a/" * 255 + "bb"]
BAD_PATHS = [
    "", "/", "/a", "a/", "a//b", "_", "__a", "_/a", "_-a", "a/_b", "a_", ".", "..", "a/..", ".a", "a.", "-a", "a-", "a b", "ä",
    "a\u0000",
    "a\n", "a/b\n", "*", "a/*", "a/**", "a\\b", "a%20b", "A/é",
]  # fmt: skip


def vectors():
    return [*valid(), *not_canonical(), *lengths(), *kinds(), *paths(), *values(), *observed()]


def kind_for(path):
    return 2 if "/" not in path else 4


def clear_or_remove(path):
    fields = [uint(kind_for(path)), uint(0), tstr(path)]
    return array(*fields, array()) if kind_for(path) == 4 else array(*fields)


def valid():
    operations = {
        "assign": assign("settings", '{"a":1}', 0, 0),
        "assign again": assign("settings", "2", 70_000, 123_456_789_012_345_678),
        "clear": clear("one"),
        "put": put("things/42", '"x"'),
        "put over two others": put("things/42", "[]", 23, 24, [(0, 5), (1, 1)]),
        "put over two of one replica": put("things/42", "[]", 24, 255, [(0, 5), (0, 6)]),
        "remove": remove("things/42", 256, [(2, ORDINAL)]),
        "remove of nothing but own dots": remove("things/42", 65_536),
        "greatest created": put("things/42", "1", 0, STAMP),
        "greatest index": remove("things/42", 0, [(4095, 1)]),
        "4096 observed dots": remove("things/42", 0, [(0, sequence) for sequence in range(1, 4097)]),
    }
    operations |= {f"value {short(value)}": assign("v", value) for value in VALUES}
    operations |= {f"path {short(path)}": clear(path) if "/" not in path else remove(path) for path in PATHS}
    return [valid_vector(name, one.encoded, **operation_fields(one)) for name, one in operations.items()]


def not_canonical():
    path, empty = tstr("a/b"), array()
    wrong = {
        "kind in two bytes": array(uint(2, 1), uint(0), tstr("one")),
        "offset in two bytes": array(uint(2), uint(23, 1), tstr("one")),
        "offset in three bytes": array(uint(2), uint(255, 2), tstr("one")),
        "offset in five bytes": array(uint(2), uint(65_535, 4), tstr("one")),
        "offset in nine bytes": array(uint(2), uint(2**32 - 1, 8), tstr("one")),
        "array length in two bytes": array(uint(2), uint(0), tstr("one"), size=1),
        "path length in two bytes": array(uint(2), uint(0), tstr("one", 1)),
        "value length in nine bytes": array(uint(1), uint(0), tstr("one"), tstr("1", 8), uint(0)),
        "created in two bytes": array(uint(1), uint(0), tstr("one"), tstr("1"), uint(0, 1)),
        "observed length in two bytes": array(uint(4), uint(0), path, array(size=1)),
        "observed sequence in two bytes": array(uint(4), uint(0), path, array(uint(0), uint(1, 1))),
        "indefinite array": indefinite(uint(2), uint(0), tstr("one")),
        "indefinite path": array(uint(2), uint(0), b"\x7f" + tstr("one") + b"\xff"),
        "indefinite observed": array(uint(4), uint(0), path, indefinite()),
    }
    unexpected = {
        "offset negative": array(uint(2), b"\x20", tstr("one")),
        "path of bytes": array(uint(2), uint(0), bstr(b"one")),
        "value of bytes": array(uint(1), uint(0), tstr("one"), bstr(b"1"), uint(0)),
        "value null": array(uint(1), uint(0), tstr("one"), b"\xf6", uint(0)),
        "value a CBOR number": array(uint(1), uint(0), tstr("one"), uint(1), uint(0)),
        "offset a big number": array(uint(2), b"\xc2" + bstr(b"\x01"), tstr("one")),
        "observed a map": array(uint(4), uint(0), path, b"\xa0"),
        "an operation in a tag": b"\xc1" + array(uint(2), uint(0), tstr("one")),
        "a number": uint(2),
        "text": tstr("one"),
    }
    fields = {
        "clear with a value": array(uint(2), uint(0), tstr("one"), tstr("1")),
        "assign without created": array(uint(1), uint(0), tstr("one"), tstr("1")),
        "put without observed": array(uint(3), uint(0), path, tstr("1"), uint(0)),
        "remove without observed": array(uint(4), uint(0), path),
        "remove with more": array(uint(4), uint(0), path, empty, empty),
    }
    arguable = {
        "an empty array": (array(), ["unexpected", "truncated", "unknown-kind"]),
        "offset a float": (array(uint(2), b"\xf9\x00\x00", tstr("one")), ["unexpected", "not-canonical"]),
        "a reserved head": (array(uint(2), b"\x1c", tstr("one")), ["unexpected", "not-canonical"]),
        "a break": (array(uint(2), b"\xff", tstr("one")), ["unexpected", "not-canonical"]),
        "an indefinite number": (array(uint(2), b"\x1f", tstr("one")), ["unexpected", "not-canonical"]),
        "kind text": (array(tstr("2"), uint(0), tstr("one")), ["unexpected", "unknown-kind"]),
        "kind negative": (array(b"\x21", uint(0), tstr("one")), ["unexpected", "unknown-kind"]),
        "nested where a value belongs": (
            array(uint(1), uint(0), tstr("one"), b"\x81" * 7 + uint(0), uint(0)), ["unexpected", "nesting"],
        ),
        "ten thousand arrays": (b"\x81" * 10_000, ["unexpected", "nesting", "truncated"]),
    }  # fmt: skip
    return [
        *(invalid(name, data, "not-canonical") for name, data in wrong.items()),
        *(invalid(name, data, "unexpected") for name, data in unexpected.items()),
        *(invalid(name, data, ["unexpected", "unknown-kind"]) for name, data in fields.items()),
        *(invalid(name, data, codes) for name, (data, codes) in arguable.items()),
    ]


def lengths():
    whole = put("things/42", '"x"', 300, STAMP, [(0, 5), (1, 1000)]).encoded
    cuts = [invalid(f"cut after {place} of {len(whole)} bytes", whole[:place], "truncated") for place in range(len(whole))]
    hostile = {
        "path of 2^63 bytes": (head(4, 3) + uint(2) + uint(0) + head(3, 2**63), ["truncated", "too-large", "bad-path"]),
        "path of 2^64 - 1 bytes": (head(4, 3) + uint(2) + uint(0) + head(3, 2**64 - 1), ["truncated", "too-large", "bad-path"]),
        "value of 2^63 bytes": (
            head(4, 5) + uint(1) + uint(0) + tstr("one") + head(3, 2**63) + b'"x"', ["truncated", "too-large", "bad-value"],
        ),
        "value of 2^31 bytes": (
            head(4, 5) + uint(1) + uint(0) + tstr("one") + head(3, 2**31) + b'"x"', ["truncated", "too-large", "bad-value"],
        ),
        "observed of 2^60 numbers": (
            head(4, 4) + uint(4) + uint(0) + tstr("a/b") + head(4, 2**60), ["truncated", "too-large", "bad-observed"],
        ),
        "array of 2^60 fields": (head(4, 2**60) + uint(2) + uint(0) + tstr("one"), ["unexpected", "truncated", "too-large"]),
        "array of 2^64 - 1 fields": (head(4, 2**64 - 1) + uint(2), ["unexpected", "truncated", "too-large"]),
    }  # fmt: skip
    return [
        *cuts,
        invalid("one byte more", whole + b"\x00", "trailing-bytes"),
        invalid("two operations", whole + whole, "trailing-bytes"),
        *(invalid(name, data, codes) for name, (data, codes) in hostile.items()),
    ]


def kinds():
    misfit = ["bad-path", "unknown-kind", "inconsistent"]
    return [
        *(invalid(f"kind {kind}", array(uint(kind), uint(0), tstr("one")), "unknown-kind") for kind in (0, 5, 24, 2**64 - 1)),
        invalid("kind 5 alone", array(uint(5)), ["unknown-kind", "truncated"]),
        invalid("assign of a member", array(uint(1), uint(0), tstr("a/b"), tstr("1"), uint(0)), misfit),
        invalid("clear of a member", array(uint(2), uint(0), tstr("a/b")), misfit),
        invalid("put of a register", array(uint(3), uint(0), tstr("a"), tstr("1"), uint(0), array()), misfit),
        invalid("remove of a register", array(uint(4), uint(0), tstr("a"), array()), misfit),
    ]


def paths():
    return [
        *(invalid(f"path {short(path)}", clear_or_remove(path), "bad-path") for path in BAD_PATHS),
        invalid("path of 513 bytes", clear_or_remove("x" * 513), ["bad-path", "too-large"]),
        invalid("path with no UTF-8", array(uint(2), uint(0), tstr(b"a\xff")), ["bad-path", "unexpected"]),
    ]


def values():
    def with_value(value):
        return array(uint(1), uint(0), tstr("v"), tstr(value), uint(0))

    over = array(uint(1), uint(0), tstr("v"), tstr("1"), uint(STAMP + 1))
    return [
        *(invalid(f"value {short(value)}", with_value(value), "bad-value") for value in BAD_VALUES),
        *(invalid(f"value with {name}", with_value(value), ["bad-value", "unexpected"]) for name, value in NO_UTF8.items()),
        invalid("created over the greatest stamp", over, "bad-stamp"),
        invalid("created of 2^64 - 1", array(uint(1), uint(0), tstr("v"), tstr("1"), uint(2**64 - 1)), "bad-stamp"),
    ]


def observed():
    def with_observed(*numbers):
        return array(uint(4), uint(0), tstr("a/b"), array(*map(uint, numbers)))

    many = [number for sequence in range(1, 4098) for number in (0, sequence)]
    return [
        invalid("observed indexes fall", with_observed(1, 1, 0, 1), ["bad-observed", "not-canonical"]),
        invalid("observed sequences fall", with_observed(0, 2, 0, 1), ["bad-observed", "not-canonical"]),
        invalid("an observed dot twice", with_observed(0, 1, 0, 1), ["bad-observed", "not-canonical"]),
        invalid("half an observed dot", with_observed(0, 1, 1), ["bad-observed", "unexpected"]),
        invalid("observed sequence 0", with_observed(0, 0), ["bad-observed", "inconsistent"]),
        invalid("observed sequence 2^62", with_observed(0, 2**62), "bad-observed"),
        invalid("observed index 4096", with_observed(4096, 1), ["bad-observed", "too-large"]),
        invalid("4097 observed dots", with_observed(*many), ["too-large", "bad-observed"]),
    ]


def short(text):
    """A name for people: the text itself unless it is long, in ASCII."""
    shown = text if len(text) <= 24 else f"{text[:12]}… of {len(text)}"
    return ascii(shown)
