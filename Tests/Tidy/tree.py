"""The repository's files, and Swift text without what is no code."""

import functools
import os
import pathlib
import re

# Folders that a build makes.
BUILT = {"__pycache__", "node_modules"}


class Finding:
    """One line of the tree that breaks a rule."""

    def __init__(self, file, line, text):
        self.file, self.line, self.text = file, line, text

    def __str__(self):
        return f"{self.file}:{self.line}: {self.text}"


class Tree:
    """The text files below a folder, by their path from there."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.files = []
        for folder, folders, names in os.walk(self.root):
            folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in BUILT)
            self.files += [os.path.relpath(os.path.join(folder, name), self.root) for name in sorted(names)]
        self.known = set(self.files)

    def named(self, *ends):
        return [file for file in self.files if file.endswith(ends)]

    def swift(self, *folders):
        """Swift files; only below some folders if any are named."""
        return [file for file in self.named(".swift") if not folders or file.split("/")[0] in folders]

    @functools.cache
    def text(self, file):
        return (self.root / file).read_text(encoding="utf-8")

    def lines(self, file):
        return self.text(file).split("\n")

    def code(self, file):
        """Swift text with blanks in the place of comments and of what stands in string literals; lines stay where they are."""
        return without_text(self.text(file))

    @functools.cache
    def types(self):
        """The names of all types that Swift files declare."""
        return {name for file in self.swift() for name in declared(self.code(file))}

    def exists(self, path):
        return path in self.known or (self.root / path).exists()


DECLARATION = re.compile(r"\b(?:struct|class|enum|protocol|actor|typealias|associatedtype)\s+([A-Z]\w*)")


@functools.cache
def declared(code):
    return DECLARATION.findall(code)


TOKEN = re.compile(
    r"""(?P<line>//[^\n]*)
    |(?P<block>/\*)
    |(?P<pattern>(?<=[(:=,\s])/(?![\s/*])(?:\\.|[^\n/\\])+/(?=[).,\s]))
    |(?P<text>(?P<hashes>\#*)(?P<quote>\"\"\"|\"))""",
    re.VERBOSE,
)


@functools.cache
def without_text(text):
    kept, place = [], 0
    while found := TOKEN.search(text, place):
        kept.append(text[place : found.start()])
        if found["line"] or found["pattern"]:
            end = found.end()
        elif found["block"]:
            end = end_of_comment(text, found.end())
        else:
            end = end_of_literal(text, found.end(), found["quote"], found["hashes"])
        kept.append(re.sub(r"[^\n]", " ", text[found.start() : end]))
        place = end
    return "".join(kept) + text[place:]


def end_of_comment(text, place):
    depth = 1
    for found in re.finditer(r"/\*|\*/", text[place:]):
        depth += 1 if found[0] == "/*" else -1
        if depth == 0:
            return place + found.end()
    return len(text)


def end_of_literal(text, place, quote, hashes):
    closing, escape = quote + hashes, "\\" + hashes
    while place < len(text):
        if text.startswith(closing, place):
            return place + len(closing)
        if text.startswith(escape + "(", place):
            place = end_of_interpolation(text, place + len(escape) + 1)
        elif text.startswith(escape, place):
            place += len(escape) + 1
        else:
            place += 1
    return len(text)


def end_of_interpolation(text, place):
    depth = 1
    while place < len(text):
        found = TOKEN.match(text, place)
        if found and found["text"]:
            place = end_of_literal(text, found.end(), found["quote"], found["hashes"])
            continue
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        place += 1
        if depth == 0:
            return place
    return len(text)


def line_of(text, place):
    return text.count("\n", 0, place) + 1


def closing(code, place, pair="{}"):
    """Where the bracket that opens at `place` is closed."""
    depth = 0
    for found in re.compile("[" + re.escape(pair) + "]").finditer(code, place):
        depth += 1 if found[0] == pair[0] else -1
        if depth == 0:
            return found.start()
    return len(code)
