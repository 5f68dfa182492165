#!/usr/bin/env python3
"""Checks real bytes against Specs/gimbal.cddl, with a validator that is not ours, deterministic encoding included.

    pip install -r Tests/Interop/requirements.txt
    GIMBAL_SAMPLES=/tmp/samples GIMBAL_CORE=1 swift test --scratch-path .build-core --filter ExportSamples
    python3 Tests/Interop/check_cddl.py /tmp/samples

Each sample is named RULE.NUMBER.cbor. It must match its rule, and a sample with a byte cut off must not. Every rule of SHOWN
must have a sample, or this fails: a rule that nothing was checked against says nothing.
"""

import pathlib
import sys

from cddl_verifier import Validator

SHOWN = """operation delta-header sealed-delta log-entry log-leaf checkpoint certificate answer push-request page
bundle-head bundle-entry bundle-unplaced bundle-end snapshot-head snapshot-entry snapshot-replica snapshot-refused
snapshot-state-end snapshot-subtree snapshot-end stored-state stored-overlay stored-pending stored-sealed stored-link
stored-subtree stored-retention stored-follower stored-intake stored-proofs stored-dead-letter stored-pivot stored-node
stored-epoch stored-base stored-digest stored-digest-change""".split()


def main(folder):
    validator = Validator(pathlib.Path(__file__).parents[2] / "Specs" / "gimbal.cddl")

    def matches(rule, sample):
        return validator.validate(sample, root_type=rule, require_deterministic=True).valid

    counts = dict.fromkeys(SHOWN, 0)
    failures = []
    for file in sorted(pathlib.Path(folder).glob("*.cbor")):
        rule = file.name.split(".")[0]
        sample = file.read_bytes()
        counts[rule] = counts.get(rule, 0) + 1
        if not matches(rule, sample):
            failures.append(f"{file.name} does not match {rule}")
        if matches(rule, sample[:-1]):
            failures.append(f"{file.name} still matches {rule} with its last byte cut off")
        others = [other for other in ("certificate", "checkpoint", "answer", "delta-header") if other != rule]
        failures += [f"{file.name} matches {other} as well" for other in others if matches(other, sample)]
    failures += [f"no sample of {rule}" for rule, count in counts.items() if count == 0]
    for failure in failures:
        print(failure)
    print(f"{sum(counts.values())} samples of {len(counts)} rules, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
