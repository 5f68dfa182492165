#!/usr/bin/env python3
"""Wraps what a formatter of code leaves alone: paragraphs of documents and comments of Swift that hold a line over the bound.

    Tests/Tidy/wrap.py [FILE …]    these files, or every one of the tree

Other paragraphs stay as they are, and so do tables, headings, code and lists of parameters.
"""

import json
import pathlib
import re
import sys
import textwrap

sys.dont_write_bytecode = True

from tree import Tree  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
ITEM = re.compile(r"(?:[-*] |\d+\. )")


class Wrapper:
    def __init__(self, bound):
        self.bound = bound

    def paragraph(self, lines, prefix):
        """The lines of one paragraph, without their prefix; wrapped if one is too long."""
        width = self.bound - len(prefix)
        if all(len(line) <= width for line in lines):
            return [prefix + line for line in lines]
        item = ITEM.match(lines[0])
        text = " ".join(line.strip() for line in lines)
        wrapped = textwrap.wrap(
            text, width, subsequent_indent=" " * (item.end() if item else 0), break_long_words=False, break_on_hyphens=False
        )
        return [prefix + line for line in wrapped]

    def document(self, text):
        return self.blocks(text.split("\n"), "", is_code=lambda line: line.startswith("```"))

    def swift(self, text):
        """Each run of comment lines with one indentation is a text of its own."""
        result, block, prefix = [], [], None
        for line in text.split("\n"):
            found = re.match(r"(\s*///? ?)(?!/)(.*)$", line)
            if found and (prefix is None or found[1].rstrip() == prefix.rstrip()):
                prefix = found[1].rstrip() + " "
                block.append(found[2])
                continue
            result += self.comment(block, prefix)
            block, prefix = ([found[2]], found[1].rstrip() + " ") if found else ([], None)
            if not found:
                result.append(line)
        return "\n".join(result + self.comment(block, prefix))

    def comment(self, block, prefix):
        if not block:
            return []
        text = self.blocks(block, prefix, is_code=lambda line: line.startswith("```"))
        return [line.rstrip() for line in text.split("\n")]

    def blocks(self, lines, prefix, is_code):
        result, paragraph, in_code = [], [], False

        def flush():
            if paragraph:
                result.extend(self.paragraph(paragraph, prefix))
                paragraph.clear()

        for line in lines:
            if is_code(line):
                flush()
                in_code = not in_code
                result.append(prefix + line)
            elif in_code or not line.strip() or line.startswith(("|", "#", "    ", "<!--", "  - ")):
                flush()
                result.append(prefix + line)
            else:
                if ITEM.match(line):
                    flush()
                paragraph.append(line)
        flush()
        return "\n".join(result)


def main():
    wrapper = Wrapper(json.loads((ROOT / ".swift-format").read_text())["lineLength"])
    names = sys.argv[1:] or [str(ROOT / file) for file in Tree(ROOT).named(".md", ".swift")]
    for name in names:
        path = pathlib.Path(name)
        before = path.read_text(encoding="utf-8")
        after = wrapper.document(before) if path.suffix == ".md" else wrapper.swift(before)
        if after != before:
            path.write_text(after, encoding="utf-8")
            print(f"wrapped {path}")


if __name__ == "__main__":
    main()
