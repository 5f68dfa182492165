"""Bundles with one fault each."""

from dataclasses import replace

from gimbal import hashes
from gimbal.bundles import End, Unplaced
from gimbal.cbor import encode
from gimbal.cose import Envelope, seal, to_be_signed

from .logs import Log, Writer, certificate, member, settings
from .raw import head
from .scene import Scene
from .world import (
    ANNA,
    BERT,
    NEXT_PIVOT,
    OTHER_ROOT,
    PIVOT,
    ROOT,
    SPACE,
    STAMP,
    assign,
    invalid,
    make_delta,
    prune,
    put,
    remove,
)  # fmt: skip

END_BYTES = len(End(0, 0, bytes(32)).encoded)


def vectors():
    return [*heads(), *places(), *chains(), *grants(), *ends(), *forms()]


def heads():
    scene = Scene()
    checkpoint = scene.log.checkpoint()
    flipped = Envelope(checkpoint.payload, bytes([checkpoint.signature[0] ^ 1]) + checkpoint.signature[1:])
    lent = Envelope(checkpoint.payload, PIVOT.sign(to_be_signed(certificate().payload)))
    serials, order = ["inconsistent", "not-canonical"], ["inconsistent", "not-canonical", "bad-position"]
    later = scene.log.checkpoint(epoch=(2, 0))
    wrong = [
        ("certificate of another root", {"certificates": [certificate(by=OTHER_ROOT)]}, "bad-signature"),
        ("certificate signed by the pivot itself", {"certificates": [certificate(by=PIVOT)]}, "bad-signature"),
        ("certificate of another space", {"certificates": [certificate(space=OTHER_ROOT.public, by=ROOT)]}, "wrong-space"),
        ("another space", {"space": OTHER_ROOT.public}, ["wrong-space", "bad-signature"]),
        ("checkpoint of another space", {"checkpoints": [scene.log.checkpoint(space=OTHER_ROOT.public)]}, "wrong-space"),
        ("checkpoint flipped", {"checkpoints": [flipped]}, "bad-signature"),
        ("checkpoint with a certificate's signature", {"checkpoints": [lent]}, "bad-signature"),
        ("checkpoint signed by the root", {"checkpoints": [seal(ROOT, checkpoint.payload)]}, "bad-signature"),
        ("checkpoint signed by nobody certified", {"checkpoints": [seal(NEXT_PIVOT, checkpoint.payload)]}, "bad-signature"),
        ("last checkpoint not by the last pivot", {"certificates": [certificate(), certificate(NEXT_PIVOT, 2)]}, "bad-signature"),
        ("serials repeat", {"certificates": [certificate(), certificate()]}, serials),
        ("serials fall", {"certificates": [certificate(serial=2), certificate(serial=1)]}, serials),
        ("epochs repeat", {"checkpoints": [checkpoint, checkpoint]}, order),
        ("epochs fall", {"checkpoints": [later, checkpoint]}, order),
        ("position 0", {"checkpoints": [scene.log.checkpoint(position=0, first_position=0)]}, ["bad-position", "inconsistent"]),
        ("first position 0", {"checkpoints": [scene.log.checkpoint(first_position=0)]}, ["bad-position", "inconsistent"]),
        (
            "first position after the last",
            {"checkpoints": [scene.log.checkpoint(first_position=4)]},
            ["bad-position", "inconsistent"],
        ),
    ]
    return [invalid(f"head: {name}", scene.bytes([], **fields), error) for name, fields, error in wrong]


def places():
    scene = Scene()
    log = scene.log
    one, two, three = log.all_placed()
    two_entry = two.entry
    low = Scene()
    low.log.append(low.bert.delta(put("things/5", "5"), stamp=STAMP + 40), cap=low.log.cap)
    above = Scene()
    above_checkpoint = above.log.checkpoint(greatest_stamp=above.log.cap - 1)
    off_tree = ["not-in-log", "bad-position"]
    wrong = [
        ("a sibling flipped", [one, replace(two, path=(bytes(32), *two.path[1:])), three], "not-in-log"),
        ("path too short", [one, replace(two, path=two.path[:1]), three], "not-in-log"),
        ("path too long", [one, replace(two, path=(*two.path, bytes(32))), three], "not-in-log"),
        ("no path", [one, replace(two, path=()), three], "not-in-log"),
        ("another position", [one, replace(two, position=3)], "not-in-log"),
        ("another cap", [one, replace(two, entry=replace(two_entry, cap=two_entry.cap + 1)), three], "not-in-log"),
        (
            "a refusal less or more",
            [
                one,
                replace(two, entry=replace(two_entry, refusals=((2, "forbidden"),), sealed=prune(two_entry.sealed, [2]))),
                three,
            ],
            "not-in-log",
        ),
        ("beyond the checkpoint", [one, replace(two, position=4)], off_tree),
        ("position 0", [replace(one, position=0), two, three], off_tree),
        ("positions fall", [one, three, two], "bad-position"),
        ("a position twice", [one, two, two, three], ["bad-position", "repeated-dot", "bad-cap"]),
        (
            "a tree without a checkpoint",
            [one, replace(two, tree=1), three],
            ["bad-position", "inconsistent", "unexpected", "not-in-log"],
        ),
        (
            "tree 64",
            [one, replace(two, tree=64), three],
            ["bad-position", "inconsistent", "unexpected", "too-large", "not-in-log"],
        ),
    ]
    return [
        *(invalid(f"place: {name}", scene.bytes(items), error) for name, items, error in wrong),
        invalid("place: caps repeat", low.bytes(), "bad-cap"),
        invalid("place: cap over the checkpoint's greatest stamp", above.bytes(checkpoints=[above_checkpoint]), "bad-cap"),
        invalid("place: of another log", scene.bytes(checkpoints=[scene.log.checkpoint(log_root=bytes(32))]), "not-in-log"),
    ]


def chains():
    found = []

    def refuse(name, error, *sealed, **fields):
        scene = Scene()
        for one in sealed:
            scene.log.append(one)
        found.append(invalid(f"delta: {name}", scene.bytes(**fields), error))

    head_of_bert = Scene().bert
    bert = {"incarnation": head_of_bert.incarnation, "stamp": STAMP + 30}
    clash = [make_delta(BERT, [put("things/5", value)], first=2, previous=head_of_bert.head, **bert) for value in ("1", "2")]
    refuse(
        "previous is another header",
        "broken-chain",
        make_delta(BERT, [put("things/5", "1")], first=2, previous=hashes.blake2b_256(b"another header"), **bert),
    )
    refuse("a dot twice", "repeated-dot", make_delta(BERT, [put("things/5", "1")], first=1, **bert))
    refuse("two headers of one replica and sequence", ["repeated-dot", "broken-chain"], *clash)
    refuse(
        "two that overlap",
        ["repeated-dot", "broken-chain"],
        make_delta(BERT, [put("things/5", "1"), put("things/6", "1", 1)], first=1, **bert),
    )
    refuse(
        "of another space",
        "wrong-space",
        make_delta(BERT, [put("things/5", "1")], first=2, previous=head_of_bert.head, space=OTHER_ROOT.public, **bert),
    )

    scene = Scene()
    one, two, three = scene.log.all_placed()
    sealed = three.entry.sealed
    forged = replace(sealed, envelope=seal(ANNA, sealed.header.payload))
    other = replace(sealed, items=(put("things/1", '"forged"').encoded,))
    for name, error, delta in (("signed by another", "bad-signature", forged), ("another operation", "bad-root", other)):
        found.append(
            invalid(f"delta: {name}", scene.bytes([one, two, replace(three, entry=replace(three.entry, sealed=delta))]), error)
        )

    scene = Scene()
    whole = scene.bert.delta(put("things/5", "1"), assign("config", "2", 1), stamp=STAMP + 30)
    scene.log.append(whole, [(1, "forbidden")])
    *items, last = scene.log.all_placed()
    shown = replace(last, entry=replace(last.entry, sealed=whole))
    found.append(invalid("delta: a refused operation is shown", scene.bytes([*items, shown]), ["refused-shown", "inconsistent"]))
    unplaced_clash = [Unplaced(one) for one in clash]
    found.append(
        invalid(
            "delta: two unplaced headers of one sequence",
            Scene().bytes([*Scene().log.all_placed(), *unplaced_clash]),
            ["repeated-dot", "broken-chain"],
        )
    )
    return found


def grants():
    found = []

    def refuse(name, error, *appended):
        scene = Scene()
        for one in appended:
            scene.log.append(one(scene))
        found.append(invalid(f"grants: {name}", scene.bytes(), error))

    stamp = STAMP + 50
    patterns = ["outside-space", "forbidden"]
    revoke = lambda scene: scene.pivot.delta(member(BERT, "things/*", revoked=True), stamp=stamp)  # noqa: E731
    narrow = lambda scene: scene.pivot.delta(member(BERT, "config"), stamp=stamp)  # noqa: E731
    drop = lambda scene: scene.pivot.delta(remove(f"_members/{BERT.public.hex()}"), stamp=stamp)  # noqa: E731
    by_bert = lambda scene: scene.bert.delta(put("things/7", "1"), stamp=stamp + 1)  # noqa: E731
    refuse("nobody's", "not-a-member", lambda scene: scene.cleo.delta(put("things/7", "1"), stamp=stamp))
    refuse("revoked", ["not-a-member", "forbidden"], revoke, by_bert)
    refuse("the record is gone", "not-a-member", drop, by_bert)
    refuse("no longer granted", "forbidden", narrow, by_bert)
    refuse("not granted", "forbidden", lambda scene: scene.bert.delta(assign("config", "1"), stamp=stamp))
    refuse("granted, but outside", "outside-space", lambda scene: scene.anna.delta(put("things/a/b", "1"), stamp=stamp))
    refuse("a record by a member", patterns, lambda scene: scene.anna.delta(settings("**"), stamp=stamp))

    before = Scene()
    before.log = Log()
    before.bert = Writer(BERT)
    before.pivot = Writer(PIVOT)
    before.log.append(before.bert.delta(put("things/1", "1")))
    before.log.append(before.pivot.delta(settings("things/*"), member(BERT, "things/*", offset=1)))
    found.append(invalid("grants: before the records", before.bytes(), ["not-a-member", "outside-space"]))

    sibling = Scene()
    successor = Writer(NEXT_PIVOT)
    sibling.log.pivot = NEXT_PIVOT
    sibling.log.append(successor.delta(member(BERT, "config"), stamp=stamp))
    sibling.log.append(sibling.bert.delta(put("things/7", "1"), stamp=stamp + 1))
    least = sibling.bytes(certificates=[certificate(), certificate(NEXT_PIVOT, 2)])
    found.append(invalid("grants: of siblings, the least hold", least, "forbidden"))
    return found


def ends():
    scene = Scene()
    whole = scene.bytes()
    end = len(whole) - END_BYTES
    cuts = [1, 17, 60, 100, 400, end - 1, end + 1, len(whole) - 1]
    no_end = ["bad-end", "truncated", "unreadable"]
    return [
        *(invalid(f"end: cut after {place} bytes", whole[:place], no_end) for place in cuts),
        invalid("end: empty file", b"", no_end),
        invalid("end: no end", whole[:end], no_end),
        invalid("end: a byte more", whole + b"\0", ["trailing-bytes", "unexpected"]),
        invalid("end: twice", whole + whole[end:], ["trailing-bytes", "unexpected"]),
        invalid("end: another count of entries", scene.bytes(counts=(2, 0)), "bad-end"),
        invalid("end: another count of unplaced", scene.bytes(counts=(3, 1)), "bad-end"),
        invalid("end: another hash", scene.bytes(hash=bytes(32)), "bad-end"),
        invalid("end: an entry is cut out", scene.bytes([scene.log.placed(1), scene.log.placed(3)], counts=(3, 0)), "bad-end"),
    ]


def forms():
    scene = Scene()
    items = scene.log.all_placed()
    envelopes = [certificate().encoded, scene.log.checkpoint().encoded]
    start = head(4, 4) + encode("gimbal.bundle.1") + encode(SPACE)
    waiting = Unplaced(scene.anna.delta(put("things/9", "1"), stamp=STAMP + 50))

    def raw(*after):
        data = scene.bytes([])[:-END_BYTES] + b"".join(after)
        return data + encode([0, 0, 0, hashes.blake2b_256(data)])

    receipt = encode([1, 0, 1, [2, items[0].entry.cap, [], items[0].entry.header_hash], []])
    unknown = ["unknown-kind", "unexpected"]
    bad_path = make_delta(ANNA, [b"\x83\x02\x00\x62a/"])
    return [
        invalid("form: another type", scene.bytes().replace(b"gimbal.bundle.1", b"gimbal.bundle.2", 1), "unknown-type"),
        invalid("form: not a bundle", b"PK\x03\x04", ["unexpected", "unreadable", "unknown-type", "truncated"]),
        invalid("form: a number in two bytes", raw(b"\x85\x18\x01"), ["not-canonical", "truncated"]),
        invalid("form: an item of kind 3", raw(encode([3, 1])), unknown),
        invalid("form: a second head", raw(scene.bytes([])[:-END_BYTES]), ["unexpected", "unknown-kind"]),
        invalid("form: a receipt in place of an entry", raw(receipt), ["unexpected", "unknown-kind"]),
        invalid(
            "form: no certificates",
            start + b"\x80" + head(4, 1) + envelopes[1],
            ["unexpected", "inconsistent", "bad-signature", "truncated", "bad-end"],
        ),
        invalid(
            "form: no checkpoints",
            start + head(4, 1) + envelopes[0] + b"\x80",
            ["unexpected", "inconsistent", "bad-signature", "truncated", "bad-end"],
        ),
        invalid("form: 65 certificates", start + head(4, 65) + envelopes[0] * 65, ["too-large", "truncated"]),
        invalid("form: 2^60 certificates", start + head(4, 2**60) + envelopes[0], ["too-large", "truncated"]),
        invalid(
            "form: a path of 65 hashes", scene.bytes([replace(items[0], path=(bytes(32),) * 65)]), ["too-large", "not-in-log"]
        ),
        invalid("form: an unplaced delta before an entry", scene.bytes([*items[:1], waiting, *items[1:]]), "unexpected"),
        invalid("form: an unplaced operation with a bad path", scene.bytes([Unplaced(bad_path)]), "bad-path"),
    ]
