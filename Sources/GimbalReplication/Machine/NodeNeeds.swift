import GimbalCRDT
import GimbalWire

/// What a node's step has to be given. `NodeFacts` says how what is named leads to more.
public struct NodeNeeds: Sendable {
    /// Which part of the outbox a step takes as a list.
    public enum Outbox: Hashable, Sendable {
        case none
        /// The operations from this sequence on, until about `Limits.hardMaximumDeltaBytes` of them are read.
        case unsealed(from: UInt64)
        case everything
    }

    /// Paths whose states, in the base and in the overlay, are needed.
    public var paths: Set<Path> = []
    /// The node's own operations by sequence, where they still wait.
    public var sequences: Set<UInt64> = []
    /// The node's own sealed deltas that receipts name.
    public var ownDeltas: [SealedLink] = []
    public var outbox = Outbox.none
    /// Whether the paths of `outbox` are needed too.
    public var includesOutboxPaths = false
    /// Whether every path that has an overlay is needed too.
    public var includesOverlaidPaths = false
    /// Whether the operations that the overlays replay are needed too.
    public var includesReplayedOperations = false
    /// Whether states are those of the staged snapshot.
    public var isOfStagedSnapshot = false

    public init() {}
}

/// What a node's step was given.
public struct NodeFacts: Sendable {
    public var states: NodeWorkingSet
    /// By header hash, as they were sealed.
    public var ownDeltas: [Digest: IncomingDelta]
    /// In the order of sequences.
    public var outbox: [PendingOperation]

    public init(
        states: NodeWorkingSet = NodeWorkingSet(), ownDeltas: [Digest: IncomingDelta] = [:], outbox: [PendingOperation] = []
    ) {
        self.states = states
        self.ownDeltas = ownDeltas
        self.outbox = outbox
    }
}

/// A node's disk as its facts are read from it.
public protocol NodeRecords {
    associatedtype Failure: Error

    /// States of the base, or of the staged snapshot, in the order of the paths.
    func states(of paths: [Path], inStagedSnapshot: Bool) throws(Failure) -> [PathState?]
    func overlays(of paths: [Path]) throws(Failure) -> [Overlay?]
    func overlaidPaths() throws(Failure) -> [Path]
    /// Operations of the outbox, in the order of the sequences; nil for one that does not wait any more.
    func pending(_ sequences: [UInt64]) throws(Failure) -> [PendingOperation?]
    /// Operations of the outbox in their order, until about so many bytes are read.
    func pending(from first: UInt64, byteLimit: Int) throws(Failure) -> [PendingOperation]
    /// Nil when it is not in the outbox.
    func sealedDelta(_ link: SealedLink) throws(Failure) -> IncomingDelta?
}

extension NodeFacts {
    /// Reads what is needed, and what that leads to: an own delta's paths and operations, and the paths of operations that are
    /// named.
    public init<Records: NodeRecords>(for needs: NodeNeeds, from records: Records) throws(Records.Failure) {
        self.init()
        var paths = needs.paths
        var sequences = needs.sequences
        for link in needs.ownDeltas {
            guard let delta = try records.sealedDelta(link) else { continue }
            ownDeltas[link.headerHash] = delta
            paths.formUnion(delta.paths)
            sequences.formUnion(link.firstSequence...link.lastSequence)
        }
        switch needs.outbox {
        case .none: break
        case .unsealed(let first):
            outbox = try records.pending(from: first, byteLimit: Limits.hardMaximumDeltaBytes)
        case .everything: outbox = try records.pending(from: 0, byteLimit: .max)
        }
        if needs.includesOutboxPaths { paths.formUnion(outbox.map(\.path)) }
        if needs.includesOverlaidPaths { paths.formUnion(try records.overlaidPaths()) }
        var pending: [UInt64: PendingOperation] = [:]
        try Self.read(sequences, into: &pending, from: records)
        paths.formUnion(pending.values.map(\.path))

        let ordered = paths.sorted()
        let bases = try records.states(of: ordered, inStagedSnapshot: needs.isOfStagedSnapshot)
        let overlays = try records.overlays(of: ordered)
        if needs.includesReplayedOperations {
            let replayed = Set(overlays.flatMap { $0?.pending ?? [] }).subtracting(sequences)
            try Self.read(replayed, into: &pending, from: records)
        }
        states = NodeWorkingSet(
            states: Dictionary(uniqueKeysWithValues: zip(ordered, bases)),
            overlays: Dictionary(uniqueKeysWithValues: zip(ordered, overlays)), pending: pending)
    }

    private static func read<Records: NodeRecords>(
        _ sequences: Set<UInt64>, into pending: inout [UInt64: PendingOperation], from records: Records
    ) throws(Records.Failure) {
        guard !sequences.isEmpty else { return }
        let ordered = sequences.sorted()
        for (sequence, operation) in zip(ordered, try records.pending(ordered)) { pending[sequence] = operation }
    }
}

extension NodeCore {
    public func needs(of inputs: [NodeInput]) -> NodeNeeds {
        var needs = NodeNeeds()
        for input in inputs {
            switch input {
            case .write(let request):
                if let path = request.path { needs.paths.insert(path) } else { needs.paths.formUnion(request.paths) }
            case .page(let page): need(page, &needs)
            case .seal: needs.outbox = .unsealed(from: sealedThrough + 1)
            case .reissue:
                needs.outbox = .everything
                needs.includesOutboxPaths = true
            case .sealOutbox:
                needs.outbox = .everything
                needs.includesOutboxPaths = isSpoiled
            case .snapshot:
                needs.outbox = .everything
                needs.includesOutboxPaths = true
                needs.includesOverlaidPaths = true
                needs.isOfStagedSnapshot = true
            case .joined, .pushAnswered, .pushFailed, .pushInterrupted, .pushBlocked, .retryPush, .investigate: break
            }
        }
        return needs
    }

    private func need(_ page: NodePage, _ needs: inout NodeNeeds) {
        needs.includesReplayedOperations = true
        for entry in page.entries {
            switch entry.body {
            case .delta(let delta):
                needs.paths.formUnion(delta.paths)
                if delta.header.replica == replica {
                    needs.sequences.formUnion(delta.header.firstSequence...delta.header.lastSequence)
                }
            case .receipt(let headerHash):
                if let link = chain.first(where: { $0.headerHash == headerHash }) { needs.ownDeltas.append(link) }
            case .join: break
            }
        }
    }
}

extension NodeCore: Machine {}
