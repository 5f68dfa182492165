import GimbalCRDT
import GimbalReplication
import GimbalWire

/// A commit that was told to fail.
struct CommitFailure: Error {}

/// A node's disk as its stepper uses it.
struct NodeDrive: MachineDisk {
    typealias Machine = NodeCore

    var disk: NodeServer.Disk
    var failsNextCommit = false

    func facts(for needs: NodeNeeds) throws(CommitFailure) -> NodeFacts { NodeFacts(for: needs, from: disk) }

    mutating func store(_ commit: NodeCommit, of core: NodeCore) throws(CommitFailure) {
        if failsNextCommit {
            failsNextCommit = false
            throw CommitFailure()
        }
        disk.apply(commit)
    }

    func load(after core: NodeCore) throws(CommitFailure) -> NodeCore {
        core.reloaded(base: disk.base.base, record: disk.record, chain: disk.chain)
    }
}

extension NodeServer.Disk: NodeRecords {
    var chain: [SealedLink] { sealed.values.map(\.link).sorted { $0.firstSequence < $1.firstSequence } }

    /// Nothing here is staged: a snapshot's states are those of the base.
    public func states(of paths: [Path], inStagedSnapshot: Bool) -> [PathState?] { paths.map { base.states[$0] } }
    public func overlays(of paths: [Path]) -> [Overlay?] { paths.map { overlays[$0] } }
    public func overlaidPaths() -> [Path] { Array(overlays.keys) }
    public func pending(_ sequences: [UInt64]) -> [PendingOperation?] { sequences.map { pending[$0] } }

    public func pending(from first: UInt64, byteLimit: Int) -> [PendingOperation] {
        pending.values.filter { $0.sequence >= first }.sorted { $0.sequence < $1.sequence }
    }

    public func sealedDelta(_ link: SealedLink) -> IncomingDelta? {
        sealed[link.firstSequence].flatMap { $0.link == link ? IncomingDelta($0.delta) : nil }
    }

    mutating func apply(_ commit: NodeCommit) {
        if let base = commit.base { self.base.apply(base) }
        for sequence in commit.removedPending { pending[sequence] = nil }
        for operation in commit.addedPending { pending[operation.sequence] = operation }
        for first in commit.removedSealed { sealed[first] = nil }
        for sealed in commit.addedSealed { self.sealed[sealed.link.firstSequence] = sealed }
        for (path, overlay) in commit.overlays { overlays[path] = overlay }
        deadLetters += commit.deadLetters
        record = commit.record
    }
}
