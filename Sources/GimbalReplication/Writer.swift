import GimbalCRDT
import GimbalWire

/// What a client, or the pivot itself, wants to be written.
public struct WriteRequest: Sendable {
    public enum Action: Sendable {
        /// The path takes a value, valid JSON text.
        case set(Path, value: [UInt8])
        /// A new member of the collection under this base, with a fresh index.
        case push(base: Path, value: [UInt8])
        /// The value there is merged with this patch, valid JSON text.
        case patch(Path, patch: [UInt8], rule: JSONMerge.Rule = .objects)
        case delete(Path)
        /// Whatever can be seen at these paths goes, in one commit; what is gone already is left out.
        case deleteAll([Path])
        /// One of the space's own records; only the pivot's own code asks for it.
        case record(Path, value: [UInt8])

        /// The path whose state must be loaded; nil for a push, whose path does not exist yet, and where there are many.
        public var path: Path? {
            switch self {
            case .set(let path, _), .patch(let path, _, _), .delete(let path), .record(let path, _): path
            case .push, .deleteAll: nil
            }
        }

        /// All paths whose states must be loaded.
        public var paths: [Path] {
            if case .deleteAll(let paths) = self { paths } else { path.map { [$0] } ?? [] }
        }
    }

    /// Comes back in the answer.
    public var token: UInt64
    public var action: Action

    public init(token: UInt64, action: Action) {
        self.token = token
        self.action = action
    }

    public var path: Path? { action.path }
    public var paths: [Path] { action.paths }
}

/// What became of a write.
public struct Written: Hashable, Sendable {
    public var path: Path
    public var stamp: HybridTimestamp

    public init(path: Path, stamp: HybridTimestamp) {
        self.path = path
        self.stamp = stamp
    }
}

/// Why a write was not taken. Nothing of it was stored.
public enum WriteFailure: String, Error, Hashable, Sendable {
    case notFound = "not-found"
    case badPatch = "bad-patch"
    /// The patch does not fit the value that is there: `JSONMerge` says how.
    case patchMismatch = "patch-mismatch"
    case tooLarge = "too-large"
    /// The path is in no space of this server.
    case outsideSpace = "outside-space"
    /// A pushed key would be longer than a path may be.
    case tooLongPath = "invalid-path"
    /// This server's own grants do not cover the path.
    case forbidden
    /// The server has no copy of the space yet.
    case notReady = "not-ready"
    /// The server holds the space and cannot open it.
    case unavailable = "space-unavailable"
    case storageFull = "storage-full"
    case storageFailed = "storage-failed"
    /// The storage failed while it was storing: it is stored or not.
    case outcomeUnknown = "outcome-unknown"
    case closed
    /// The range of stamps is used up.
    case clockExhausted = "clock-exhausted"
}

/// Gives local writes their dots, stamps and observed dots: what happens between a client's wish and an operation.
struct Writer: Sendable {
    var replica: ReplicaID
    var nextSequence: UInt64
    var clock: HybridClock
    /// Last 8 digits of every pushed index: tells the indexes of two replicas with equal stamps apart.
    let indexSuffix: String

    init(replica: ReplicaID, nextSequence: UInt64, clock: HybridClock, _ primitives: any Primitives) {
        self.replica = replica
        self.nextSequence = nextSequence
        self.clock = clock
        var bytes = replica.author.bytes
        for shift in stride(from: 56, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: replica.incarnation >> UInt64(shift)))
        }
        indexSuffix = String(primitives.hash(bytes).hex.prefix(8))
    }

    /// The operations that a request becomes: one, or several when it observes more dots than one may.
    ///
    /// - Parameters:
    ///   - state: what the request's path holds now, as clients see it.
    ///   - alreadyObserved: dots of other replicas that own pending operations on the path observed; they are observed again,
    ///     so that the operation means the same if one before it is refused.
    mutating func compose(
        _ action: WriteRequest.Action, state: PathState?, alreadyObserved: [Dot] = [], wallMilliseconds: UInt64,
        limits: Limits
    ) throws(WriteFailure) -> [PendingOperation] {
        guard clock.last < .greatest else { throw .clockExhausted }
        switch action {
        case .push(let base, let value):
            guard value.count <= limits.valueBytes else { throw .tooLarge }
            let stamp = clock.tick(wallMilliseconds: wallMilliseconds)
            let index = String(stamp.nanoseconds, radix: 16) + indexSuffix
            guard let path = Path("\(base)/\(index)") else { throw .tooLongPath }
            return [take(stamp, path, .put(value: value, created: .zero), observed: [])]
        case .set(let path, let value):
            guard value.count <= limits.valueBytes else { throw .tooLarge }
            return write(value, at: path, state, alreadyObserved, wallMilliseconds)
        case .record(let path, let value):
            // The space's own limit does not hold for its records: a small one could never be taken back.
            guard value.count <= Limits.hardMaximumValueBytes else { throw .tooLarge }
            return write(value, at: path, state, alreadyObserved, wallMilliseconds)
        case .patch(let path, let patch, let rule):
            guard let document = state?.visible?.value else { throw .notFound }
            // Where its parts are takes many times its bytes.
            guard patch.count <= limits.valueBytes else { throw .tooLarge }
            let merged: [UInt8]
            do throws(JSONMerge.Failure) {
                merged = try JSONMerge.merge(document: document, patch: patch, rule: rule)
            } catch {
                switch error {
                case .notJSON, .notAnObject: throw .badPatch
                case .objectExpected, .noElement, .nothingToMerge: throw .patchMismatch
                }
            }
            guard merged.count <= limits.valueBytes else { throw .tooLarge }
            return write(merged, at: path, state, alreadyObserved, wallMilliseconds)
        case .delete(let path):
            guard state?.visible != nil else { throw .notFound }
            return delete(path, state, alreadyObserved, wallMilliseconds)
        case .deleteAll: preconditionFailure("many paths have many states")
        }
    }

    /// The operations that delete what can be seen at many paths; none is left over where they cannot all be made.
    ///
    /// - Parameter state: what a path holds now, as clients see it, and what own pending operations on it observed.
    mutating func deleteAll(
        _ paths: [Path], wallMilliseconds: UInt64, _ state: (Path) -> (PathState?, alreadyObserved: [Dot])
    ) throws(WriteFailure) -> [PendingOperation] {
        var writer = self
        var operations: [PendingOperation] = []
        operations.reserveCapacity(paths.count)
        for path in paths {
            let (state, alreadyObserved) = state(path)
            guard state?.visible != nil else { continue }
            guard writer.clock.last < .greatest else { throw .clockExhausted }
            operations += writer.delete(path, state, alreadyObserved, wallMilliseconds)
        }
        guard !operations.isEmpty else { throw .notFound }
        self = writer
        return operations
    }

    private mutating func write(
        _ value: [UInt8], at path: Path, _ state: PathState?, _ alreadyObserved: [Dot], _ wall: UInt64
    ) -> [PendingOperation] {
        let created = state?.visible?.created ?? .zero
        if path.isRegister {
            return [take(clock.tick(wallMilliseconds: wall), path, .assign(value: value, created: created), observed: [])]
        }
        return observing(state, alreadyObserved, at: path, wall, last: .put(value: value, created: created))
    }

    private mutating func delete(
        _ path: Path, _ state: PathState?, _ alreadyObserved: [Dot], _ wall: UInt64
    ) -> [PendingOperation] {
        if path.isRegister { return [take(clock.tick(wallMilliseconds: wall), path, .clear, observed: [])] }
        return observing(state, alreadyObserved, at: path, wall, last: .remove)
    }

    /// Spreads what is observed over as many operations as it takes; all but the last only remove.
    private mutating func observing(
        _ state: PathState?, _ alreadyObserved: [Dot], at path: Path, _ wall: UInt64, last: PendingOperation.Action
    ) -> [PendingOperation] {
        let live = (state?.writes ?? []).map(\.dot).filter { $0.replica != replica }
        var observed = Set(live).union(alreadyObserved).sorted()[...]
        var operations: [PendingOperation] = []
        while observed.count > Limits.observedDotsPerOperation {
            let part = Array(observed.prefix(Limits.observedDotsPerOperation))
            observed = observed.dropFirst(part.count)
            operations.append(take(clock.tick(wallMilliseconds: wall), path, .remove, observed: part))
        }
        operations.append(take(clock.tick(wallMilliseconds: wall), path, last, observed: Array(observed)))
        return operations
    }

    private mutating func take(
        _ stamp: HybridTimestamp, _ path: Path, _ action: PendingOperation.Action, observed: [Dot]
    ) -> PendingOperation {
        defer { nextSequence += 1 }
        return PendingOperation(sequence: nextSequence, stamp: stamp, path: path, action: action, observed: observed)
    }
}
