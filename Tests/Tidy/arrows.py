"""Which target imports which."""

import re

from tree import Finding, closing, line_of

PURE = ["GimbalCRDT", "GimbalWire", "GimbalReplication"]
# What comes with the toolchain.
SYSTEM = {"Foundation", "Dispatch", "Synchronization", "Glibc", "Musl", "Darwin", "Testing", "os"}

IMPORT = re.compile(
    r"^\s*(?:@\w+(?:\([^)]*\))?\s+|(?:public|package|internal|private|fileprivate)\s+)*"
    r"import\s+(?:(?:struct|class|enum|func|protocol|var|let|typealias)\s+)?(\w+)",
    re.MULTILINE,
)
TARGET = re.compile(r"(?P<call>\blibrary|\bprogram|\btests|\.target|\.executableTarget|\.testTarget)\s*\(")


class Target:
    def __init__(self, name, folder, dependencies, line):
        self.name, self.folder, self.dependencies, self.line = name, folder, dependencies, line


def targets(tree):
    """The targets of Package.swift, read from its text: every call that names one, and what it lists."""
    text = re.sub(r"//[^\n]*", "", tree.text("Package.swift"))
    found = {}
    for match in TARGET.finditer(text):
        call = text[match.end() - 1 : closing(text, match.end() - 1, "()")]
        name = re.match(r'\(\s*(?:name:\s*)?"(\w+)"', call)
        # A product has `targets:`; the functions that make targets name none.
        if not name or "targets:" in call:
            continue
        path = re.search(r'path:\s*"([^"]+)"', call)
        kind = "Tests" if match["call"] in ("tests", ".testTarget") else "Sources"
        listed = re.search(r"\[(.*)\]", re.sub(r"(?:exclude|resources):\s*\[[^\]]*\]", "", call), re.DOTALL)
        products = re.findall(r'\.product\(name:\s*"(\w+)"', listed[1]) if listed else []
        names = re.findall(r'"(\w+)"', re.sub(r"\.product\([^)]*\)", "", listed[1])) if listed else []
        line = line_of(tree.text("Package.swift"), tree.text("Package.swift").index(f'"{name[1]}"'))
        found[name[1]] = Target(name[1], path[1] if path else f"{kind}/{name[1]}", products + names, line)
    return found


def imports(tree, target):
    """(file, line, module) of every import in a target."""
    for file in tree.swift():
        if file.startswith(target.folder + "/"):
            for match in IMPORT.finditer(tree.code(file)):
                yield file, line_of(tree.code(file), match.start(1)), match[1]


def pure_targets(tree, notes):
    """The pure targets import each other, downwards, and Synchronization at most."""
    findings = []
    known = targets(tree)
    for rank, name in enumerate(PURE):
        if name not in known:
            findings.append(Finding("Package.swift", 1, f"declares no target {name}"))
            continue
        for file, line, module in imports(tree, known[name]):
            if module not in PURE[:rank] and module != "Synchronization":
                findings.append(Finding(file, line, f"{name} is pure and imports {module}"))
    return findings


def declared_imports(tree, notes):
    """A target imports what Package.swift declares for it, and all of that."""
    findings = []
    for target in targets(tree).values():
        used = set()
        for file, line, module in imports(tree, target):
            used.add(module)
            if module not in SYSTEM and module != target.name and module not in target.dependencies:
                findings.append(Finding(file, line, f"Package.swift does not declare {module} for {target.name}"))
        for name in target.dependencies:
            # What is written in C may be there for what it links.
            if name not in used and not re.match(r"C[A-Z]", name):
                findings.append(Finding("Package.swift", target.line, f"{target.name} declares {name} and imports it nowhere"))
    return findings
