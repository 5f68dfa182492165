"""Verifies a bundle as docs/wire-format.md §7 says, in its order, and says all that it finds.

What keeps the bytes from being read on, or leaves the head without trust, ends the verification; all other findings do not.
"""

from dataclasses import dataclass
from itertools import pairwise

from . import hashes
from .bundles import End, Placed, read_head, read_item
from .cbor import Reader
from .deltas import verify_delta
from .entries import leaf_hash, shown_refusals
from .errors import WireError
from .grants import Grants
from .paths import is_record
from .trust import decode_certificate, decode_checkpoint

NOTE, ERROR = "note", "error"


@dataclass(frozen=True)
class ShownOperation:
    """A shown operation and its place; cap, tree and position are None for an unplaced one."""

    header: object
    shown: object
    cap: int | None
    tree: int | None
    position: int | None


class Verification:
    """`findings` are (code, severity, place); `operations` are the shown ones in file order."""

    def __init__(self, data, space=None):
        self.findings = []
        self.operations = []
        self.checkpoints = []
        self._space = space
        self._pivots = []
        self._heads = {}
        self._grants = Grants()
        self._before = None  # tree, position, cap of the entry before
        self._place = 0
        try:
            self._verify(Reader(data))
        except WireError as error:
            self._add(error.code)

    @property
    def is_valid(self):
        return all(severity == NOTE for _, severity, _ in self.findings)

    def _add(self, code, severity=ERROR):
        self.findings.append((code, severity, self._place))

    def _verify(self, reader):
        self._verify_head(read_head(reader))
        if not self.is_valid:
            return
        counts = [0, 0]
        while True:
            self._place = reader.place
            if reader.at_end:
                raise WireError("bad-end", reader.place, "the bundle has no end")
            item = read_item(reader)
            if isinstance(item, End):
                if [item.entries, item.unplaced] != counts or item.hash != hashes.blake2b_256(reader.data[: self._place]):
                    self._add("bad-end")
                self._place = reader.place
                reader.end()
                return
            if isinstance(item, Placed):
                if counts[1]:
                    raise WireError("unexpected", self._place, "an entry after unplaced deltas")
                counts[0] += 1
                self._verify_place(item)
                self._verify_delta(item.entry.sealed, item)
            else:
                counts[1] += 1
                self._verify_delta(item.sealed, None)

    def _verify_head(self, head):
        if self._space is not None and head.space != self._space:
            self._add("wrong-space")
        self._space = head.space
        certificates = [decode_certificate(envelope.payload) for envelope in head.certificates]
        self.checkpoints = [decode_checkpoint(envelope.payload) for envelope in head.checkpoints]
        self._pivots = [certificate.pivot for certificate in certificates]
        if any(signed.space != head.space for signed in certificates + self.checkpoints):
            self._add("wrong-space")
        elif not self._is_signed(head):
            self._add("bad-signature")
        if not rises([certificate.serial for certificate in certificates]):
            self._add("inconsistent")
        if not rises([checkpoint.epoch[0] for checkpoint in self.checkpoints]):
            self._add("inconsistent")
        if not all(1 <= checkpoint.first_position <= checkpoint.position for checkpoint in self.checkpoints):
            self._add("bad-position")

    def _is_signed(self, head):
        return (
            all(envelope.is_signed_by(head.space) for envelope in head.certificates)
            and all(any(envelope.is_signed_by(pivot) for pivot in self._pivots) for envelope in head.checkpoints)
            and head.checkpoints[-1].is_signed_by(self._pivots[-1])
        )

    def _verify_place(self, placed):
        entry = placed.entry
        tree, position, cap = self._before or (0, 0, -1)
        self._before = (placed.tree, placed.position, entry.cap)
        if placed.tree >= len(self.checkpoints) or placed.tree < tree:
            self._add("bad-position")
            return
        checkpoint = self.checkpoints[placed.tree]
        if placed.tree == tree and placed.position <= position:
            self._add("bad-position")
        if (placed.tree == tree and entry.cap <= cap) or entry.cap > checkpoint.greatest_stamp:
            self._add("bad-cap")
        if not checkpoint.first_position <= placed.position <= checkpoint.position:
            self._add("bad-position")
            return
        index = placed.position - checkpoint.first_position
        if hashes.root_of_path(leaf_hash(entry), index, checkpoint.leaves, placed.path) != checkpoint.log_root:
            self._add("not-in-log")

    def _verify_delta(self, sealed, placed):
        try:
            verified = verify_delta(sealed, self._space)
        except WireError as error:
            self._add(error.code)
            return
        self._verify_chain(sealed.header)
        if placed:
            for _ in shown_refusals(placed.entry, verified):
                self._add("refused-shown")
        for shown in verified.shown:
            if shown.problem:
                self._add(shown.problem.code)
            else:
                self._verify_operation(sealed.header, shown, placed)

    def _verify_chain(self, header):
        last, previous = self._heads.get(header.replica, (0, hashes.ZEROS))
        if header.first <= last:
            self._add("repeated-dot")
        elif header.first > last + 1:
            self._add("gap", NOTE)
        elif header.previous != previous:
            self._add("broken-chain")
        if header.last > last:
            self._heads[header.replica] = (header.last, header.hash)

    def _verify_operation(self, header, shown, placed):
        cap, tree, position = (placed.entry.cap, placed.tree, placed.position) if placed else (None, None, None)
        self.operations.append(ShownOperation(header, shown, cap, tree, position))
        path = shown.operation.path
        if header.author not in self._pivots:
            for code in self._grants.faults(header.author, path):
                self._add(code, ERROR if placed else NOTE)
        elif is_record(path):
            self._grants.take_effect(header, shown, cap)


def rises(numbers):
    return all(left < right for left, right in pairwise(numbers))
