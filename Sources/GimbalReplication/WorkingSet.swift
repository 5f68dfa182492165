import GimbalCRDT

/// The paths that one step touches, as they were loaded and as they are now. A path that was not loaded is a programming
/// error: a machine names them in `needs(of:)`.
public struct WorkingSet: Sendable {
    private struct Entry: Sendable {
        let path: Path
        let loaded: PathState?
        var current: PathState?
    }

    /// Where a path's entry is: one look-up in a table is what a state costs on every hot path.
    private var places: [Path: Int] = [:]
    private var entries: [Entry] = []

    public init(_ loaded: [Path: PathState?] = [:]) {
        reserveCapacity(loaded.count)
        for (path, state) in loaded { load(path, state) }
    }

    /// Makes room for so many paths in all.
    public mutating func reserveCapacity(_ count: Int) {
        places.reserveCapacity(count)
        entries.reserveCapacity(count)
    }

    /// Adds a path whose state is known, if it was not loaded yet.
    public mutating func load(_ path: Path, _ state: PathState?) {
        if let known = places.updateValue(entries.count, forKey: path) {
            places[path] = known
        } else {
            entries.append(Entry(path: path, loaded: state, current: state))
        }
    }

    public func isLoaded(_ path: Path) -> Bool { places[path] != nil }

    public subscript(path: Path) -> PathState? { entries[place(of: path)].current }

    /// - Returns: the state after it.
    @discardableResult
    mutating func apply(_ effect: Effect, at path: Path) -> PathState? {
        let place = place(of: path)
        let state = PathState.applying(effect, to: entries[place].current)
        entries[place].current = state
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
        // Places are sorted, not states: a step may hold a hundred thousand.
        let changed = entries.indices.filter { entries[$0].loaded != entries[$0].current }
        return changed.sorted { entries[$0].path < entries[$1].path }.map { place in
            let entry = entries[place]
            return StateChange(path: entry.path, before: entry.loaded, after: entry.current)
        }
    }
}

/// One path before and after a step.
public struct StateChange: Sendable {
    public var path: Path
    public var before: PathState?
    public var after: PathState?
}
