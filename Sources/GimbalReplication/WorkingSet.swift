import GimbalCRDT

/// The paths that one step touches, as they were loaded and as they are now. A path that was not loaded is a programming
/// error: the shell loads what `paths` of the inputs say.
public struct WorkingSet: Sendable {
    private var original: [Path: PathState?]
    private var current: [Path: PathState?] = [:]

    public init(_ loaded: [Path: PathState?] = [:]) {
        original = loaded
        current.reserveCapacity(loaded.count)
    }

    /// Adds a path whose state is known, if it was not loaded yet.
    public mutating func load(_ path: Path, _ state: PathState?) {
        if original[path] == nil { original[path] = .some(state) }
    }

    public func isLoaded(_ path: Path) -> Bool { original[path] != nil }

    public subscript(path: Path) -> PathState? {
        get {
            if let changed = current[path] { return changed }
            guard let loaded = original[path] else { preconditionFailure("\(path) was not loaded for this step") }
            return loaded
        }
        set {
            precondition(original[path] != nil, "\(path) was not loaded for this step")
            current[path] = .some(newValue)
        }
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
        // Paths alone are sorted, and room is made once: a step may hold a hundred thousand.
        var changes: [StateChange] = []
        changes.reserveCapacity(current.count)
        for path in current.keys.sorted() {
            let (before, after) = (original[path] ?? nil, current[path] ?? nil)
            if before != after { changes.append(StateChange(path: path, before: before, after: after)) }
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
