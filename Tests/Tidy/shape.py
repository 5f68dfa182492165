"""How long lines, functions and files are, and what files are called."""

import ast
import json
import re

import ratchets
from tree import Finding, closing, declared, line_of

FILE_LINES = 400
FUNCTION_LINES = 60


def columns(tree, notes):
    """No line is longer than swift-format's bound, unless nothing in it could be broken."""
    bound = json.loads(tree.text(".swift-format"))["lineLength"]
    long = {}
    for file in tree.named(".swift", ".md", ".py", ".sh", ".js", ".css", ".pml", ".cddl"):
        for number, line in enumerate(tree.lines(file), 1):
            if len(line) > bound and not is_unbreakable(tree, file, number, bound):
                long.setdefault(file, []).append(Finding(file, number, f"{len(line)} columns, {bound} are allowed"))
    return ratchets.beyond(ratchets.LONG_LINES, long, tree, notes, "long lines")


def is_unbreakable(tree, file, number, bound):
    """A row of a table, a text literal of Swift, or a line whose surplus is one word, such as an address."""
    line = tree.lines(file)[number - 1]
    if file.endswith(".md"):
        return line.startswith("|") or " " not in line[bound - 40 :].strip()
    if file.endswith(".swift") and not line.lstrip().startswith(("//", "*", "/*")):
        return len(tree.code(file).split("\n")[number - 1].rstrip().rstrip(")], ")) <= bound
    return False


def file_lengths(tree, notes):
    """A file has at most 400 lines."""
    found = {}
    for file in tree.named(".swift", ".py", ".js"):
        count = len(tree.text(file).splitlines())
        if count > FILE_LINES:
            found[file] = [Finding(file, FILE_LINES + 1, f"{count} lines, {FILE_LINES} are allowed")] * count
    return [beyond[0] for beyond in ratchets.groups_beyond(ratchets.LONG_FILES, found, tree, notes, "lines")]


FUNCTION = re.compile(r"\b(?:func\s+(?P<name>\w+|[^\w\s(]+)|(?P<init>init|deinit|subscript))[?!]?\s*(?=[(<{])")


def function_lengths(tree, notes):
    """A function has at most 60 lines, from its name to its last brace."""
    findings = []
    for file in tree.swift():
        code = tree.code(file)
        for found in FUNCTION.finditer(code):
            if (body := body_of(code, found.end())) is None:
                continue
            first, last = line_of(code, found.start()), line_of(code, closing(code, body))
            if last - first + 1 > FUNCTION_LINES:
                name = found["name"] or found["init"]
                findings.append(Finding(file, first, f"{name} has {last - first + 1} lines, {FUNCTION_LINES} are allowed"))
    for file in tree.named(".py"):
        for node in ast.walk(ast.parse(tree.text(file))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                count = node.end_lineno - node.lineno + 1
                if count > FUNCTION_LINES:
                    findings.append(Finding(file, node.lineno, f"{node.name} has {count} lines, {FUNCTION_LINES} are allowed"))
    return findings


def body_of(code, place):
    """Where the brace of a declaration's body is; None for a call, and for a declaration without a body."""
    if code.startswith("<", place):
        place = closing(code, place, "<>") + 1
    if code.startswith("(", place):
        place = closing(code, place, "()") + 1
    # Effects, a result and constraints may stand before the body, on further lines too.
    rest = re.compile(r"(?:\s*(?:async|rethrows|throws(?:\([^)]*\))?|->[^{};=]*|where[^{};=]*))*\s*\{").match(code, place)
    return rest.end() - 1 if rest else None


def file_names(tree, notes):
    """A file of Sources is named after a type that it declares; one named `Type+Part` after a type that it extends."""
    found = {}
    for file in tree.swift("Sources"):
        stem = file.rsplit("/", 1)[-1].removesuffix(".swift")
        code, kind = tree.code(file), stem.split("+")[0]
        is_extension = re.search(rf"\bextension\s+(?:\w+\.)*{re.escape(kind)}\b", code)
        if kind in declared(code) or is_extension and ("+" in stem or not declared(code)):
            continue
        found[file] = [Finding(file, 1, f"declares no {kind}: a file is named after its main type")]
    return ratchets.beyond(ratchets.FILE_NAMES, found, tree, notes, "files with another name")
