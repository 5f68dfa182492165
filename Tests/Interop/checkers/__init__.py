"""What a vector of each file of Specs/vectors promises. A checker answers the differences that it finds, as sentences."""

from . import bundles, logs, signed, states

BY_FILE = {
    "operations": signed.check_operation,
    "headers": signed.check_header,
    "deltas": logs.check_delta,
    "certificates": signed.check_certificate,
    "checkpoints": signed.check_checkpoint,
    "entries": logs.check_entry,
    "merges": states.check_merge,
    "digests": states.check_digest,
    "bundles": bundles.check_bundle,
}
