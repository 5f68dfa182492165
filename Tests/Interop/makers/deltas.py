"""deltas.json: sealed deltas, whole and pruned."""

from dataclasses import replace
from itertools import combinations

from gimbal import hashes
from gimbal.cbor import encode
from gimbal.cose import Envelope, seal
from gimbal.deltas import Hidden
from gimbal.limits import STAMP as GREATEST

from .raw import array, head, tstr, uint
from .world import (
    ANNA,
    BERT,
    CLEO,
    OTHER_ROOT,
    STAMP,
    assign,
    clear,
    header_fields,
    invalid,
    make_delta,
    operation_fields,
    prune,
    put,
    remove,
)
from .world import valid as valid_vector

TABLE = ((BERT.public, 1, 9), (CLEO.public, 2, 3))
FIVE = [
    assign("settings", '{"a":1}'),
    put("things/1", '"x"', offset=1),
    put("things/1", '"y"', offset=2, created=STAMP + 1, observed=[(0, 9), (1, 3)]),
    remove("things/2", offset=70_000, observed=[(0, 1)]),
    clear("settings", offset=70_001),
]


def vectors():
    return [*valid(), *shapes(), *forms(), *roots(), *encodings(), *headers(), *operations()]


def delta_of(count, **fields):
    return make_delta(ANNA, FIVE[:count], observed=TABLE if count > 2 else (), **fields)


def delta_fields(sealed, shown):
    """`shown` has (index, operation) pairs."""
    header = sealed.header
    return {
        "header": header_fields(header),
        "operations": [
            {
                "index": index,
                "sequence": str(header.first + index),
                "stamp": str(header.stamp + one.offset),
                **operation_fields(one),
            }
            for index, one in shown
        ],
        "hidden": sorted(set(range(header.count)) - {index for index, _ in shown}),
    }


def valid():
    greatest = make_delta(ANNA, [clear("a"), clear("b", GREATEST - STAMP)])
    many = [clear("a", offset) for offset in range(300)]
    later = make_delta(ANNA, FIVE[:1], first=2, previous=delta_of(1).header.hash)
    return [
        valid_vector(
            "the greatest stamp", greatest.encoded, **delta_fields(greatest, [(0, clear("a")), (1, clear("b", GREATEST - STAMP))])
        ),
        valid_vector(
            "300 operations", make_delta(ANNA, many).encoded, **delta_fields(make_delta(ANNA, many), list(enumerate(many)))
        ),
        valid_vector("extends another", later.encoded, **delta_fields(later, [(0, FIVE[0])])),
    ]


def shapes():
    """Every choice of hidden operations, up to five."""
    found = []
    for count in range(1, 6):
        whole = delta_of(count)
        for hidden in (choice for size in range(count + 1) for choice in combinations(range(count), size)):
            pruned = prune(whole, hidden)
            shown = [(index, FIVE[index]) for index in range(count) if index not in hidden]
            name = f"{count} operations, hidden: {' '.join(map(str, hidden)) or 'none'}"
            found.append(valid_vector(name, pruned.encoded, **delta_fields(pruned, shown)))
    return found


def with_items(items, count=4):
    return replace(delta_of(count), items=tuple(items)).encoded


def forms():
    """Items that hide the right operations in a wrong form."""
    items = delta_of(4).items
    leaves = [hashes.leaf(item) for item in items]
    pair, all_four = hashes.root(leaves[:2]), hashes.root(leaves)
    no_subtree = ["bad-root", "inconsistent", "not-canonical", "unexpected"]
    unmerged = ["not-canonical", "bad-root", "inconsistent"]
    one = [Hidden(leaf, 1) for leaf in leaves]
    wrong = [
        ("two hashed siblings", [one[0], one[1], items[2], items[3]], unmerged),
        ("two hashed pairs", [Hidden(pair, 2), Hidden(hashes.root(leaves[2:]), 2)], unmerged),
        ("four hashes", one, unmerged),
        ("a pair beside two hashes", [Hidden(pair, 2), one[2], one[3]], unmerged),
        ("a hash over no subtree", [items[0], Hidden(hashes.node(leaves[1], leaves[2]), 2), items[3]], no_subtree),
        ("a hash over three of four", [Hidden(hashes.root(leaves[:3]), 3), items[3]], no_subtree),
        ("a hash over more than there is", [Hidden(all_four, 5)], no_subtree),
        ("a hash over fewer", [Hidden(all_four, 3)], no_subtree),
        ("a hash over none", [Hidden(all_four, 0)], no_subtree),
        ("a hash over none beside all", [*items, Hidden(all_four, 0)], no_subtree),
        ("a hash over 4097", [Hidden(all_four, 4097)], [*no_subtree, "too-large"]),
        ("a hash over 2^64 - 1", [Hidden(all_four, 2**64 - 1)], [*no_subtree, "too-large"]),
        ("leaf count of a pair is 1", [Hidden(pair, 1), items[2], items[3]], no_subtree),
    ]
    five = delta_of(5)
    five_leaves = [hashes.leaf(item) for item in five.items]
    last_pair = replace(five, items=(*five.items[:3], Hidden(hashes.root(five_leaves[3:]), 2)))
    return [invalid(f"form: {name}", with_items(items), error) for name, items, error in wrong] + [
        invalid("form: a pair that the split of five does not have", last_pair.encoded, no_subtree),
    ]


def roots():
    items = delta_of(4).items
    leaves = [hashes.leaf(item) for item in items]
    flipped = bytes([leaves[0][0] ^ 1]) + leaves[0][1:]
    without_prefix = hashes.blake2b_256(hashes.leaf(items[0]) + hashes.leaf(items[1]))
    counts = ["bad-root", "inconsistent", "unexpected"]
    wrong = [
        ("another hash", [Hidden(flipped, 1), *items[1:]], "bad-root"),
        ("another operation", [clear("other"), *items[1:]], "bad-root"),
        ("operations in another order", [items[1], items[0], *items[2:]], "bad-root"),
        ("an operation missing", items[:3], counts),
        ("an operation more", [*items, items[3]], counts),
        ("no items", [], counts),
    ]
    unprefixed = make_delta(ANNA, FIVE[:2], root=without_prefix)
    leafless = make_delta(ANNA, FIVE[:1], root=hashes.blake2b_256(FIVE[0].encoded))
    return [
        *(invalid(f"root: {name}", with_items([encoded(item) for item in items]), error) for name, items, error in wrong),
        invalid("root: inner nodes without their prefix", unprefixed.encoded, "bad-root"),
        invalid("root: a leaf without its prefix", leafless.encoded, "bad-root"),
        invalid("root: zeros", make_delta(ANNA, FIVE[:2], root=bytes(32)).encoded, "bad-root"),
    ]


def encoded(item):
    return item if isinstance(item, (bytes, Hidden)) else item.encoded


def encodings():
    sealed = delta_of(2)
    whole, envelope = sealed.encoded, sealed.envelope.encoded
    first, second = sealed.items
    places = [
        0,
        1,
        2,
        3,
        11,
        12,
        15,
        100,
        len(envelope),
        len(envelope) + 1,
        len(envelope) + 2,
        len(whole) - len(second),
        len(whole) - 1,
    ]
    return [
        *(invalid(f"cut after {place} bytes", whole[:place], "truncated") for place in places),
        invalid("a byte more", whole + b"\0", "trailing-bytes"),
        invalid("indefinite items", b"\x82" + envelope + b"\x9f" + first + second + b"\xff", "not-canonical"),
        invalid("length of the items in two bytes", b"\x82" + envelope + array(first, second, size=1), "not-canonical"),
        invalid(
            "2^60 items",
            b"\x82" + envelope + head(4, 2**60) + first + second,
            ["truncated", "too-large", "bad-root", "inconsistent"],
        ),
        invalid("4097 items", b"\x82" + envelope + array(*[first] * 4097), ["too-large", "bad-root", "inconsistent"]),
        invalid("three fields", b"\x83" + envelope + array(first, second) + b"\0", ["unexpected", "trailing-bytes"]),
        invalid("items a map", b"\x82" + envelope + b"\xa0", "unexpected"),
        invalid("an item a number", b"\x82" + envelope + array(uint(1), second), ["unexpected", "bad-root"]),
        invalid(
            "an item an empty array",
            b"\x82" + envelope + array(array(), second),
            ["unexpected", "truncated", "unknown-kind", "bad-root"],
        ),
        invalid("a hash of 31 bytes", b"\x82" + envelope + array(encode([bytes(31), 1]), second), ["unexpected", "bad-root"]),
        invalid(
            "a hash with three fields", b"\x82" + envelope + array(encode([bytes(32), 1, 1]), second), ["unexpected", "bad-root"]
        ),
        invalid("the header alone", envelope, "unexpected"),
    ]


def headers():
    sealed = delta_of(2)
    flipped = bytes([sealed.envelope.signature[0] ^ 1]) + sealed.envelope.signature[1:]
    by_bert = seal(BERT, sealed.header.payload)
    return [
        invalid("signature flipped", replace(sealed, envelope=Envelope(sealed.header.payload, flipped)).encoded, "bad-signature"),
        invalid("signed by another", replace(sealed, envelope=by_bert).encoded, "bad-signature"),
        invalid("of another space", delta_of(2, space=OTHER_ROOT.public).encoded, "wrong-space"),
    ]


def operations():
    """Whole, well signed deltas with an operation that does not fit its header, or is none."""
    nested = array(uint(9), b"\x81" * 7 + uint(0))
    in_place = array(uint(1), uint(0), tstr("one"), b"\x81" * 6 + uint(0), uint(0))
    wrong = [
        ("first offset 1", [clear("a", 1)], "bad-stamp"),
        ("second offset 0", [clear("a"), clear("b")], "bad-stamp"),
        ("offsets fall", [clear("a"), clear("b", 2), clear("c", 1)], "bad-stamp"),
        ("offsets repeat", [clear("a"), clear("b", 2), clear("c", 2)], "bad-stamp"),
        ("stamp over the greatest", [clear("a"), clear("b", GREATEST - STAMP + 1)], "bad-stamp"),
        ("stamp overflows", [clear("a"), clear("b", 2**64 - 1)], "bad-stamp"),
        ("an index that the table does not have", [remove("a/b", 0, [(2, 1)])], ["bad-observed", "inconsistent"]),
        ("an index without a table", [remove("a/b", 0, [(0, 1)])], ["bad-observed", "inconsistent"]),
        ("a sequence beyond the table's", [remove("a/b", 0, [(0, 10)])], ["bad-observed", "inconsistent"]),
        ("an unknown kind", [array(uint(5), uint(0), tstr("a"))], "unknown-kind"),
        ("a bad path", [clear("a"), array(uint(2), uint(1), tstr("a/"))], "bad-path"),
        ("a bad value", [array(uint(1), uint(0), tstr("a"), tstr("nope"), uint(0))], "bad-value"),
        ("seven levels of CBOR", [nested], ["nesting", "unknown-kind", "unexpected"]),
        ("seven levels where a value belongs", [in_place], ["nesting", "unexpected"]),
    ]
    tables = {"an index without a table": ()}
    return [
        invalid(f"operation: {name}", make_delta(ANNA, operations, observed=tables.get(name, TABLE)).encoded, error)
        for name, operations, error in wrong
    ]
