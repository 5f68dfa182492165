"""Why bytes are refused."""


class WireError(Exception):
    """A stable code of docs/wire-format.md §10, the place in bytes where it was noticed, and a sentence for people."""

    def __init__(self, code, place, sentence):
        super().__init__(f"{code} at byte {place}: {sentence}")
        self.code = code
        self.place = place
