"""Bundles: the whole report of a valid one, a code of an invalid one."""

from gimbal.report import report
from gimbal.verifier import Verification

from .outcome import refused
from .worlds import SPACE


def check_bundle(vector):
    verification = Verification(bytes.fromhex(vector["hex"]), SPACE)
    errors = {code for code, severity, _ in verification.findings if severity == "error"}
    if errors:
        return refused(vector, errors, "the verifier's findings")
    if not vector["valid"]:
        return [f"is taken, should be {vector['error']}"]
    found = report(verification)
    return [f"{part} is {found[part]!r}" for part in found if found[part] != vector["report"][part]]
