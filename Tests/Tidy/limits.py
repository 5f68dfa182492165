"""Numbers that documents state, held against the code that they are about."""

import re

from tree import Finding, declared, line_of

MIB, KIB = 1 << 20, 1 << 10

# (document, its sentence with the number in a group, unit, type and constant in the code)
LIMITS = [
    ("docs/wire-format.md", r"\| value \| ([\d,]+) MiB", MIB, "Limits.hardMaximumValueBytes"),
    ("docs/wire-format.md", r"\| value \| [\d,]+ MiB \(([\d,]+) MiB by default", MIB, "Limits.valueBytes"),
    ("docs/wire-format.md", r"\| operations in a delta,[^|]*\| ([\d,]+) each", 1, "Limits.hardMaximumOperationsPerDelta"),
    ("docs/wire-format.md", r"observed dots of an operation,[^|]*\| ([\d,]+) each", 1, "Limits.observedDotsPerOperation"),
    ("docs/wire-format.md", r"observed replicas of a delta \| ([\d,]+) each", 1, "Limits.observedReplicasPerDelta"),
    ("docs/wire-format.md", r"\| delta \| ([\d,]+) MiB", MIB, "Limits.hardMaximumDeltaBytes"),
    ("docs/wire-format.md", r"\| push \| ([\d,]+) MiB", MIB, "PushRequest.hardMaximumBytes"),
    ("docs/wire-format.md", r"\| push \| [\d,]+ MiB, ([\d,]+) deltas", 1, "PushRequest.hardMaximumDeltas"),
    ("docs/wire-format.md", r"\| page \| ([\d,]+) MiB", MIB, "Page.hardMaximumBytes"),
    ("docs/wire-format.md", r"\| page \| [\d,]+ MiB, ([\d,]+) entries", 1, "Page.hardMaximumEntries"),
    ("docs/wire-format.md", r"\| item of a bundle \| ([\d,]+) MiB", MIB, "BundleItem.hardMaximumBytes"),
    ("docs/wire-format.md", r"; ([\d,]+) certificates", 1, "BundleItem.mostInHead"),
    ("docs/wire-format.md", r"([\d,]+) hashes of a path", 1, "BundleItem.longestPath"),
    ("docs/wire-format.md", r"CBOR nesting of an operation / JSON nesting \| (\d+)", 1, "Limits.cborNesting"),
    ("docs/wire-format.md", r"CBOR nesting of an operation / JSON nesting \| \d+ / (\d+)", 1, "Limits.jsonNesting"),
    ("docs/wire-format.md", r"text for people / reason \| ([\d,]+)", 1, "Limits.textBytes"),
    ("docs/wire-format.md", r"text for people / reason \| [\d,]+ / (\d+) bytes", 1, "Limits.reasonBytes"),
    ("docs/wire-format.md", r"of whole items, about ([\d,]+) MiB each", MIB, "SnapshotItem.frameBytes"),
    ("docs/wire-format.md", r"\*\*Path\*\*: 1–([\d,]+) bytes", 1, "Path.maximumBytes"),
    ("docs/http-api.md", r"A path is 1–([\d,]+) bytes", 1, "Path.maximumBytes"),
    ("docs/glossary.md", r"1–([\d,]+) bytes of segments", 1, "Path.maximumBytes"),
    ("docs/http-api.md", r"in any order within ([\d,]+)\.", 1, "ChallengeBook.windowSize"),
    ("docs/http-api.md", r"the last ([\d,]+) of a topic", 1, "MessageHistory.countLimit"),
    ("docs/http-api.md", r"of a topic, at most\s+([\d,]+) MiB", MIB, "MessageHistory.byteLimit"),
    ("docs/http-api.md", r"the last N entries of the log \(([\d,]+)\)", 1, "InsightRoutes.defaultDepth"),
    ("docs/http-api.md", r"a challenge of ([\d,]+) bytes", 1, "RequestSignature.challengeByteCount"),
    ("docs/storage-engines.md", r"a cache of ([\d,]+) MB", MIB, "RocksDBOptions.cacheBytes"),
    ("docs/storage-engines.md", r"write buffers of ([\d,]+) MB", MIB, "RocksDBOptions.writeBufferBytes"),
    ("docs/storage-engines.md", r"([\d,]+) open files", 1, "RocksDBOptions.openFileLimit"),
    ("docs/operations.md", r"`logKeptEntries` \| ([\d,]+)", 1, "RetentionOptions.keptEntries"),
    ("docs/operations.md", r"`logMostEntries` \| ([\d,]+)", 1, "RetentionOptions.mostEntries"),
    ("docs/operations.md", r"`logMostMegabytes` \| ([\d,]+)", MIB, "RetentionOptions.mostBytes"),
    ("docs/operations.md", r"`liveNodeSeconds` \| ([\d,]+)", 1000, "RetentionOptions.liveMilliseconds"),
    ("docs/operations.md", r"`snapshotKeptSeconds` \| ([\d,]+)", 1000, "RetentionOptions.snapshotMilliseconds"),
    ("docs/operations.md", r"`retentionIntervalMilliseconds` \| ([\d,]+)", 1, "RetentionOptions.intervalMilliseconds"),
    ("docs/operations.md", r"`snapshotChunkKilobytes` \| ([\d,]+)", KIB, "SpaceOptions.stagedChunkBytes"),
    ("docs/architecture.md", r"the pivot's time \+ ([\d,]+) s\)", 1000, "SpaceSettings.maxClockAheadMilliseconds"),
]


def stated_limits(tree, notes):
    """A limit that a document names is the one in the code."""
    findings = []
    for file, sentence, unit, constant in LIMITS:
        if file not in tree.known:
            findings.append(Finding(file, 1, "is gone: Tests/Tidy/limits.py reads limits in it"))
            continue
        text = tree.text(file)
        found = next((match for match in re.finditer(sentence, text) if match[1]), None)
        if not found:
            findings.append(Finding(file, 1, f"no longer states {constant} as Tests/Tidy/limits.py reads it: {sentence}"))
            continue
        value = value_of(tree, constant)
        stated = int(found[1].replace(",", "")) * unit
        if value is None:
            findings.append(Finding(file, line_of(text, found.start(1)), f"the code has no {constant} with a number any more"))
        elif stated != value:
            findings.append(Finding(file, line_of(text, found.start(1)), f"says {stated} for {constant}, which is {value}"))
    return findings


def value_of(tree, constant):
    kind, name = constant.split(".")
    for file in tree.swift("Sources"):
        if name not in tree.text(file):
            continue
        code = tree.code(file)
        if kind not in declared(code) and not re.search(rf"\bextension\s+{kind}\b", code):
            continue
        found = re.search(rf"\b(?:let|var)\s+{name}(?:\s*:\s*\w+)?\s*=\s*([\d_\s*<]+)$", code, re.MULTILINE)
        if found:
            return number(found[1])
    return None


def number(expression):
    """Of numbers, `<<` and `*` alone."""
    product = 1
    for factor in expression.replace("_", "").split("*"):
        value, *shifts = (int(part) for part in factor.split("<<"))
        product *= value << sum(shifts)
    return product
