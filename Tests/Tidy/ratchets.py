"""What broke a rule when the rule was made. These lists only ever get shorter: what is new fails, what is mended is to be
taken out of its list, and until then a note says so."""

# Lines over the bound, in files that were written before there was one.
LONG_LINES = {
    "Fuzz/run.sh": 1,
    "Sources/GimbalHTTP/Page/app.js": 6,
    "Sources/GimbalHTTP/Page/dom.js": 5,
    "Sources/GimbalHTTP/Page/editor.js": 9,
    "Sources/GimbalHTTP/Page/json.js": 2,
    "Sources/GimbalHTTP/Page/keydetail.js": 14,
    "Sources/GimbalHTTP/Page/keylist.js": 2,
    "Sources/GimbalHTTP/Page/net.js": 2,
    "Sources/GimbalHTTP/Page/page.css": 31,
    "Sources/GimbalHTTP/Replication/SignedClient.swift": 1,
    "Specs/models/exchange.pml": 2,
    "Specs/models/refill.pml": 2,
    "Specs/models/reissue.pml": 1,
    "Specs/models/rules.pml": 2,
    "Specs/models/wipe.pml": 2,
    "Tests/Browser/browser.py": 4,
    "Tests/Browser/steps_keys.py": 7,
    "Tests/Browser/steps_look.py": 2,
    "Tests/Browser/steps_servers.py": 4,
    "Tests/Clients/check_hostile_pivots.py": 5,
    "Tests/Clients/check_metrics.py": 1,
    "Tests/Clients/check_readers.py": 1,
    "Tests/Clients/member.py": 1,
    "Tests/Interop/makers/merges.py": 1,
    "docs/Examples/demo.sh": 1,
}

# Lines of files that are over the bound.
LONG_FILES = {
    # Half of it moves into the exchange as a value.
    # List, filter and live changes are one class.
    "Sources/GimbalHTTP/Page/keylist.js": 437,
}

# Files that are named for what their types have in common.
FILE_NAMES = {
    # Several types of equal rank.
    "Sources/GimbalClient/ClientOptions.swift",
    "Sources/GimbalHTTP/Lean/LeanMessages.swift",
    "Sources/GimbalHTTP/Metrics/Instruments.swift",
    "Sources/GimbalHTTP/Server/BundleFiles.swift",
    "Sources/GimbalHTTP/Server/Servers.swift",
    "Sources/GimbalReplication/Commit.swift",
    "Sources/GimbalReplication/NodeTypes.swift",
    "Sources/GimbalStore/Clocks.swift",
    # Extensions of others' types for one purpose.
    "Sources/GimbalHTTP/Replication/RequestTarget.swift",
    "Sources/GimbalRocksDB/RocksDBFailure.swift",
    "Sources/GimbalRocksDB/RocksDBStaging.swift",
    "Sources/GimbalRocksDB/SectionLayout.swift",
    "Sources/GimbalStore/Insight/ShownPaths.swift",
    # Named in the plural of its type.
    "Sources/GimbalSigning/Bundle/BundleItems.swift",
    "Sources/GimbalStore/Records/CommitRecords.swift",
    "Sources/GimbalStore/Records/RecordKeys.swift",
    "Sources/GimbalStore/Records/StateRecords.swift",
    # The checks of one part of the contract, as extensions of what lists them.
    "Sources/GimbalStorage/Conformance/CommittingChecks.swift",
    "Sources/GimbalStorage/Conformance/IsolationChecks.swift",
    "Sources/GimbalStorage/Conformance/LifecycleChecks.swift",
    "Sources/GimbalStorage/Conformance/ReadingChecks.swift",
    "Sources/GimbalStorage/Conformance/StagingChecks.swift",
    # Commands of the tool that are about one thing.
    "Sources/gimbal/BundleCommands.swift",
    "Sources/gimbal/ConflictCommands.swift",
    "Sources/gimbal/KeyCommands.swift",
}


def groups_beyond(allowed, found, tree, notes, what):
    """The findings of each file that has more of them than its list allows."""
    if isinstance(allowed, (set, list, tuple)):
        allowed = dict.fromkeys(allowed, 1)
    for file, count in allowed.items():
        actual = len(found.get(file, []))
        if not tree.exists(file):
            notes.append(f"{file} is gone: take it out of Tests/Tidy/ratchets.py")
        elif actual < count:
            advice = f"lower it to {actual}" if actual else "take it out"
            notes.append(f"{file} has {actual} {what}, {count} were allowed: {advice} in Tests/Tidy/ratchets.py")
    return [group for file, group in sorted(found.items()) if len(group) > allowed.get(file, 0)]


def beyond(allowed, found, tree, notes, what):
    return [finding for group in groups_beyond(allowed, found, tree, notes, what) for finding in group]
