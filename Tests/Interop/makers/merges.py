"""merges.json: log entries and the state that they merge to, and joins of two such states."""

import pathlib

from gimbal.entries import DeltaEntry
from gimbal.hashes import leaf
from gimbal.limits import STAMP as GREATEST
from gimbal.state import join

from .logs import Log, Writer
from .world import ANNA, BERT, CLEO, STAMP, assign, clear, put, remove

TABLES = pathlib.Path(__file__).parents[3] / "Specs" / "tables"
LATE = STAMP + 50_000_000


def vectors():
    return [*register_rows(), *member_rows(), *orders(), *caps(), *refusals(), *joins()]


def merge_vector(name, log):
    """A log's entries with the digest after each, and the state at the end."""
    entries = [entry for entry in log.entries if isinstance(entry, DeltaEntry)]
    return {
        "name": name,
        "valid": True,
        "entries": [entry.encoded.hex() for entry in entries],
        "digests": list(log.digests),
        **state_fields(log.state),
    }


def join_vector(name, left, right):
    sides = {side: [entry.encoded.hex() for entry in log.entries] for side, log in (("left", left), ("right", right))}
    return {"name": name, "valid": True, **sides, **state_fields(join(left.state, right.state))}


def state_fields(state):
    return {
        "registers": [write_fields(path, write) for path, write in sorted(state.registers.items())],
        "members": [[path, [write_fields(path, write) for write in state.siblings(path)]] for path in sorted(state.members)],
        "versionVector": [[dot_of(*replica, sequence), hash.hex()] for replica, (sequence, hash) in sorted(state.heads.items())],
        "refused": [[dot_of(*dot), reason] for dot, reason in sorted(state.refused.items())],
        "items": [{"bucket": bucket, "hex": item.hex()} for bucket, item in state.items()],
        "digest": state.digest.hex(),
    }


def write_fields(path, write):
    return {
        "path": path,
        "dot": dot_of(*write.dot),
        "effectiveStamp": str(write.stamp),
        "created": str(write.created),
        "operation": write.operation_hash.hex(),
        "value": write.value,
    }


def dot_of(author, incarnation, sequence):
    return [author.hex(), str(incarnation), str(sequence)]


class RecordedLog(Log):
    """A log that notes the state digest after every entry."""

    def __init__(self, **fields):
        super().__init__(**fields)
        self.digests = []

    def append(self, sealed, refusals=(), cap=None):
        super().append(sealed, refusals, cap)
        self.digests.append(self.state.digest.hex())


def rows(name):
    lines = (TABLES / f"{name}.tsv").read_text().splitlines()
    return [line.split("\t") for line in lines if not line.startswith("#")]


def register_rows():
    found = []
    for before, arrives, after in rows("register"):
        log = RecordedLog()
        for author, text in ((ANNA, before), (BERT, arrives)):
            if text != "none":
                word, stamp = text.split("@")
                operation = clear("one") if word in ("clear", "deleted") else assign("one", f'"{text}"')
                log.append(Writer(author).delta(operation, stamp=STAMP + int(stamp)))
        found.append(merge_vector(f"register: {before}, {arrives} gives {after}", log))
    return found


def member_rows():
    """The rows of the table; a replay cannot be in a log, so its row is left out."""
    found = []
    for live, arrives, after in rows("member"):
        if "covered" in live:
            continue
        writers = {"a": Writer(ANNA), "b": Writer(BERT), "c": Writer(CLEO)}
        log = RecordedLog()
        for name in live.split():
            if name != "–":
                log.append(writers[name[0]].delta(put("things/1", f'"{name}"')))
        verb, dot, _, *seen = arrives.split()
        replicas = sorted({name[0] for name in seen if name != "–"})
        dots = [(replicas.index(name[0]), int(name[1])) for name in seen if name != "–"]
        table = [(writers[letter], 1) for letter in replicas]
        operation = put("things/1", f'"{dot}"', observed=dots) if verb == "put" else remove("things/1", observed=dots)
        log.append(writers[dot[0]].delta(operation, stamp=STAMP + 9, observed=table))
        found.append(merge_vector(f"member: {live}, {arrives} gives {after}".replace("–", "none"), log))
    return found


def orders():
    """What decides between two writes with one effective stamp, and whose dots a write takes away."""
    found = []
    for name, first, second in (
        ("author decides", Writer(BERT), Writer(ANNA)),
        ("incarnation decides", Writer(ANNA, 2**63), Writer(ANNA, 255)),
    ):
        log = RecordedLog()
        winner, loser = hashes_against_dots()
        log.append(first.delta(register_write(winner), member_write(winner)))
        log.append(second.delta(register_write(loser), member_write(loser)))
        found.append(merge_vector(f"order: {name}", log))

    anna = Writer(ANNA)
    log = RecordedLog()
    log.append(
        anna.delta(assign("one", "1"), assign("one", "2", 1), clear("one", 2), assign("one", "3", 3), assign("two", "4", 4))
    )
    log.append(anna.delta(assign("one", "5"), stamp=STAMP - 5))
    found.append(merge_vector("order: an older stamp of the same replica changes nothing", log))

    log = RecordedLog()
    winner, loser = Writer(ANNA, 255), Writer(ANNA, 3)
    log.append(loser.delta(assign("two", "1")))
    log.append(winner.delta(register_write('"of incarnation 255"'), member_write('"of incarnation 255"')))
    log.append(loser.delta(register_write('"of a later sequence"'), member_write('"of a later sequence"')))
    found.append(merge_vector("order: the incarnation comes before the sequence", log))

    anna, again = Writer(ANNA), Writer(ANNA, 77)
    log = RecordedLog()
    log.append(anna.delta(put("things/1", "1"), put("things/2", "2", 1), put("things/1", "3", 2)))
    log.append(again.delta(put("things/1", "4", created=STAMP), put("things/2", "5", 1)))
    log.append(anna.delta(remove("things/1")))
    found.append(merge_vector("own dots: taken away unnamed, on that path, of that incarnation", log))

    anna, bert, cleo = Writer(ANNA), Writer(BERT), Writer(CLEO)
    log = RecordedLog()
    log.append(anna.delta(put("things/1", "1"), put("things/2", "2", 1)))
    log.append(bert.delta(put("things/1", "3"), put("things/3", "4", 1)))
    log.append(cleo.delta(put("things/1", "5", created=STAMP, observed=[(0, 1), (1, 1)]), observed=[(anna, 1), (bert, 1)]))
    found.append(merge_vector("observed: two replicas' dots at once", log))
    return found


def hashes_against_dots():
    """The values of two writes of the same place, of which the one that must win has the smaller operation hashes."""
    for number in range(1000):
        winner, loser = f'"winner {number}"', '"loser"'
        if all(leaf(one(winner).encoded) < leaf(one(loser).encoded) for one in (register_write, member_write)):
            return winner, loser
    raise AssertionError("no such hashes in a thousand draws")


def register_write(value, offset=0):
    return assign("one", value, offset)


def member_write(value, offset=1):
    return put("things/1", value, offset)


def caps():
    anna, bert, cleo = Writer(ANNA), Writer(BERT), Writer(CLEO)
    log = RecordedLog()
    log.append(anna.delta(assign("one", '"of a clock far ahead"'), put("things/1", '"a"', 5), stamp=GREATEST - 5), cap=LATE)
    log.append(bert.delta(assign("one", '"written later"'), put("things/1", '"b"', 3), stamp=LATE + 2), cap=LATE + 1_000_000)
    log.append(
        cleo.delta(assign("two", "1"), assign("three", "2", 1), assign("four", "3", 2), stamp=LATE + 2_000_000),
        cap=LATE + 2_000_001,
    )
    capped = merge_vector("caps: a clock far ahead wins nothing for long", log)

    anna = Writer(ANNA)
    log = RecordedLog()
    winner = next(
        one
        for one in (register_write(str(number), 2) for number in range(1000))
        if leaf(one.encoded) < leaf(clear("one", 1).encoded)
    )
    log.append(anna.delta(register_write('"first"'), clear("one", 1), winner, stamp=LATE), cap=STAMP)
    together = merge_vector("caps: in one delta, sequences decide", log)

    log = RecordedLog()
    log.append(Writer(ANNA).delta(assign("one", "1", created=LATE), put("things/1", "2", 1, created=5), stamp=LATE), cap=STAMP)
    return [capped, together, merge_vector("caps: created at its own stamp at the latest", log)]


def refusals():
    anna, bert, cleo = Writer(ANNA), Writer(BERT), Writer(CLEO)
    log = RecordedLog()
    log.append(
        anna.delta(put("things/1", "1"), put("other/1", "2", 1), put("things/3", "3", 2)),
        [(1, "outside-space"), (2, "forbidden")],
    )
    refused = merge_vector("refused: covered, without effect", log)

    log.append(bert.delta(remove("other/1", observed=[(0, 2)]), stamp=STAMP + 10, observed=[(anna, 2)]))
    observed = merge_vector("refused: an accepted operation that observes it drops it", log)

    log.append(anna.delta(put("things/3", "4"), remove("things/1", 1), stamp=STAMP + 20))
    own = merge_vector("refused: the replica's own next write does not drop it", log)

    log.append(cleo.delta(remove("things/3", observed=[(0, 3)]), stamp=STAMP + 30, observed=[(anna, 3)]), [(0, "forbidden")])
    return [refused, observed, own, merge_vector("refused: a refused operation that observes it does not drop it", log)]


def joins():
    return [*simple_joins(), *cap_joins(), *refusal_joins()]


def two_sides(common):
    """Two logs that took the same deltas, at the same caps."""
    left, right = RecordedLog(), RecordedLog()
    for sealed in common:
        left.append(sealed)
        right.append(sealed)
    return left, right


def simple_joins():
    anna, bert = Writer(ANNA), Writer(BERT)
    start = anna.delta(assign("one", "1"), assign("two", "2", 1), put("things/1", "3", 2), put("things/2", "4", 3))
    left, right = two_sides([start])
    same = join_vector("join: the same on both sides", left, right)

    left.append(
        bert.delta(
            remove("things/1", observed=[(0, 3)]),
            assign("one", "5", 1),
            put("things/3", "6", 2),
            stamp=STAMP + 10,
            observed=[(anna, 3)],
        )
    )
    ahead = join_vector("join: one side is ahead", left, right)
    right.append(anna.delta(put("things/1", "7"), clear("two", 1), assign("one", "8", 2), stamp=STAMP + 20))
    apart = join_vector("join: both have something of their own", left, right)
    swapped = join_vector("join: the same, sides swapped", right, left)

    return [same, ahead, apart, swapped, join_vector("join: with nothing", left, RecordedLog())]


def cap_joins():
    """One delta that two logs took under different caps, as after a backup was restored (docs/decisions/0002)."""
    left, right = RecordedLog(), RecordedLog()
    early = Writer(ANNA).delta(assign("one", "1"), put("things/1", "2", 1), stamp=LATE)
    left.append(early, cap=LATE - 50)
    right.append(early, cap=LATE - 5)
    same = join_vector("join: of one dot, the smaller effective stamp stays", left, right)

    later = Writer(BERT).delta(assign("one", "3"), put("things/1", "4", 1), stamp=LATE - 30)
    left.append(later, cap=LATE)
    replaced = join_vector("join: what replaced a write stays, whatever the cap of the replaced one on the other side", left, right)
    swapped = join_vector("join: what replaced a write stays, sides swapped", right, left)
    right.append(later, cap=LATE)
    return [same, replaced, swapped, join_vector("join: each side replaced the other's write: the smaller stays", left, right)]


def refusal_joins():
    anna, bert = Writer(ANNA), Writer(BERT)
    sealed = anna.delta(assign("one", "1"), put("things/1", "2", 1), put("things/2", "3", 2))
    left, right = RecordedLog(), RecordedLog()
    left.append(sealed, [(0, "forbidden"), (1, "forbidden"), (2, "too-large")])
    right.append(sealed, [(2, "too-large")])
    accepted = join_vector("join: refused on one side, accepted on the other", left, right)
    right.append(bert.delta(remove("things/2", observed=[(0, 3)]), stamp=STAMP + 9, observed=[(anna, 3)]))
    observed = join_vector("join: refused on one side, observed on the other", left, right)
    unknown = join_vector("join: refused on one side, unknown on the other", left, RecordedLog())
    right = RecordedLog()
    right.append(sealed, [(0, "too-large"), (1, "forbidden"), (2, "forbidden")])
    return [accepted, observed, unknown, join_vector("join: refused on both sides, the smaller reason stays", left, right)]
