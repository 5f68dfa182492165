"""Faults that are planted in a copy of the tree, one for each rule: a check that does not notice its own is blind."""

import pathlib
import shutil
import tempfile

from tree import Tree

LONG = "x" * 70


def replaced(old, new):
    def edit(before):
        if old not in before:
            raise LookupError(old)
        return before.replace(old, new, 1)

    return edit


def created(text):
    return lambda before: text


MARK = "§"
UNFINISHED = "TO" + "DO"

# (check, file in which the fault is planted and found, what is done to it)
FAULTS = [
    ("columns", "Sources/GimbalCRDT/Planted.swift", created(f"// {LONG} {LONG}\n")),
    ("columns", "Sources/GimbalCRDT/Planted.swift", created(f"let planted = {LONG} + {LONG}\n")),
    ("columns", "docs/planted.md", created(f"{LONG} {LONG} and more\n")),
    ("file_lengths", "Sources/GimbalCRDT/Planted.swift", created("//\n" * 401)),
    ("function_lengths", "Sources/GimbalCRDT/Planted.swift", created("func planted(\n) -> Int {\n" + "\n" * 60 + "}\n")),
    ("function_lengths", "Sources/GimbalCRDT/Planted.swift", created('init() {\n"\\("}")"\n' + "/* } */\n" * 60 + "}\n")),
    ("function_lengths", "Tests/Clients/planted.py", created("def planted():\n" + "    pass\n" * 60)),
    ("file_names", "Sources/GimbalCRDT/Planted.swift", created("struct Other {}\n")),
    ("file_names", "Sources/GimbalCRDT/Path+Planted.swift", created("extension Pattern {}\n")),
    ("sections", "docs/planted.md", created(f"As wire-format.md {MARK}99 says.\n")),
    ("sections", "Sources/GimbalCRDT/Planted.swift", created(f"/// As the design {MARK}2 says.\n")),
    ("links", "docs/planted.md", created("[gone](nowhere.md)\n")),
    ("links", "docs/planted.md", created("[gone](glossary.md#nowhere)\n")),
    ("paths", "docs/planted.md", created("See docs/nowhere.md.\n")),
    ("paths", "Sources/GimbalCRDT/Planted.swift", created("/// See docs/decisions/9999.\n")),
    ("names", "docs/planted.md", created("`NoSuchType` does it.\n")),
    ("names", "docs/planted.md", created("`GimbalStore/NoSuchFile.swift` does it.\n")),
    ("decisions", "docs/decisions/0001-planted.md", created("# 0001 A number that is taken\n")),
    ("decisions", "docs/decisions/9999-planted.md", created("No title.\n")),
    ("pure_targets", "Sources/GimbalWire/Planted.swift", created("import Foundation\n")),
    ("pure_targets", "Sources/GimbalCRDT/Planted.swift", created("import GimbalWire\n")),
    ("declared_imports", "Sources/GimbalStore/Planted.swift", created("public import NIOCore\n")),
    ("declared_imports", "Package.swift", replaced('tests("GimbalCRDTTests", [', 'tests("GimbalCRDTTests", ["GimbalWire", ')),
    ("stated_limits", "docs/wire-format.md", replaced("| 16 MiB (1 MiB by default)", "| 16 MiB (2 MiB by default)")),
    ("words", "Sources/GimbalCRDT/Planted.swift", created(f"// {UNFINISHED}: later\n")),
    ("words", "docs/planted.md", created("Built in /" + "root/gimbal.\n")),
    ("swift_habits", "Tests/LawTests/Planted.swift", created("@testable import Laws\n")),
    ("swift_habits", "Sources/GimbalCRDT/Planted.swift", created("final class Planted: @unchecked Sendable {}\n")),
    ("scripts", "Tests/Clients/check_" + "planted.py", created("pass\n")),
]


def unnoticed(tree, checks):
    """One sentence for each planted fault that its check did not find, and for each check that has none."""
    by_name = {check.__name__: check for check in checks}
    sentences = [f"no fault is planted for {name}" for name in by_name if name not in {fault[0] for fault in FAULTS}]
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for file in tree.files:
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(tree.root / file, root / file)
        shutil.copyfile(tree.root / ".swift-format", root / ".swift-format")
        for name, file, edit in FAULTS:
            target = root / file
            before = target.read_text(encoding="utf-8") if target.exists() else None
            try:
                target.write_text(edit(before), encoding="utf-8")
            except LookupError as missing:
                sentences.append(f"the fault for {name} does not fit any more: {file} has no {missing}")
                continue
            if not any(finding.file == file for finding in by_name[name](Tree(root), [])):
                sentences.append(f"{name} does not notice the fault planted in {file}")
            if before is None:
                target.unlink()
            else:
                target.write_text(before, encoding="utf-8")
    return sentences
