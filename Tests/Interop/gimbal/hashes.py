"""Hashes and the Merkle tree of RFC 9162 §2.1 over BLAKE2b-256 (RFC 7693)."""

import hashlib

ZEROS = bytes(32)


def blake2b_256(data):
    return hashlib.blake2b(data, digest_size=32).digest()


def blake2b_512(data):
    return hashlib.blake2b(data, digest_size=64).digest()


def leaf(data):
    return blake2b_256(b"\x00" + data)


def node(left, right):
    return blake2b_256(b"\x01" + left + right)


def split(count):
    """How many leaves are in the left subtree of a tree of more than one: the greatest power of two below."""
    return 1 << ((count - 1).bit_length() - 1)


def root(leaves):
    """The root over leaf hashes; one leaf is its own root."""
    if len(leaves) == 1:
        return leaves[0]
    middle = split(len(leaves))
    return node(root(leaves[:middle]), root(leaves[middle:]))


def inclusion_path(leaves, index):
    """PATH(m, D_n) of RFC 9162 §2.1.3.1: the siblings from the leaf up to the root."""
    if len(leaves) == 1:
        return []
    middle = split(len(leaves))
    if index < middle:
        return inclusion_path(leaves[:middle], index) + [root(leaves[middle:])]
    return inclusion_path(leaves[middle:], index - middle) + [root(leaves[:middle])]


def root_of_path(hash, index, count, path):
    """The root that an inclusion path leads to, or None if it is not as long as this leaf's path is (RFC 9162 §2.1.3.2)."""
    last = count - 1
    for sibling in path:
        if last == 0:
            return None
        if index & 1 or index == last:
            hash = node(sibling, hash)
            while not index & 1 and index:
                index >>= 1
                last >>= 1
        else:
            hash = node(hash, sibling)
        index >>= 1
        last >>= 1
    return hash if last == 0 else None
