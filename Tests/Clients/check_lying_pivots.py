#!/usr/bin/env python3
"""Numbers that a pivot signed and no honest one would: a node shows a fault, lives, writes, and starts again: check_lying_pivots.py BINARIES"""

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import requests

from fleet import Server
from lying_pivot import LyingPivot
from member import Signer, hashes, now
from gimbal.entries import DeltaEntry
from makers.world import put

GREATEST_STAMP = 604462909807329279
LAST = 2**62 - 1
EXTREMES = (LAST, 2**62, 2**64 - 1)


def status(node):
    return requests.get(node.url + "/_gimbal/status", timeout=10).json()


def wait_for(what, condition, patience=30):
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, f"never happened: {what}"
        time.sleep(0.05)


def is_ready(node):
    return requests.get(node.url + "/_health/ready", timeout=10).status_code == 200


def follow(binaries, pivot, is_ready_first):
    node = Server("node", binaries, ["--pivot", pivot.url])
    if is_ready_first:
        wait_for("the node is ready", lambda: is_ready(node))
    return node


def use(node):
    """Whatever shows and adds up what the pivot said."""
    for path in ("/_gimbal/status", "/metrics", "/_gimbal/explain?key=things/a", "/things/a?siblings=1", "/things/*", "/?api=pivot"):
        assert requests.get(node.url + path, timeout=20).status_code in (200, 503), path
    if is_ready(node):
        for path in ("/things/new", "/things/*", "/things/a"):
            answer = requests.post(node.url + path, data="1", timeout=20)
            assert answer.status_code == 200, (path, answer.text)


def lie(binaries, name, tell, is_ready_first=True, code="bad-page"):
    """The pivot begins to lie; the node shows it, works, and does both after its next start."""
    with LyingPivot() as pivot:
        node = follow(binaries, pivot, is_ready_first)
        try:
            tell(pivot)
            # A stream that is open goes on with what the pivot says by now; a snapshot needs a new one.
            for turn in ("at once", "started again"):
                if turn != "at once" or pivot.snapshot:
                    node.kill()
                    node.start()
                wait_for(f"{name}, {turn}: a fault", lambda: status(node).get("fault", {}).get("code") == code, 40)
                use(node)
            assert node.process.poll() is None, name
        finally:
            node.stop()


def after_snapshot(name, position=None, heads=lambda pivot: {}, first=1, by=None):
    """A snapshot that can be installed, then an entry that counts on from its end."""
    def tell(pivot):
        stranger = by or Signer(os.urandom(32))

        def page(after):
            sealed = pivot.delta([put("things/b", "1")], by=stranger, first=first, incarnation=1,
                                 previous=hashes.ZEROS if first == 1 else b"\x01" * 32)
            return pivot.honest_page(after, [DeltaEntry(pivot.cap + 1, (), sealed)], position=min(after + 1, 2**64 - 1))
        pivot.snapshot = lambda: pivot.made_up_snapshot(position or 1 << 20, heads(pivot))
        pivot.page = page
    return name, tell


def scenes():
    stranger = Signer(os.urandom(32))
    for number in EXTREMES:
        yield after_snapshot(f"a snapshot at position {number}, then an entry", position=number)
        yield after_snapshot(
            f"a foreign head at {number}, then an entry", heads=lambda _, n=number: {(stranger.public, 1): (n, b"\x02" * 32)},
            first=5, by=stranger)
        yield after_snapshot(
            f"the node's own head at {number}", heads=lambda pivot, n=number: {pivot.own: (n, b"\x02" * 32)})


def pages():
    def page(**changes):
        def tell(pivot):
            pivot.write(put("things/b", "1"))
            pivot.page = lambda after: pivot.honest_page(after, **changes)
        return tell

    def bomb(pivot):
        pivot.write(put("things/a", '"bomb"'), cap=GREATEST_STAMP, stamp=GREATEST_STAMP)
        pivot.page = lambda after: pivot.honest_page(after)

    def far(pivot):
        pivot.write(put("things/a", '"far"'), cap=now(366 * 86400), stamp=now(366 * 86400))
        pivot.page = lambda after: pivot.honest_page(after)

    yield "cap and stamp at the greatest", bomb
    yield "a cap a year after its checkpoint", far
    yield "a checkpoint in 2300", page(pivot_time=10_413_792_000_000)
    yield "a greatest stamp that nothing led to", page(greatest_stamp=GREATEST_STAMP)
    for number in EXTREMES:
        yield f"a checkpoint's time of {number}", page(pivot_time=number)
        yield f"a checkpoint's position of {number}", page(position=number)
        yield f"a log that begins at {number}", page(first_position=number)
        yield f"epoch {number}", page(epoch=(number, 1), position=number)


def answers():
    def tell(**changes):
        def set(pivot):
            pivot.answers = changes
        return set
    for number in (2**62, 2**64 - 1):
        yield f"answers at position {number}", tell(place=((1, 77), number, bytes(32)))
        yield f"answers at time {number}", tell(pivot_time=number)


def unbelievable(binaries, name, tell):
    with LyingPivot() as pivot:
        tell(pivot)
        node = follow(binaries, pivot, False)
        try:
            wait_for(f"{name}: a fault", lambda: "fault" in status(node))
            use(node)
        finally:
            node.stop()


def check(binaries):
    tasks = [(unbelievable, name, tell) for name, tell in answers()]
    tasks += [(lie, name, tell, True) for name, tell in pages()] + [(lie, name, tell, False) for name, tell in scenes()]
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(task, binaries, *rest) for task, *rest in tasks]:
            done.result()
    print(f"{len(tasks)} ways in which a pivot's numbers can be none: the node shows them, lives, and starts again")


if __name__ == "__main__":
    check(sys.argv[1])
