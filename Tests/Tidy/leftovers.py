"""What is left lying about: promises to come back, paths of somebody's machine, tests and scripts that nothing runs."""

import re

from tree import Finding, line_of

WORDS = [
    (re.compile(r"\b(?:" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X"]) + r")\b"), "says {}: do it, or say what is so"),
    (re.compile(r"(?:fatalError|preconditionFailure)\(\s*\"(?:not |un)implemented", re.IGNORECASE), "is not finished: {}"),
    (re.compile(r"(?<![\w./:$}*-])/(?:work|wt|root|home)/[\w.]"), "names a path of some machine: {}"),
]
SCANNED = (".swift", ".md", ".py", ".sh", ".js", ".css", ".pml", ".cddl", ".patch", "Makefile")


def words(tree, notes):
    """Nothing says that it is not done, and nothing names a folder of the machine that it was written on."""
    findings = []
    for file in tree.named(*SCANNED):
        text = tree.text(file)
        for pattern, sentence in WORDS:
            for found in pattern.finditer(text):
                findings.append(Finding(file, line_of(text, found.start()), sentence.format(found[0])))
    return findings


def swift_habits(tree, notes):
    """No test sees what is internal, as release builds have to compile it; each unchecked promise has its reason."""
    findings = []
    for file in tree.swift():
        code, lines = tree.code(file), tree.lines(file)
        for found in re.finditer(r"@testable\b", code):
            findings.append(Finding(file, line_of(code, found.start()), "imports with @testable: use `package` access"))
        for found in re.finditer(r"@unchecked\s+Sendable|nonisolated\(unsafe\)", code):
            number = line_of(code, found.start())
            around = lines[max(0, number - 4) : number]
            if not any("//" in line for line in around):
                findings.append(Finding(file, number, f"{found[0]} without a comment that says why it holds"))
    return findings


def scripts(tree, notes):
    """A script of the tests is started or imported by something."""
    findings = []
    callers = {file: tree.text(file) for file in tree.named(".py", ".sh", ".swift", "Makefile")}
    for file in tree.named(".py", ".sh"):
        name = file.rsplit("/", 1)[-1]
        stem = re.escape(name.rsplit(".", 1)[0])
        imported = rf"\b(?:import|from)\s[^\n]*\b{stem}\b|^\s+{stem},$"
        called = re.compile(rf"(?<![\w-]){re.escape(name)}\b|{imported}", re.MULTILINE)
        near = (text for caller, text in callers.items() if caller != file and stem in text)
        if stem != "__init__" and not any(called.search(text) for text in near):
            findings.append(Finding(file, 1, "is started and imported by nothing"))
    return findings
