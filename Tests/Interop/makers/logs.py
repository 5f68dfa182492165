"""A pivot's log, as far as vectors need one."""

from dataclasses import replace

from gimbal import hashes
from gimbal.bundles import End, Head, Placed
from gimbal.cose import seal
from gimbal.deltas import verify_delta
from gimbal.entries import DeltaEntry, leaf_hash
from gimbal.state import State
from gimbal.trust import Certificate, Checkpoint

from .world import INCARNATION, MILLISECONDS, PIVOT, ROOT, SPACE, STAMP, assign, make_delta, prune, put


class Writer:
    """A replica that chains its deltas."""

    def __init__(self, signer, incarnation=INCARNATION):
        self.signer = signer
        self.incarnation = incarnation
        self.last = 0
        self.head = hashes.ZEROS

    def delta(self, *operations, stamp=STAMP, observed=()):
        table = tuple(sorted((writer.signer.public, writer.incarnation, greatest) for writer, greatest in observed))
        sealed = make_delta(self.signer, operations, self.last + 1, stamp, self.head, table, self.incarnation)
        self.last, self.head = sealed.header.last, sealed.header.hash
        return sealed


class Log:
    """Entries from a first position on, and the state that they merge to."""

    def __init__(self, first=1, epoch=(1, 0xE0C4), pivot=PIVOT, cap=STAMP, joined=None, state=None):
        self.first = first
        self.epoch = epoch
        self.pivot = pivot
        self.cap = cap
        self.entries = [joined] if joined else []
        self.wholes = [None] * len(self.entries)
        self.state = state or State()

    @property
    def leaves(self):
        return [leaf_hash(entry) for entry in self.entries]

    @property
    def position(self):
        return self.first + len(self.entries) - 1

    def append(self, sealed, refusals=(), cap=None):
        """Takes a delta in, without the refused operations, and answers its position."""
        self.cap = self.cap + 1_000_000 if cap is None else cap
        entry = DeltaEntry(self.cap, tuple(refusals), prune(sealed, [index for index, _ in refusals]))
        self.entries.append(entry)
        self.wholes.append(sealed)
        self.state.apply(entry, verify_delta(entry.sealed))
        return self.position

    def checkpoint(self, **changed):
        fields = {
            "space": SPACE, "epoch": self.epoch, "position": self.position, "first_position": self.first,
            "pivot_time": MILLISECONDS, "greatest_stamp": self.cap, "state_digest": self.state.digest,
            "log_root": hashes.root(self.leaves),
        }  # fmt: skip
        return seal(self.pivot, Checkpoint(**(fields | changed)).payload)

    def placed(self, position, hidden=(), tree=0):
        """The bundle's item for an entry, without these operations and without the refused ones."""
        index = position - self.first
        entry = self.entries[index]
        shown = replace(entry, sealed=prune(self.wholes[index], [*hidden, *(refused for refused, _ in entry.refusals)]))
        return Placed(tree, position, shown, tuple(hashes.inclusion_path(self.leaves, index)))

    def all_placed(self, tree=0):
        return [self.placed(self.first + index, tree=tree) for index, whole in enumerate(self.wholes) if whole]


def certificate(pivot=PIVOT, serial=1, space=SPACE, by=ROOT):
    return seal(by, Certificate(space, pivot.public, serial, MILLISECONDS).payload)


def bundle(items, checkpoints, certificates=None, space=SPACE, counts=None, hash=None):
    """The bytes of a bundle; counts and hash are right unless they are given."""
    head = Head(space, tuple(certificates or [certificate()]), tuple(checkpoints))
    data = head.encoded + b"".join(item.encoded for item in items)
    placed = sum(isinstance(item, Placed) for item in items)
    entries, unplaced = counts or (placed, len(items) - placed)
    return data + End(entries, unplaced, hash or hashes.blake2b_256(data)).encoded


def settings(*patterns, offset=0):
    texts = ",".join(f'"{pattern}"' for pattern in patterns)
    return assign("_settings", f'{{"patterns":[{texts}],"maxClockAhead":30000,"formatLevel":1,"valueBytes":1048576}}', offset)


def member(signer, *writes, revoked=False, offset=0, observed=()):
    texts = ",".join(f'"{pattern}"' for pattern in writes)
    value = f'{{"name":"someone","writes":[{texts}],"revoked":{"true" if revoked else "false"}}}'
    return put(f"_members/{signer.public.hex()}", value, offset, observed=observed)
