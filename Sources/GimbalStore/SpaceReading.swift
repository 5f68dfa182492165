import GimbalCRDT
import GimbalReplication
import GimbalStorage
import GimbalWire

/// One key as a client reads it.
public struct VisibleEntry: Hashable, Sendable {
    public var path: Path
    public var write: Write

    public init(path: Path, write: Write) {
        self.path = path
        self.write = write
    }

    /// Nanoseconds since the epoch, as clients are shown them.
    public var created: UInt64 { write.created.nanoseconds }
    /// 0 for the first write of a life.
    public var updated: UInt64 { write.created == write.stamp ? 0 : write.stamp.nanoseconds }
    /// JSON text.
    public var value: [UInt8] { write.value ?? [] }
}

/// Reads a space's states as clients see them: the overlay where there is one, else the base.
///
/// Order of the two look-ups matters: a receipt moves a write from overlay to base in one commit, so the overlay is
/// asked first.
struct SpaceReading: Sendable {
    let engine: any StorageEngine
    let cache: StateCache
    let hasOverlays: Bool

    func state(_ path: Path) throws(StoreError) -> PathState? {
        switch cache.lookUp(path) {
        case .hit(let state): return state
        case .miss(let ticket):
            let state = try Self.stored(path, in: engine, hasOverlays: hasOverlays)
            cache.fill(path, state, ticket)
            return state
        }
    }

    /// The states of many paths, in their order. They are as a rule about to go: what is read is not kept.
    func states(_ paths: [Path]) throws(StoreError) -> [PathState?] {
        var states = [PathState?](repeating: nil, count: paths.count)
        var missing: [Int] = []
        for (index, path) in paths.enumerated() {
            if case .hit(let state) = cache.lookUp(path) { states[index] = state } else { missing.append(index) }
        }
        let loaded = try storing { () throws(StorageError) in
            try engine.load(missing.map { paths[$0].bytes }, from: .state)
        }
        for (index, bytes) in zip(missing, loaded) {
            guard let bytes else { continue }
            let path = paths[index]
            states[index] = try decoding("state of \(path)") { () throws(WireError) in
                try StateRecord.decode(bytes, at: path)
            }
        }
        return states
    }

    private static func stored(_ path: Path, in view: any StorageView, hasOverlays: Bool) throws(StoreError) -> PathState? {
        if hasOverlays, let bytes = try load(path, .overlay, view) {
            return try decoding("overlay of \(path)") { () throws(WireError) in
                try StateRecord.decodeOverlay(bytes, at: path).view
            }
        }
        guard let bytes = try load(path, .state, view) else { return nil }
        return try decoding("state of \(path)") { () throws(WireError) in try StateRecord.decode(bytes, at: path) }
    }

    private static func load(_ path: Path, _ section: Section, _ view: any StorageView) throws(StoreError) -> [UInt8]? {
        try storing { () throws(StorageError) in try view.load([path.bytes], from: section)[0] }
    }

    /// Calls `visit` for each path that matches and has something to show, in the order of paths, until it returns false.
    func scan(_ pattern: Pattern, after: Path? = nil, _ visit: (VisibleEntry) -> Bool) throws(StoreError) {
        let stored = { (bytes: [UInt8], path: Path) throws(WireError) in try StateRecord.decode(bytes, at: path).visible }
        try walk(pattern, after: after, stored, \.self) { visit(VisibleEntry(path: $0, write: $1)) }
    }

    /// The same without reading values.
    func scanKeys(
        _ pattern: Pattern, after: Path? = nil, _ visit: (_ path: Path, _ created: HybridTimestamp) -> Bool
    ) throws(StoreError) {
        try walk(pattern, after: after, StateRecord.creation, \.created, visit)
    }

    /// - Parameters:
    ///   - stored: what is wanted of a stored state; nil when it shows nothing.
    ///   - part: the same of what a state shows.
    private func walk<Part>(
        _ pattern: Pattern, after: Path?, _ stored: ([UInt8], Path) throws(WireError) -> Part?, _ part: (Write) -> Part,
        _ visit: (Path, Part) -> Bool
    ) throws(StoreError) {
        let view = try storing { () throws(StorageError) in try engine.view() }
        let prefix = pattern.fixedPrefix
        var lower = prefix
        if let after, !after.bytes.lexicographicallyPrecedes(prefix) { lower = after.bytes + [0] }
        let overlays = hasOverlays ? try overlays(view, pattern, from: lower, prefix) : []
        var nextOverlay = overlays[...]
        var isStopped = false
        func emit(_ path: Path, _ part: Part?) -> Bool {
            guard let part else { return true }
            isStopped = !visit(path, part)
            return !isStopped
        }
        func emitOverlay() -> Bool {
            let overlay = nextOverlay.removeFirst()
            return emit(overlay.path, overlay.state?.visible.map(part))
        }
        try SpaceLoader(view: view).scan(from: lower, until: RecordKey.end(of: prefix), in: .state, "states") {
            key, value throws(WireError) in
            guard let path = Path(key) else { throw WireError(.badPath) }
            guard pattern.matches(path) else { return true }
            while let overlay = nextOverlay.first, overlay.path < path {
                guard emitOverlay() else { return false }
            }
            if nextOverlay.first?.path == path { return emitOverlay() }
            return emit(path, try stored(value, path))
        }
        while !isStopped, !nextOverlay.isEmpty {
            guard emitOverlay() else { return }
        }
    }

    private func overlays(
        _ view: any StorageView, _ pattern: Pattern, from lower: [UInt8], _ prefix: [UInt8]
    ) throws(StoreError) -> [(path: Path, state: PathState?)] {
        var overlays: [(path: Path, state: PathState?)] = []
        try SpaceLoader(view: view).scan(from: lower, until: RecordKey.end(of: prefix), in: .overlay, "overlays") {
            key, value throws(WireError) in
            guard let path = Path(key) else { throw WireError(.badPath) }
            if pattern.matches(path) { overlays.append((path, try StateRecord.decodeOverlay(value, at: path).view)) }
            return true
        }
        return overlays
    }
}
