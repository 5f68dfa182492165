import GimbalCRDT
import GimbalWire

/// An operation that was written here and is not in the log yet, or not known to be. It names dots in full, because the
/// table that a delta abbreviates them with exists only once the delta is sealed.
public struct PendingOperation: Hashable, Sendable {
    public enum Action: Hashable, Sendable {
        case assign(value: [UInt8], created: HybridTimestamp)
        case clear
        case put(value: [UInt8], created: HybridTimestamp)
        case remove
    }

    public var sequence: UInt64
    public var stamp: HybridTimestamp
    public var path: Path
    public var action: Action
    /// Dots of other replicas, rising.
    public var observed: [Dot]

    public init(sequence: UInt64, stamp: HybridTimestamp, path: Path, action: Action, observed: [Dot] = []) {
        self.sequence = sequence
        self.stamp = stamp
        self.path = path
        self.action = action
        self.observed = observed
    }

    /// What it does in an overlay: there is no cap yet, so the order is provisional.
    func provisionalEffect(of replica: ReplicaID) -> Effect {
        let dot = Dot(replica: replica, sequence: sequence)
        func write(_ value: [UInt8]?, _ created: HybridTimestamp) -> Write {
            Write(
                dot: dot, stamp: stamp, created: created == .zero ? stamp : min(created, stamp), operationHash: .zero,
                value: value)
        }
        switch action {
        case .assign(let value, let created): return .write(write(value, created))
        case .clear: return .write(write(nil, .zero))
        case .put(let value, let created): return .put(write(value, created), observed: observed)
        case .remove: return .remove(dot, observed: observed)
        }
    }

    /// The bytes it has in a delta with this header; nil when the header's table does not name what it observes.
    func operation(in header: DeltaHeader) -> Operation? {
        guard stamp >= header.stamp else { return nil }
        var pairs: [Operation.Observed] = []
        for dot in observed {
            guard let index = header.observed.firstIndex(where: { $0.replica == dot.replica }) else { return nil }
            pairs.append(.init(replicaIndex: index, sequence: dot.sequence))
        }
        pairs.sort()
        let encodedAction: Operation.Action
        switch action {
        case .assign(let value, let created): encodedAction = .assign(value: value, created: created)
        case .clear: encodedAction = .clear
        case .put(let value, let created): encodedAction = .put(value: value, created: created, observed: pairs)
        case .remove: encodedAction = .remove(observed: pairs)
        }
        return Operation(stampOffset: stamp.rawValue - header.stamp.rawValue, path: path, action: encodedAction)
    }

    /// About what it takes in a delta.
    var approximateBytes: Int {
        let value: Int
        switch action {
        case .assign(let bytes, _), .put(let bytes, _): value = bytes.count
        case .clear, .remove: value = 0
        }
        return value + path.bytes.count + observed.count * 12 + 40
    }
}

/// Turns pending operations into sealed deltas of one replica's chain.
enum Sealing {
    /// Bytes of operations after which the next delta begins; stays under `Limits.deltaBytes` with the header.
    static let targetBytes = 4 << 20

    /// How many of the operations, from the first, go into one delta: at most 4,096, and no more than the target's bytes
    /// unless one alone is larger.
    static func prefixLength(of operations: ArraySlice<PendingOperation>, targetBytes: Int = targetBytes) -> Int {
        var bytes = 0
        var replicas: Set<ReplicaID> = []
        for (offset, operation) in operations.enumerated() {
            bytes += operation.approximateBytes
            for dot in operation.observed { replicas.insert(dot.replica) }
            let isFull =
                offset >= Limits.hardMaximumOperationsPerDelta || bytes > targetBytes
                || replicas.count > Limits.observedReplicasPerDelta
            if isFull, offset > 0 { return offset }
        }
        return operations.count
    }

    /// Seals consecutive operations, all of them, into one delta after `head`.
    static func seal(
        _ operations: ArraySlice<PendingOperation>, of replica: ReplicaID, in space: SpaceID, after previous: Digest,
        with signer: any Signer, _ primitives: any Primitives
    ) -> IncomingDelta {
        guard let first = operations.first else { preconditionFailure("a delta has an operation at least") }
        var greatest: [ReplicaID: UInt64] = [:]
        for operation in operations {
            for dot in operation.observed { greatest[dot.replica] = max(greatest[dot.replica] ?? 0, dot.sequence) }
        }
        let header = DeltaHeader(
            space: space, replica: replica, firstSequence: first.sequence, count: operations.count, stamp: first.stamp,
            previous: previous,
            observed: greatest.sorted { $0.key < $1.key }.map { .init(replica: $0.key, greatestSequence: $0.value) },
            root: .zero)
        let wire = operations.map { operation -> Operation in
            guard let wire = operation.operation(in: header) else {
                preconditionFailure("the table was made of what the operations observe")
            }
            return wire
        }
        let verified = VerifiedDelta(sealing: wire.map(\.encoded), header: header, with: signer, primitives)
        return IncomingDelta(sealedHere: verified, operations: wire)
    }
}
