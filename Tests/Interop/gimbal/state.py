"""The merged state of a space, and the join of two (docs/wire-format.md §2 and §4, design §3, decisions/0001)."""

from dataclasses import dataclass, field

from . import digest
from .operations import FOR_REGISTERS, PUT, REMOVE


@dataclass(frozen=True)
class Write:
    """A register or a live dot of a member. `stamp` is the effective one; `value` is None for a register's deletion."""

    path: str
    dot: tuple  # author, incarnation, sequence
    stamp: int
    created: int
    operation_hash: bytes
    value: str | None

    @property
    def order(self):
        """What everything that must choose compares."""
        return (self.stamp, self.dot, self.operation_hash)


def write_of(header, shown, cap):
    """What an operation writes; without a cap its stamp counts as it is signed."""
    operation = shown.operation
    stamp = header.stamp + operation.offset
    effective = stamp if cap is None else min(stamp, cap)
    dot = (*header.replica, header.first + shown.index)
    return Write(operation.path, dot, effective, operation.created or 0, shown.leaf, operation.value)


@dataclass
class State:
    """`members` holds the live dots by path; `heads` is the version vector: replica → (sequence, header hash)."""

    registers: dict = field(default_factory=dict)
    members: dict = field(default_factory=dict)
    heads: dict = field(default_factory=dict)
    refused: dict = field(default_factory=dict)

    def covers(self, dot):
        return dot[2] <= self.heads.get(dot[:2], (0, None))[0]

    def apply(self, entry, verified):
        """Merges a log entry. The causal order is the caller's duty: it must extend its replica's head."""
        header = verified.header
        reasons = dict(entry.refusals)
        for shown in verified.shown:
            if shown.index not in reasons:
                self.apply_operation(header, shown, entry.cap)
        for index, reason in reasons.items():
            self.refused[(*header.replica, header.first + index)] = reason
        self.heads[header.replica] = (header.last, header.hash)

    def apply_operation(self, header, shown, cap):
        """Merges one operation; one that the version vector covers is a replay and changes nothing."""
        write = write_of(header, shown, cap)
        if self.covers(write.dot):
            return
        if shown.operation.kind in FOR_REGISTERS:
            self.merge_register(write)
            return
        observed = {(*header.observed[index][:2], sequence) for index, sequence in shown.operation.observed}
        for dot in observed:
            self.refused.pop(dot, None)
        self.merge_member(write, observed, shown.operation.kind)

    def merge_register(self, write):
        present = self.registers.get(write.path)
        if present is None or present.order < write.order:
            self.registers[write.path] = write

    def merge_member(self, write, observed, kind):
        live = self.members.pop(write.path, {})
        author, incarnation, sequence = write.dot
        own = (author, incarnation)
        live = {dot: old for dot, old in live.items() if dot not in observed and (dot[:2] != own or dot[2] > sequence)}
        if kind == PUT:
            live[write.dot] = write
        else:
            assert kind == REMOVE
        if live:
            self.members[write.path] = live

    def siblings(self, path):
        """The live writes of a member, the best first."""
        return sorted(self.members.get(path, {}).values(), key=lambda write: write.order, reverse=True)

    def write_items(self):
        """(bucket, item) of registers and live dots, by path, then dot."""
        writes = [*self.registers.values(), *(write for live in self.members.values() for write in live.values())]
        writes.sort(key=lambda write: (write.path.encode(), write.dot))
        return [(digest.path_bucket(write.path), digest.write_item(write)) for write in writes]

    def items(self):
        """(bucket, item) of everything that the state digest sums up."""
        refused = [(digest.replica_bucket(*dot[:2]), digest.refused_item(dot, self.refused[dot])) for dot in sorted(self.refused)]
        heads = [
            (digest.replica_bucket(*replica), digest.head_item((*replica, sequence), header_hash))
            for replica, (sequence, header_hash) in sorted(self.heads.items())
        ]
        return self.write_items() + refused + heads

    @property
    def digest(self):
        return digest.state_digest(self.items())


def join(left, right):
    """The state join of design §3. Where heads clash at one sequence, the left side keeps its own."""
    result = State()
    for path in left.registers.keys() | right.registers.keys():
        kept = joined_writes(left, right, side(left.registers, path), side(right.registers, path))
        if kept:
            result.registers[path] = max(kept.values(), key=lambda write: write.order)
    for path in left.members.keys() | right.members.keys():
        kept = joined_writes(left, right, left.members.get(path, {}), right.members.get(path, {}))
        if kept:
            result.members[path] = kept
    for replica in left.heads.keys() | right.heads.keys():
        heads = [state.heads[replica] for state in (left, right) if replica in state.heads]
        result.heads[replica] = max(heads, key=lambda head: head[0])
    result.refused = joined_refusals(left, right)
    return result


def side(registers, path):
    return {registers[path].dot: registers[path]} if path in registers else {}


def joined_writes(left, right, left_writes, right_writes):
    """Writes on both sides, with the smaller stamp, and those that the other side has not seen or refused."""
    kept = {}
    for dot in left_writes.keys() & right_writes.keys():
        kept[dot] = min(left_writes[dot], right_writes[dot], key=lambda write: write.stamp)
    for writes, others, other in ((left_writes, right_writes, right), (right_writes, left_writes, left)):
        for dot, write in writes.items():
            if dot not in others and (not other.covers(dot) or dot in other.refused):
                kept[dot] = write
    return kept


def joined_refusals(left, right):
    """Refused on both sides, or on one that the other has not seen: what the other took or observed is only covered."""
    both = {dot: reason for dot, reason in left.refused.items() if dot in right.refused}
    for state, other in ((left, right), (right, left)):
        both |= {dot: reason for dot, reason in state.refused.items() if not other.covers(dot)}
    return both
