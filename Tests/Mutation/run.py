#!/usr/bin/env python3
"""Builds wrong rules and requires that each is found by the test that its patch names.

    Tests/Mutation/run.py [--folder DIR] [NAME …]    all patches, or these
    Tests/Mutation/run.py --check                    whether every patch still applies; takes a second

A patch that does not apply, does not compile, survives, or ends in anything but a failed test fails the run. The tree is
copied into a temporary folder; with --folder it stays there, and the next run builds what has changed.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
# In a debug build, histories take their time; those that kill a patch do so early.
ENVIRONMENT = {"GIMBAL_CORE": "1", "GIMBAL_LAWS_COUNT": "300", "GIMBAL_LAWS_SHRINK": "no", "SWIFT_BACKTRACE": "enable=no"}
TIMEOUT_SECONDS = 1200


class Patch:
    def __init__(self, file):
        self.file = file
        self.name = file.stem
        text = file.read_text()
        self.rule = self.field(text, "Rule")
        self.killer = self.field(text, "Killed by")

    def field(self, text, name):
        found = re.search(rf"^{name}: (.+)$", text, re.MULTILINE)
        if not found:
            sys.exit(f"{self.file.name} has no line '{name}: …'")
        return found.group(1)

    def apply(self, tree, *flags):
        # The copy is no repository, and none around it counts.
        environment = os.environ | {"GIT_CEILING_DIRECTORIES": str(tree.parent)}
        command = ["git", "apply", *flags, str(self.file)]
        return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)


class Tree:
    """A copy of the repository's files, with a build folder that all patches share."""

    def __init__(self, folder):
        self.path = folder / "tree"
        self.scratch = folder / "build"

    def copy(self):
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout.split("\0")
        names = {name for name in names if name and (ROOT / name).is_file()}
        for name in sorted(names):
            source, target = ROOT / name, self.path / name
            if target.is_file() and target.read_bytes() == source.read_bytes():
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
            # Also a file that is older than what was built must be built again.
            os.utime(target)
        for target in self.path.rglob("*"):
            if target.is_file() and str(target.relative_to(self.path)) not in names:
                target.unlink()

    def swift(self, *arguments):
        command = ["swift", *arguments, "--scratch-path", str(self.scratch)]
        try:
            done = subprocess.run(
                command, cwd=self.path, env=os.environ | ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                timeout=TIMEOUT_SECONDS,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return 1, "timed out"
        return done.returncode, done.stdout.decode(errors="replace")

    def build(self):
        return self.swift("build", "--build-tests")

    def test(self, *filters):
        return self.swift("test", "--skip-build", *(part for name in filters for part in ("--filter", name)))


def check(patches):
    failed = [patch.name for patch in patches if patch.apply(ROOT, "--check").returncode != 0]
    for name in failed:
        print(f"mutation: {name} does not apply any more")
    print(f"mutation: {len(patches) - len(failed)} of {len(patches)} patches apply")
    return 1 if failed else 0


def check_baseline(tree, patches):
    """Without a patch everything builds, every named test exists and passes."""
    code, output = tree.build()
    if code:
        sys.exit(f"the tree does not build:\n{output[-4000:]}")
    code, tests = tree.swift("test", "list", "--skip-build")
    killers = sorted({patch.killer for patch in patches})
    missing = [killer for killer in killers if not re.search(rf"^{re.escape(killer)}\(", tests, re.MULTILINE)]
    if code or missing:
        sys.exit(f"no such tests: {missing}\n{tests[-2000:] if code else ''}")
    code, output = tree.test(*killers)
    if code:
        sys.exit(f"tests fail without a patch:\n{output[-4000:]}")


def judge(tree, patch):
    applied = patch.apply(tree.path)
    if applied.returncode:
        return "does not apply", applied.stderr
    try:
        code, output = tree.build()
        if code:
            return "does not compile", output
        code, output = tree.test(patch.killer)
        if code == 0:
            return "SURVIVED", output
        failed = re.search(r"Test run with \d+ tests? .*failed", output) and "recorded an issue" in output
        return ("killed" if failed else "ended otherwise"), output
    finally:
        patch.apply(tree.path, "--reverse")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--folder", type=pathlib.Path)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    patches = [Patch(file) for file in sorted((HERE / "patches").glob("*.patch"))]
    unknown = set(options.names) - {patch.name for patch in patches}
    if unknown:
        sys.exit(f"no such patches: {sorted(unknown)}")
    patches = [patch for patch in patches if not options.names or patch.name in options.names]
    if options.check:
        return check(patches)
    folder = (options.folder or pathlib.Path(tempfile.mkdtemp(prefix="gimbal-mutation-"))).resolve()
    try:
        return run(Tree(folder), patches)
    finally:
        if not options.folder:
            shutil.rmtree(folder)


def run(tree, patches):
    tree.copy()
    check_baseline(tree, patches)
    failures = 0
    for patch in patches:
        start = time.monotonic()
        outcome, output = judge(tree, patch)
        print(f"{outcome:16} {time.monotonic() - start:5.0f} s  {patch.name:28} {patch.killer}", flush=True)
        if outcome != "killed":
            failures += 1
            print(f"    {patch.rule}\n" + "\n".join(f"    | {line}" for line in output.splitlines()[-25:]), flush=True)
    print(f"mutation: {len(patches) - failures} of {len(patches)} wrong rules were killed by the tests that they name")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
