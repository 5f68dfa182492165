"""What documents and comments point to: sections, files, types, decisions."""

import pathlib
import posixpath
import re

from tree import Finding, line_of

# Words in backticks that look like a type's name and are none of ours.
FOREIGN_NAMES = {
    **dict.fromkeys(["Accept", "Allow", "Authorization", "Connection", "Host", "Origin", "Upgrade", "Vary"], "a header of HTTP"),
    **dict.fromkeys(["Subscribe", "SubscribeList", "WebSocket"], "words of clients of the ooo protocol and of browsers"),
    "Ready": "a type of etcd's raft",
    "DispatchQueue": "a type of Dispatch",
    "Mutex": "a type of Synchronization",
}

COMMENTED = (".swift", ".md", ".py", ".sh", ".pml", ".cddl", ".js", "Makefile")
# What a section's number may belong to outside of the tree.
PUBLICATION = r"RFC \d+|INRIA \d+|Hacker's Delight"
SECTION = re.compile(rf"(?P<foreign>{PUBLICATION})|(?P<page>[\w/.-]+\.md)|§(?P<number>\d+(?:\.\d+)*)")


def sections(tree, notes):
    """A § belongs to an RFC, or to a page of docs that has this section."""
    findings = []
    for file in tree.named(*COMMENTED):
        if file.startswith("Tests/Tidy/"):
            continue
        text = tree.text(file)
        owner, last = None, 0
        for found in SECTION.finditer(text):
            if found["foreign"] or found["page"]:
                owner, last = found, found.end()
                continue
            # A page stands on the same line or the two before it, else the page is this one. What a Swift file once said of
            # an RFC holds for the rest of it.
            near = owner is not None and text.count("\n", last, found.start()) <= 2
            page = None
            if near and owner["page"]:
                page = owner["page"].rsplit("/", 1)[-1]
            elif near or file.endswith(".swift") and re.search(PUBLICATION, text[: found.start()]):
                last = found.end()
                continue
            elif file.startswith("docs/"):
                page = file.rsplit("/", 1)[-1]
            if page is None or not has_section(tree, page, found["number"]):
                of = page or "nothing in the tree"
                findings.append(Finding(file, line_of(text, found.start()), f"§{found['number']} is a section of {of}"))
            last = found.end()
    return findings


def has_section(tree, page, number):
    file = f"docs/{page}"
    heading = rf"^#+ {re.escape(number.split('.')[0])}[. ]"
    return file in tree.known and re.search(heading, tree.text(file), re.MULTILINE) is not None


LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)\s]+)\)")


def links(tree, notes):
    """A link in a document leads to a file, and to a heading where it names one."""
    findings = []
    for file in tree.named(".md"):
        text = tree.text(file)
        for found in LINK.finditer(text):
            target, _, anchor = found[1].partition("#")
            path = posixpath.normpath(posixpath.join(posixpath.dirname(file), target))
            if target and not tree.exists(path):
                findings.append(Finding(file, line_of(text, found.start()), f"links to {path}, which does not exist"))
            elif anchor and path.endswith(".md") and anchor not in anchors(tree.text(path)):
                findings.append(Finding(file, line_of(text, found.start()), f"{path} has no heading #{anchor}"))
    return findings


def anchors(text):
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


PATH = re.compile(r"(?<![\w/.:-])((?:docs|Sources|Tests|Specs|Fuzz)/[\w./+-]*\w)")
DECISION = re.compile(r"\b(?:[Dd]ecisions?/|[Dd]ecision )(\d{4})\b")


def paths(tree, notes):
    """A path of the tree that a document or a comment names exists; so does a decision."""
    findings = []
    numbers = {pathlib.PurePath(file).name[:4] for file in tree.files if file.startswith("docs/decisions/")}
    for file in tree.named(*COMMENTED):
        if file.startswith("Tests/Tidy/"):
            continue
        text = tree.text(file)
        for found in PATH.finditer(text):
            if not leads_somewhere(tree, found[1]):
                findings.append(Finding(file, line_of(text, found.start()), f"names {found[1]}, which does not exist"))
        for found in DECISION.finditer(text):
            if found[1] not in numbers:
                findings.append(Finding(file, line_of(text, found.start()), f"there is no decision {found[1]}"))
    return findings


def leads_somewhere(tree, path):
    """A file or a folder; the beginning of one, as in `Tests/Gimbal*Tests`; a path of another package, from its own root; what
    a build makes; a place that capitals leave open."""
    if tree.exists(path) or "/." in path or path.rsplit("/", 1)[-1].isupper():
        return True
    return any(file.startswith(path) or f"/{path}" in file for file in tree.files)


# `GimbalStore/Retention`, `StateCache.swift`; then `StateCache`, `StateCache.take`, `NodeCore+Page`.
FILE = re.compile(r"`([A-Z]\w*(?:/[\w+]+)+(?:\.swift)?|[\w+]+\.swift)`")
TYPE = re.compile(r"`([A-Z]+[a-z]\w*)(?:\+\w+)?(?:\.\w+)*(?:\([^`]*\))?`")


def names(tree, notes):
    """A file or a type that a document names in backticks exists."""
    findings = []
    known = tree.types() | named_elsewhere(tree)
    # DocC names symbols between backticks of its own, and checks them itself.
    for file in (file for file in tree.named(".md") if ".docc/" not in file):
        text = tree.text(file)
        for found in FILE.finditer(text):
            if not found[1].rsplit("/", 1)[-1].isupper() and not is_file(tree, found[1]):
                findings.append(Finding(file, line_of(text, found.start()), f"names {found[1]}, which does not exist"))
        for found in TYPE.finditer(text):
            if found[1] not in known and not found[0].endswith(".swift`"):
                findings.append(Finding(file, line_of(text, found.start()), f"names {found[1]}, which does not exist"))
    return findings


def is_file(tree, name):
    """A file or a folder by the end of its path; Swift files need no ending."""
    ends = (f"/{name}", f"/{name}.swift")
    return any(f"/{file}".endswith(ends) or f"/{name}/" in f"/{file}" for file in tree.files)


def named_elsewhere(tree):
    """Targets, products and folders; and names that are others'."""
    quoted = re.findall(r'"(\w+)"', tree.text("Package.swift"))
    return {part for file in tree.files for part in file.split("/")[:-1]} | set(quoted) | set(FOREIGN_NAMES)


def decisions(tree, notes):
    """Each decision has a number of its own, and a title that begins with it."""
    findings, seen = [], {}
    for file in (file for file in tree.named(".md") if file.startswith("docs/decisions/")):
        name = file.rsplit("/", 1)[-1]
        if not re.fullmatch(r"\d{4}(-[a-z0-9]+)+\.md", name):
            findings.append(Finding(file, 1, "is not named NNNN-title.md"))
            continue
        title = re.match(r"# 0*(\d+)\.? \S", tree.lines(file)[0])
        if not title or int(title[1]) != int(name[:4]):
            findings.append(Finding(file, 1, f"has no title that begins with {name[:4]}"))
        if name[:4] in seen:
            findings.append(Finding(file, 1, f"has the number of {seen[name[:4]]}"))
        seen.setdefault(name[:4], file)
    return findings
