import GimbalCRDT
import GimbalReplication
import GimbalSigning
import GimbalStorage
import GimbalWire

/// Why a path shows what it shows: the writes that stand there, who made them and when, and what they superseded.
public struct Explanation: Sendable {
    /// One operation on the path.
    public struct Event: Sendable {
        public enum Kind: String, Sendable {
            case assign, clear, put, remove
        }

        public var kind: Kind
        public var dot: Dot
        /// The writer's stamp; nil where the log does not show the operation.
        public var stamp: HybridTimestamp?
        /// What it counts as: the smaller of the stamp and the cap.
        public var effectiveStamp: HybridTimestamp
        /// Its place in the log; nil while it waits in this node's outbox.
        public var position: UInt64?
        /// The pivot's time when it took the operation, in milliseconds.
        public var acceptedMilliseconds: UInt64?
        /// JSON text; nil for a deletion.
        public var value: [UInt8]?
        /// What put an end to it; nil while it stands.
        public var supersededBy: Dot?

        /// How far the writer's clock was ahead of the pivot's when the operation arrived, in milliseconds; below 0 for one that
        /// was under way, or written offline.
        public var skewMilliseconds: Int64? {
            guard let stamp, let acceptedMilliseconds else { return nil }
            return Int64(stamp.milliseconds) - Int64(acceptedMilliseconds)
        }
    }

    public var path: Path
    /// What clients see there, pending writes included.
    public var state: PathState?
    /// What stands, the greatest first: what reads answer, then its siblings.
    public var standing: [Event]
    /// What was superseded, newest place first.
    public var superseded: [Event]
    /// The log was searched from here on.
    public var searchedFrom: UInt64

    /// Why the first of `standing` is what reads answer.
    public enum Reason: String, Sendable {
        case nothingThere = "nothing-there"
        case onlyOne = "only-write"
        case greaterStamp = "greater-stamp"
        case greaterReplica = "equal-stamps-greater-replica"
        case greaterSequence = "equal-stamps-greater-sequence"
    }

    public var reason: Reason {
        guard let first = standing.first else { return .nothingThere }
        guard let second = standing.dropFirst().first ?? lateLoser(to: first) else { return .onlyOne }
        if first.effectiveStamp != second.effectiveStamp { return .greaterStamp }
        return first.dot.replica == second.dot.replica ? .greaterSequence : .greaterReplica
    }

    /// A register's greatest loser.
    private func lateLoser(to first: Event) -> Event? {
        guard first.kind == .assign || first.kind == .clear else { return nil }
        return superseded.max { ($0.effectiveStamp, $0.dot) < ($1.effectiveStamp, $1.dot) }
    }
}

/// Finds out why paths show what they show.
struct Explainer: Sendable {
    let engine: any StorageEngine
    private let primitives = SodiumPrimitives()

    /// - Parameters:
    ///   - state: what clients see there, pending writes included.
    ///   - depth: how many of the log's last entries are searched for what does not stand any more.
    func explain(_ path: Path, _ state: PathState?, depth: UInt64) throws(StoreError) -> Explanation {
        let view = try storing { () throws(StorageError) in try engine.view() }
        let loader = SpaceLoader(view: view)
        let (end, begin) = try range(loader, depth)
        var replay = Replay()
        for position in try positions(of: state, below: begin, loader) {
            let stored = try storing { () throws(StorageError) in try view.load([RecordKey.number(position)], from: .log)[0] }
            guard let stored else { continue }
            try decoding("log entry \(position)") { () throws(WireError) in
                try replay.take(LogEntry(decoding: stored), at: position, path, primitives)
            }
        }
        if begin <= end {
            try loader.scan(from: RecordKey.number(begin), until: RecordKey.number(end + 1), in: .log, "log") {
                key, value throws(WireError) in
                try replay.take(LogEntry(decoding: value), at: RecordKey.number(from: key), path, primitives)
                return true
            }
        }
        let log = LogReader(engine: engine)
        for index in replay.events.indices {
            guard let position = replay.events[index].position else { continue }
            replay.events[index].acceptedMilliseconds = try log.firstCheckpoint(after: position - 1, loader)?.pivotMilliseconds
        }
        return explanation(path, state, replay, from: begin)
    }

    /// Where the log has what stands, by its writers' chains, in its order.
    private func positions(
        of state: PathState?, below begin: UInt64, _ loader: SpaceLoader
    ) throws(StoreError) -> [UInt64] {
        var positions: Set<UInt64> = []
        for write in state?.writes ?? [] {
            let first = RecordKey.link(write.dot.replica, lastSequence: write.dot.sequence)
            let end = RecordKey.end(of: RecordKey.replica(write.dot.replica))
            try loader.scan(from: first, until: end, in: .chain, "chain") { _, value throws(WireError) in
                let link = try CommitRecord.decodeLink(value)
                if link.firstSequence <= write.dot.sequence, link.position < begin { positions.insert(link.position) }
                return false
            }
        }
        return positions.sorted()
    }

    private func range(_ loader: SpaceLoader, _ depth: UInt64) throws(StoreError) -> (end: UInt64, begin: UInt64) {
        let upper = RecordKey.number(.max)
        let found = try storing { () throws(StorageError) in try loader.view.last(.log, below: upper) }
        guard let last = found.map({ RecordKey.number(from: $0.key) }) else { return (0, 1) }
        return (last, last > depth ? last - depth + 1 : 1)
    }

    private func explanation(_ path: Path, _ state: PathState?, _ replay: Replay, from begin: UInt64) -> Explanation {
        let standing = (state?.writes ?? []).sorted { $1.precedes($0) }
        let known = Dictionary(replay.events.map { ($0.dot, $0) }, uniquingKeysWith: { $1 })
        let events = standing.map { write -> Explanation.Event in
            var event =
                known[write.dot]
                ?? Explanation.Event(
                    kind: path.isRegister ? (write.value == nil ? .clear : .assign) : .put, dot: write.dot, stamp: nil,
                    effectiveStamp: write.stamp, value: write.value)
            event.supersededBy = nil
            return event
        }
        let dots = Set(standing.map(\.dot))
        return Explanation(
            path: path, state: state, standing: events,
            superseded: replay.events.filter { !dots.contains($0.dot) && $0.kind != .remove }.reversed(),
            searchedFrom: begin)
    }

    /// The operations on one path in the order of the log.
    private struct Replay {
        var events: [Explanation.Event] = []
        private var state: PathState?

        init() {}

        mutating func take(
            _ entry: LogEntry, at position: UInt64, _ path: Path, _ primitives: any Primitives
        ) throws(WireError) {
            guard case .delta(let sealed) = entry.body else { return }
            let places = try sealed.shownPaths { $0.elementsEqual(path.bytes) }
            guard !places.isEmpty else { return }
            let delta = IncomingDelta(try sealed.verified(primitives))
            for (index, _) in places {
                guard let operation = delta.operations[index], let (_, effect) = delta.effect(index, cap: entry.cap) else {
                    continue
                }
                let stamp = HybridTimestamp(rawValue: delta.header.stamp.rawValue + operation.stampOffset)
                record(operation, effect, stamp: stamp, capped: min(stamp, entry.cap), at: position)
            }
        }

        private mutating func record(
            _ operation: Operation, _ effect: Effect, stamp: HybridTimestamp, capped: HybridTimestamp, at position: UInt64
        ) {
            let before = Set((state?.writes ?? []).map(\.dot))
            state = PathState.applying(effect, to: state)
            let after = state?.writes ?? []
            for index in events.indices where before.contains(events[index].dot) {
                if !after.contains(where: { $0.dot == events[index].dot }) { events[index].supersededBy = effect.dot }
            }
            var event = Explanation.Event(
                kind: Explanation.Event.Kind(operation.action), dot: effect.dot, stamp: stamp, effectiveStamp: capped,
                position: position, value: operation.value)
            // A register's write that came too late never stood.
            if case .write = effect, let standing = after.first, standing.dot != effect.dot { event.supersededBy = standing.dot }
            events.append(event)
        }
    }
}

extension Explanation.Event.Kind {
    init(_ action: Operation.Action) {
        self =
            switch action {
            case .assign: .assign
            case .clear: .clear
            case .put: .put
            case .remove: .remove
            }
    }
}
