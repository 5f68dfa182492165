import GimbalCRDT

/// The paths that one step touches, as they were loaded and as they are now. A path that was not loaded is a programming
/// error: the shell loads what `paths` of the inputs say.
public struct WorkingSet: Sendable {
    private struct Entry: Sendable {
        let path: Path
        let loaded: PathState?
        var current: PathState?
        var isWritten = false
    }

    /// Where a path's entry is: one look-up in a table is what a state costs on every hot path.
    private var places: [Path: Int] = [:]
    private var entries: [Entry] = []

    public init() {}

    public init(_ loaded: [Path: PathState?]) {
        reserveCapacity(loaded.count)
        for (path, state) in loaded { load(path, state) }
    }

    /// Makes room for so many paths in all.
    public mutating func reserveCapacity(_ count: Int) {
        places.reserveCapacity(count)
        entries.reserveCapacity(count)
    }

    /// Adds a path whose state is known, if it was not loaded yet.
    public mutating func load(_ path: Path, _ state: PathState?) { load(path) { state } }

    /// Adds a path whose state is read only if it was not loaded yet.
    public mutating func load<Failure: Error>(
        _ path: Path, by read: () throws(Failure) -> PathState?
    ) throws(Failure) {
        let place = Self.take(&places[path, default: entries.count])
        guard place == entries.count else { return }
        do throws(Failure) {
            let state = try read()
            entries.append(Entry(path: path, loaded: state, current: state))
        } catch {
            places[path] = nil
            throw error
        }
    }

    /// Reads what is written if it was missing: one look-up for both.
    private static func take(_ place: inout Int) -> Int { place }

    public func isLoaded(_ path: Path) -> Bool { places[path] != nil }

    public subscript(path: Path) -> PathState? { entries[place(of: path)].current }

    /// - Returns: the state after it.
    @discardableResult
    mutating func apply(_ effect: Effect, at path: Path) -> PathState? {
        let place = place(of: path)
        let state = PathState.applying(effect, to: entries[place].current)
        entries[place].current = state
        entries[place].isWritten = true
        return state
    }

    private func place(of path: Path) -> Int {
        guard let place = places[path] else { preconditionFailure("\(path) was not loaded for this step") }
        return place
    }

    /// What changed at some paths since this was what `earlier` is, in the order of paths.
    func changes(since earlier: WorkingSet, at paths: Set<Path>) -> [StateChange] {
        paths.sorted().compactMap { path in
            let (before, after) = (earlier[path], self[path])
            return before == after ? nil : StateChange(path: path, before: before, after: after)
        }
    }

    /// What changed, in the order of paths.
    public var changes: [StateChange] {
        // Places are sorted, and room is made once: a step may hold a hundred thousand.
        var changes: [StateChange] = []
        let written = entries.indices.filter { entries[$0].isWritten }.sorted { entries[$0].path < entries[$1].path }
        changes.reserveCapacity(written.count)
        for place in written {
            let entry = entries[place]
            guard entry.loaded != entry.current else { continue }
            changes.append(StateChange(path: entry.path, before: entry.loaded, after: entry.current))
        }
        return changes
    }
}

/// One path before and after a step.
public struct StateChange: Sendable {
    public var path: Path
    public var before: PathState?
    public var after: PathState?
}
