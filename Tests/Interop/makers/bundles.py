"""bundles.json: small bundles, and one for each code of docs/wire-format.md §7 (bundle_faults.py)."""

from gimbal import hashes
from gimbal.bundles import Unplaced
from gimbal.entries import JoinEntry
from gimbal.report import report
from gimbal.state import join
from gimbal.verifier import Verification

from . import bundle_faults
from .logs import Log, Writer, certificate, settings
from .scene import Scene
from .world import (
    NEXT_PIVOT,
    STAMP,
    assign,
    clear,
    prune,
    put,
    remove,
    valid,
)  # fmt: skip

# What a verifier has to say about the valid ones: about a delta whose predecessors are not shown, and about unplaced operations.
NOTES = {
    "a deletion, and gaps": ["gap", "gap"],
    "an outbox of one who is no member": ["not-a-member", "not-a-member", "outside-space"],
    "an outbox without a grant": ["forbidden"],
    "an outbox alone, pruned, with a gap": ["gap", "not-a-member", "outside-space"],
}


def vectors():
    return [
        *(reported(name, data) for name, data in {**placed(), **unplaced(), **lives()}.items()),
        *bundle_faults.vectors(),
    ]


def reported(name, data):
    """A valid bundle with the report of it, which must have these notes and no errors."""
    found = report(Verification(data))
    assert found["findings"] == [{"code": code, "severity": "note"} for code in NOTES.get(name, [])], (name, found["findings"])
    return valid(name, data, report=found)


def placed():
    scene = Scene()
    everything = scene.bytes()
    hidden = [scene.log.placed(1), scene.log.placed(2, hidden=[0, 2]), scene.log.placed(3)]
    pruned = scene.bytes(hidden)
    scene.log.append(scene.anna.delta(remove("things/2"), clear("config", 1), stamp=STAMP + 30))
    scene.log.append(
        scene.bert.delta(
            put("things/1", '"both"', created=STAMP + 11, observed=[(0, 2)]), stamp=STAMP + 40, observed=[(scene.anna, 2)]
        )
    )
    last = scene.bytes([scene.log.placed(1), scene.log.placed(4, hidden=[0]), scene.log.placed(5)])
    refusing = Scene()
    refusing.log.append(
        refusing.bert.delta(assign("config", "1"), put("things/3", "2", 1), put("far/away", "3", 2), stamp=STAMP + 30),
        [(0, "forbidden"), (2, "outside-space")],
    )
    refused = refusing.bytes()
    return {
        "settings, members and siblings": everything,
        "records alone": Scene().bytes([Scene().log.placed(1)]),
        "pruned": pruned,
        "a deletion, and gaps": last,
        "refused operations are hidden": refused,
        "no entries": Scene().bytes([]),
    }


def unplaced():
    scene = Scene()
    waiting = scene.anna.delta(put("things/9", '"waits"'), clear("config", 1), stamp=STAMP + 50)
    next_waiting = scene.anna.delta(put("things/9", '"waits longer"'), stamp=STAMP + 60)
    strangers = scene.cleo.delta(put("things/9", '"of nobody"'), assign("nowhere", "1", 1), stamp=STAMP + 70)
    above = scene.bert.delta(assign("config", '"not mine"'), stamp=STAMP + 80)
    items = scene.log.all_placed()
    return {
        "an outbox": scene.bytes([*items, Unplaced(waiting), Unplaced(next_waiting)]),
        "an outbox of one who is no member": scene.bytes([*items, Unplaced(strangers)]),
        "an outbox without a grant": scene.bytes([*items, Unplaced(above)]),
        "an outbox alone, pruned, with a gap": scene.bytes([Unplaced(prune(waiting, [0]))]),
    }


def lives():
    """More than one certificate, more than one tree."""
    scene = Scene()
    first = scene.log.checkpoint()
    old = scene.log
    scene.log = Log(
        first=10,
        epoch=(2, 5),
        cap=old.cap + 1,
        joined=JoinEntry((hashes.blake2b_256(first.payload),)),
        state=join(old.state, old.state),
    )
    scene.log.append(scene.anna.delta(put("things/4", '"after the join"'), stamp=STAMP + 90))
    joined = scene.bytes([*old.all_placed(), *scene.log.all_placed(tree=1)], checkpoints=[first, scene.log.checkpoint()])

    moved = Scene()
    moved.log.pivot = NEXT_PIVOT
    successor = Writer(NEXT_PIVOT)
    moved.log.append(successor.delta(settings("config", "things/*", "more/**"), stamp=STAMP + 90))
    moved.log.append(moved.anna.delta(put("things/4", "1"), stamp=STAMP + 100))
    two_pivots = moved.bytes(certificates=[certificate(), certificate(NEXT_PIVOT, 2)])

    hurried = Scene()
    hurried.log.append(hurried.bert.delta(put("things/1", '"of a clock ahead"'), stamp=STAMP + 10**12))
    capped = hurried.bytes()
    return {"two trees": joined, "two certificates": two_pivots, "a clock far ahead is capped": capped}
