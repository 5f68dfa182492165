import GimbalCRDT
import GimbalReplication
import GimbalWire

/// The naive model of a log: all its operations, and what a path holds after them by definition.
struct LogModel {
    struct Operation {
        var path: Path
        var effect: Effect
        /// As it was signed.
        var stamp: HybridTimestamp
        var author: AuthorID
    }

    private(set) var accepted: [Operation] = []
    private(set) var refused: [Dot: String] = [:]
    private(set) var heads: [ReplicaID: Head] = [:]

    init(_ log: some Sequence<(entry: LogEntry, delta: IncomingDelta)>) {
        for (entry, delta) in log {
            for index in 0..<delta.header.count {
                guard let (path, effect) = delta.effect(index, cap: entry.cap), let operation = delta.operations[index] else {
                    continue
                }
                let stamp = HybridTimestamp(rawValue: delta.header.stamp.rawValue + operation.stampOffset)
                accepted.append(Operation(path: path, effect: effect, stamp: stamp, author: delta.header.replica.author))
                for dot in effect.observed { refused[dot] = nil }
            }
            for refusal in entry.refusals { refused[delta.header.dot(at: refusal.index)] = refusal.reason }
            heads[delta.header.replica] = Head(
                sequence: delta.header.lastSequence, headerHash: delta.verified.headerHash)
        }
    }

    var state: SpaceState {
        var paths: [Path: PathState] = [:]
        for (path, operations) in Dictionary(grouping: accepted, by: \.path) {
            paths[path] = path.isRegister ? Self.register(operations) : Self.member(operations)
        }
        return SpaceState(versionVector: VersionVector(heads: heads), paths: paths, refused: refused)
    }

    /// The maximum of all writes.
    private static func register(_ operations: [Operation]) -> PathState? {
        var greatest: Write?
        for case .write(let write) in operations.map(\.effect) {
            if let other = greatest, (write.stamp, write.dot) < (other.stamp, other.dot) { continue }
            greatest = write
        }
        return greatest.map { .register(Register($0)) }
    }

    /// The puts that no operation on the path observed, named or, by the same replica, unnamed.
    private static func member(_ operations: [Operation]) -> PathState? {
        var live: [Write] = []
        for case .put(let write, _) in operations.map(\.effect) {
            let isObserved = operations.contains { operation in
                let other = operation.effect.dot
                return operation.effect.observed.contains(write.dot)
                    || (other.replica == write.dot.replica && other.sequence > write.dot.sequence)
            }
            if !isObserved { live.append(write) }
        }
        return live.isEmpty ? nil : .member(Member(live: live))
    }
}
