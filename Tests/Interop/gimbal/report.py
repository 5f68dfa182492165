"""What a verified bundle comes to, as the plain record that two implementations compare."""

from .digest import state_digest
from .operations import KIND_NAMES
from .state import State


def report(verification):
    """Findings, shown operations in file order, and the state that they merge to with its digest."""
    state = State()
    for operation in verification.operations:
        state.apply_operation(operation.header, operation.shown, operation.cap)
    findings = sorted((code, severity) for code, severity, _ in verification.findings)
    return {
        "valid": verification.is_valid,
        "findings": [{"code": code, "severity": severity} for code, severity in findings],
        "operations": [operation_record(operation) for operation in verification.operations],
        "state": state_record(state),
    }


def operation_record(shown_operation):
    header, shown = shown_operation.header, shown_operation.shown
    operation = shown.operation
    return {
        "path": operation.path,
        "kind": KIND_NAMES[operation.kind],
        "author": header.author.hex(),
        "incarnation": str(header.incarnation),
        "sequence": str(header.first + shown.index),
        "stamp": str(header.stamp + operation.offset),
        "cap": decimal(shown_operation.cap),
        "tree": shown_operation.tree,
        "position": decimal(shown_operation.position),
        "value": value_hex(operation.value),
    }


def state_record(state):
    registers = [
        [path, *dot_record(write.dot), str(write.stamp), value_hex(write.value)]
        for path, write in sorted(state.registers.items(), key=by_path_bytes)
    ]
    members = [
        [path, [[*dot_record(write.dot), str(write.stamp), value_hex(write.value)] for write in state.siblings(path)]]
        for path, _ in sorted(state.members.items(), key=by_path_bytes)
    ]
    return {"registers": registers, "members": members, "digest": digest_of_writes(state).hex()}


def digest_of_writes(state):
    """The state digest over registers and live dots alone: a bundle knows neither heads nor refused dots for sure."""
    return state_digest(state.write_items())


def by_path_bytes(item):
    return item[0].encode()


def dot_record(dot):
    author, incarnation, sequence = dot
    return [author.hex(), str(incarnation), str(sequence)]


def decimal(number):
    return None if number is None else str(number)


def value_hex(value):
    return None if value is None else value.encode().hex()
