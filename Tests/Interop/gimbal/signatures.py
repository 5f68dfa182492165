"""Ed25519 (RFC 8032) as Gimbal takes it: keys of small order and signatures with a second form are refused."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

PRIME = (1 << 255) - 19
ORDER = (1 << 252) + 27742317777372353535851937790883648493
ORDER_8_Y = int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little")
SMALL_ORDER_Y = {0, 1, PRIME - 1, ORDER_8_Y, PRIME - ORDER_8_Y}


def is_strong_key(key):
    """Whether a public key has one encoding and a point of large order."""
    y = int.from_bytes(key, "little") & ((1 << 255) - 1)
    return y < PRIME and y not in SMALL_ORDER_Y


def is_canonical(signature):
    """Whether S is below the group's order, so that nobody can make a second signature from this one."""
    return int.from_bytes(signature[32:], "little") < ORDER


def verifies(key, message, signature):
    if not is_strong_key(key) or not is_canonical(signature):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
        return True
    except (InvalidSignature, ValueError):
        return False


class Signer:
    """A key pair from a seed of 32 bytes."""

    def __init__(self, seed):
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self._private.public_key().public_bytes_raw()

    def sign(self, message):
        return self._private.sign(message)
