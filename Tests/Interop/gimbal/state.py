"""The merged state of a space, and the join of two (Specs/tables, docs/wire-format.md §2, §4 and §8, docs/decisions/0001)."""

from dataclasses import dataclass, field

from . import digest
from .operations import FOR_REGISTERS, PUT, REMOVE


@dataclass(frozen=True)
class Write:
    """A register or a live dot of a member. `stamp` and `created` are effective; `value` is None for a register's deletion."""

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
    """What an operation writes; without a cap its stamp counts as it is signed. It is created at its own stamp at the latest."""
    operation = shown.operation
    stamp = header.stamp + operation.offset
    effective = stamp if cap is None else min(stamp, cap)
    dot = (*header.replica, header.first + shown.index)
    created = min(operation.created or effective, effective)
    return Write(operation.path, dot, effective, created, shown.leaf, operation.value)


@dataclass
class State:
    """`members` holds the live dots by path; `heads` is the version vector: replica → (sequence, header hash)."""

    registers: dict = field(default_factory=dict)
    members: dict = field(default_factory=dict)
    heads: dict = field(default_factory=dict)
    refused: dict = field(default_factory=dict)

    def covers(self, dot):
        return dot[2] <= self.heads.get(dot[:2], (0, None))[0]

    def accepted(self, dot):
        """Whether the operation was taken in: what it wrote is live, or something took its place."""
        return self.covers(dot) and dot not in self.refused

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
    """The state join (docs/decisions/0002). Where heads clash at one sequence, the left side keeps its own."""
    result = State()
    for path in left.registers.keys() | right.registers.keys():
        kept = joined_register(left, right, left.registers.get(path), right.registers.get(path))
        if kept:
            result.registers[path] = kept
    for path in left.members.keys() | right.members.keys():
        kept = joined_member(left, right, left.members.get(path, {}), right.members.get(path, {}))
        if kept:
            result.members[path] = kept
    for replica in left.heads.keys() | right.heads.keys():
        heads = [state.heads[replica] for state in (left, right) if replica in state.heads]
        result.heads[replica] = max(heads, key=lambda head: head[0])
    result.refused = joined_refusals(left, right)
    return result


def reconciled(one, other):
    """One dot on both sides: the smaller effective stamp stays."""
    return min(one, other, key=lambda write: (write.stamp, write.created, write.operation_hash))


def joined_register(left, right, one, other):
    """A write that the other side accepted and has replaced goes. If both are, the smaller stays, if neither is, the greater."""
    if one and other and one.dot == other.dot:
        return reconciled(one, other)
    kept = [write for write, side in ((one, right), (other, left)) if write and not side.accepted(write.dot)]
    if kept:
        return max(kept, key=lambda write: write.order)
    return min(one, other, key=lambda write: write.order) if one and other else None


def joined_member(left, right, left_writes, right_writes):
    """Dots live on both sides, and those that the other side has not accepted."""
    kept = {dot: reconciled(left_writes[dot], right_writes[dot]) for dot in left_writes.keys() & right_writes.keys()}
    for writes, others, other in ((left_writes, right_writes, right), (right_writes, left_writes, left)):
        kept |= {dot: write for dot, write in writes.items() if dot not in others and not other.accepted(dot)}
    return kept


def joined_refusals(left, right):
    """Refused on both sides, or on the one that has seen it: what a side accepted or observed is only covered."""
    reasons = {dot: [side.refused[dot] for side in (left, right) if dot in side.refused] for dot in left.refused | right.refused}
    return {dot: min(found) for dot, found in reasons.items() if not (left.accepted(dot) or right.accepted(dot))}
