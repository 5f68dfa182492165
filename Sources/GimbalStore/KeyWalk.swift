import GimbalCRDT
import GimbalReplication
import GimbalStorage
import GimbalWire

/// The keys of one space that matched a pattern and showed something at one moment, read some at a time: what came later is
/// not among them, and what they hold is not read.
public struct KeyWalk: Sendable {
    private let view: (any StorageView)?
    private let pattern: Pattern
    private let hasOverlays: Bool
    /// Where the next stretch begins; nil after the last.
    private var lower: [UInt8]?

    static let none = KeyWalk()

    private init() {
        (view, pattern, hasOverlays, lower) = (nil, .everything, false, nil)
    }

    /// Of this moment.
    init(_ pattern: Pattern, in engine: any StorageEngine, hasOverlays: Bool) throws(StoreError) {
        view = try storing { () throws(StorageError) in try engine.view() }
        self.pattern = pattern
        self.hasOverlays = hasOverlays
        lower = pattern.fixedPrefix
    }

    /// The next keys, in the order of paths: about as many as the limit, twice as many at most; none after the last.
    mutating func next(_ limit: Int, where isWanted: (Path) -> Bool) throws(StoreError) -> [Path] {
        var found: [Path] = []
        while found.isEmpty, let view, let from = lower { found = try stretch(view, from, limit).filter(isWanted) }
        return found
    }

    private mutating func stretch(_ view: any StorageView, _ from: [UInt8], _ limit: Int) throws(StoreError) -> [Path] {
        let upper = RecordKey.end(of: pattern.fixedPrefix)
        let overlays = hasOverlays ? try overlays(view, from, upper, limit) : Overlays()
        var shown: [Path] = []
        var last = overlays.last
        try SpaceLoader(view: view).scan(
            from: from, until: overlays.last.map { $0.bytes + [0] } ?? upper, in: .state, "states"
        ) { key, value throws(WireError) in
            guard let path = Path(key) else { throw WireError(.badPath) }
            guard pattern.matches(path), overlays.shows[path] == nil else { return true }
            if try StateRecord.creation(value, at: path) != nil { shown.append(path) }
            guard shown.count < limit else {
                last = path
                return false
            }
            return true
        }
        for (path, isShown) in overlays.shows where isShown && last.map({ path <= $0 }) ?? true { shown.append(path) }
        lower = last.map { $0.bytes + [0] }
        return hasOverlays ? shown.sorted() : shown
    }

    /// What own pending operations make of some paths.
    private struct Overlays {
        /// Whether a path shows anything.
        var shows: [Path: Bool] = [:]
        /// The last of them where there may be more behind it.
        var last: Path?
    }

    private func overlays(
        _ view: any StorageView, _ from: [UInt8], _ upper: [UInt8]?, _ limit: Int
    ) throws(StoreError) -> Overlays {
        var overlays = Overlays()
        try SpaceLoader(view: view).scan(from: from, until: upper, in: .overlay, "overlays") { key, value throws(WireError) in
            guard let path = Path(key) else { throw WireError(.badPath) }
            guard pattern.matches(path) else { return true }
            overlays.shows[path] = try StateRecord.decodeOverlay(value, at: path).view?.visible != nil
            guard overlays.shows.count < limit else {
                overlays.last = path
                return false
            }
            return true
        }
        return overlays
    }
}
