"""The space that all vectors belong to and its first pivot, as Specs/vectors/README.md states it."""

SPACE = bytes.fromhex("5993a6d738100bc75abdc5c794d10abdeb30807c08b59a06647f54301711294b")
PIVOT = bytes.fromhex("a3ddf12a4f52e9d12a0bc0651e20a991bc9fbc5bca45df69fd1bda6ce1bc7f13")
