import Dispatch
import Foundation
import GimbalCRDT
import GimbalStore
import Logging
import NIOCore
import NIOWebSocket

/// The hub's state: which topics there are, who listens to them, and which of them a path concerns. Used by the hub's
/// thread alone.
struct Switchboard {
    /// A list that has to be read before its topic can begin, or begin anew.
    struct Load {
        var name: TopicName
        var generation: UInt64
    }

    private struct Line {
        /// Nil while the first read is under way.
        var topic: Topic?
        var generation: UInt64
        /// Changed since the read began.
        var missed: Set<Path> = []
        var isLoading = true
        /// Vanished from a list that is being deleted, and not told yet.
        var withheld: Set<Path> = []
        var audience = Audience()
        /// Those who wait for the first read, with the version that they know.
        var waiting: [(Subscription, since: UInt64?)] = []
        /// When the last one left.
        var emptySince: DispatchTime?

        /// Takes note of what is not told yet, and of what came again before it was.
        mutating func withhold(_ vanished: Set<Path>, _ present: [(path: Path, entry: VisibleEntry?)]) {
            if !withheld.isEmpty { for (path, _) in present { withheld.remove(path) } }
            // With more names than one message takes there is nothing to be named any more.
            guard withheld.count <= Topic.nameLimit || topic?.name.isOfNames == false else { return }
            withheld.formUnion(vanished)
        }

        /// The subscriber's first messages, and its place among those who get the next ones.
        mutating func add(_ subscription: Subscription, _ since: UInt64?) {
            emptySince = nil
            guard let missed = since.flatMap({ topic?.missed(since: $0) }) ?? (topic?.snapshot()).map({ [$0] }) else {
                waiting.append((subscription, since))
                return
            }
            subscription.loop.execute { for frame in missed { subscription.subscriber.value.offer(frame) } }
            audience.add(subscription)
        }
    }

    private let host: SpaceHost
    private let logger: Logger
    private var lines: [TopicName: Line] = [:]
    /// Patterns of one collection by what their members begin with, so that a path finds them at once.
    private var collections: [[UInt8]: TopicName] = [:]
    private var patterns: [(pattern: Pattern, name: TopicName)] = []
    /// Lists that are being deleted.
    private var holds: [UInt64: Pattern] = [:]
    private var lastVersion: UInt64 = 0
    private var generation: UInt64 = 0
    private var loads: [Load] = []
    private var isSweepPlanned = false

    /// A topic without listeners is kept this long, so that a client that reconnects gets just what it missed.
    static let lingerSeconds = 60.0
    /// Versions of two servers never mean the same: their last bits are this process's own.
    private static let salt = UInt64.random(in: 0..<(1 << saltBits))
    private static let saltBits: UInt64 = 12

    init(host: SpaceHost, logger: Logger) {
        self.host = host
        self.logger = logger
    }

    var connectionCounts: [(name: String, connections: Int)] {
        lines.map { ($0.key.description, $0.value.audience.count + $0.value.waiting.count) }.sorted { $0.0 < $1.0 }
    }

    var isIdle: Bool { lines.isEmpty }

    /// True once after something became empty: a sweep has to follow when it has lingered.
    var needsSweep: Bool {
        mutating get {
            guard !isSweepPlanned, lines.values.contains(where: { $0.emptySince != nil }) else { return false }
            isSweepPlanned = true
            return true
        }
    }

    /// Takes everything that is waiting; returns the reads that have to be made.
    mutating func process(_ inputs: ArraySlice<SubscriptionHub.Input>) -> [Load] {
        var changed: Set<Path> = []
        for input in inputs {
            switch input {
            case .changed(let paths): changed.formUnion(paths)
            // It came before the changes that it is about, which are told together with those before it.
            case .hold(let id, let pattern): holds[id] = pattern
            default: break
            }
        }
        if !changed.isEmpty { tell(changed) }
        for input in inputs {
            switch input {
            case .changed, .hold: break
            case .release(let id): release(id)
            case .spacesReplaced: for name in lines.keys { beginLoading(name) }
            case .subscribe(let subscription, let name, let since): subscribe(subscription, name, since)
            case .unsubscribe(let id, let name): unsubscribe(id, name)
            case .refresh(let id, let name): refresh(id, name)
            case .loaded(let name, let generation, let result): finishLoading(name, generation, result)
            case .sweep: sweep()
            }
        }
        defer { loads = [] }
        return loads
    }

    // MARK: Changes

    private mutating func tell(_ changed: Set<Path>) {
        var concerned: [TopicName: [Path]] = [:]
        for path in changed.sorted() {
            let key = TopicName.key(path)
            if lines[key] != nil { concerned[key] = [path] }
            let bytes = path.bytes
            let prefix = bytes.lastIndex(of: UInt8(ascii: "/")).map { Array(bytes[...$0]) } ?? []
            if let name = collections[prefix] { concerned[name, default: []].append(path) }
            for (pattern, name) in patterns where pattern.matches(path) { concerned[name, default: []].append(path) }
        }
        var entries: [Path: VisibleEntry?] = [:]
        for (name, paths) in concerned {
            if lines[name]?.isLoading == true {
                lines[name]?.missed.formUnion(paths)
            } else {
                update(name, paths, &entries)
            }
        }
    }

    /// - Parameter entries: what was read already.
    private mutating func update(_ name: TopicName, _ paths: [Path], _ entries: inout [Path: VisibleEntry?]) {
        do throws(StoreError) {
            var present: [(path: Path, entry: VisibleEntry?)] = []
            var vanished: Set<Path> = []
            for path in paths {
                let isHeld = name.isOfMany && holds.values.contains { $0.matches(path) }
                if case .changes = name, !isHeld {
                    present.append((path, nil))
                    continue
                }
                let entry: VisibleEntry?
                if let known = entries[path] {
                    entry = known
                } else {
                    entry = try host.visible(path)
                    entries[path] = .some(entry)
                }
                if isHeld, entry == nil { vanished.insert(path) } else { present.append((path, entry)) }
            }
            if !holds.isEmpty { lines[name]?.withhold(vanished, present) }
            tell(name, present)
        } catch {
            fail(name, error)
        }
    }

    private mutating func tell(_ name: TopicName, _ present: [(path: Path, entry: VisibleEntry?)]) {
        guard !present.isEmpty else { return }
        let version = nextVersion()
        guard let frame = lines[name]?.topic?.update(present, version: version) else { return }
        lines[name]?.audience.tell(frame)
    }

    /// A list is deleted: what vanished from it meanwhile is told. Whatever came there again has been told already.
    private mutating func release(_ id: UInt64) {
        guard let pattern = holds.removeValue(forKey: id) else { return }
        // By name: a line that is held here as well would be copied as a whole.
        for name in Array(lines.keys) {
            let vanished = lines[name]?.withheld.filter { pattern.matches($0) } ?? []
            guard !vanished.isEmpty else { continue }
            lines[name]?.withheld.subtract(vanished)
            tell(name, vanished.sorted().map { ($0, nil) })
        }
    }

    private mutating func nextVersion() -> UInt64 {
        let now = Date().unixNanoseconds
        lastVersion = max((lastVersion >> Self.saltBits) + 1, now >> Self.saltBits) << Self.saltBits | Self.salt
        return lastVersion
    }

    // MARK: Listeners

    private mutating func subscribe(_ subscription: Subscription, _ name: TopicName, _ since: UInt64?) {
        if lines[name] == nil { open(name) }
        lines[name]?.add(subscription, since)
    }

    private mutating func unsubscribe(_ id: UInt64, _ name: TopicName) {
        lines[name]?.waiting.removeAll { $0.0.id == id }
        lines[name]?.audience.remove(id)
        guard let line = lines[name], line.audience.count == 0, line.waiting.isEmpty else { return }
        lines[name]?.emptySince = .now()
    }

    private mutating func refresh(_ id: UInt64, _ name: TopicName) {
        guard let subscription = lines[name]?.audience[id], let frame = lines[name]?.topic?.snapshot() else { return }
        subscription.loop.execute { subscription.subscriber.value.offer(snapshot: frame) }
    }

    // MARK: Topics

    private mutating func open(_ name: TopicName) {
        lines[name] = Line(generation: 0)
        switch name {
        case .key: break
        case .list(let pattern):
            if let prefix = pattern.collectionPrefix { collections[prefix] = name } else { patterns.append((pattern, name)) }
        case .changes(let pattern): patterns.append((pattern, name))
        }
        beginLoading(name)
    }

    private mutating func beginLoading(_ name: TopicName) {
        generation += 1
        lines[name]?.generation = generation
        lines[name]?.isLoading = true
        lines[name]?.missed = []
        lines[name]?.withheld = []
        loads.append(Load(name: name, generation: generation))
    }

    private mutating func finishLoading(_ name: TopicName, _ generation: UInt64, _ result: Result<[VisibleEntry], StoreError>) {
        guard let line = lines[name], line.generation == generation else { return }
        switch result {
        case .failure(let error): fail(name, error)
        case .success(let entries):
            lines[name]?.isLoading = false
            lines[name]?.missed = []
            // Where nothing is new nothing is told.
            if line.topic?.shows(entries) != true {
                var topic = Topic(name, entries, version: nextVersion())
                if line.topic != nil { lines[name]?.audience.tell(topic.snapshot()) }
                lines[name]?.topic = topic
            }
            var read: [Path: VisibleEntry?] = [:]
            update(name, line.missed.sorted(), &read)
            let waiting = lines[name]?.waiting ?? []
            lines[name]?.waiting = []
            for (subscription, since) in waiting { lines[name]?.add(subscription, since) }
        }
    }

    private mutating func fail(_ name: TopicName, _ error: StoreError) {
        logger.error("subscription ended", metadata: ["topic": "\(name)", "error": "\(error)"])
        guard let line = lines[name] else { return }
        line.audience.end(.unexpectedServerError, error.code)
        for (subscription, _) in line.waiting {
            subscription.loop.execute { subscription.subscriber.value.end(.unexpectedServerError, error.code) }
        }
        close(name)
    }

    private mutating func close(_ name: TopicName) {
        lines[name] = nil
        if case .list(let pattern) = name, let prefix = pattern.collectionPrefix { return collections[prefix] = nil }
        patterns.removeAll { $0.name == name }
    }

    private mutating func sweep() {
        isSweepPlanned = false
        let limit = DispatchTime.now() - Self.lingerSeconds
        for (name, line) in lines { if let empty = line.emptySince, empty < limit { close(name) } }
    }
}

/// The subscribers of one topic, by event loop.
private struct Audience {
    private var byLoop: [ObjectIdentifier: [Subscription]] = [:]
    private var places: [UInt64: (loop: ObjectIdentifier, index: Int)] = [:]

    var count: Int { places.count }

    subscript(id: UInt64) -> Subscription? { places[id].flatMap { byLoop[$0.loop]?[$0.index] } }

    mutating func add(_ subscription: Subscription) {
        let loop = ObjectIdentifier(subscription.loop)
        places[subscription.id] = (loop, byLoop[loop]?.count ?? 0)
        byLoop[loop, default: []].append(subscription)
    }

    mutating func remove(_ id: UInt64) {
        guard let place = places.removeValue(forKey: id), let last = byLoop[place.loop]?.popLast(), last.id != id else { return }
        byLoop[place.loop]?[place.index] = last
        places[last.id] = place
    }

    func tell(_ frame: ByteBuffer) { each { $0.offer(frame) } }

    func end(_ code: WebSocketErrorCode, _ reason: String) { each { $0.end(code, reason) } }

    private func each(_ body: @escaping @Sendable (any Subscriber) -> Void) {
        for subscriptions in byLoop.values {
            guard let loop = subscriptions.first?.loop else { continue }
            loop.execute { for subscription in subscriptions { body(subscription.subscriber.value) } }
        }
    }
}
