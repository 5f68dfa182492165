import Synchronization

/// An engine that keeps everything in memory, for tests and for spaces that need no disk.
///
/// It promises all of the contract except that data outlives the process: `commit` is durable only as long as
/// this object. A view costs nothing until the next commit, which then copies the parts it changes.
public final class MemoryEngine: StorageEngine {
    private struct State: Sendable {
        var sections = [SortedChunks](repeating: SortedChunks(), count: Section.allCases.count)
        var staged = [SortedChunks](repeating: SortedChunks(), count: Section.allCases.count)
        var isClosed = false

        mutating func apply(_ batch: StorageBatch) {
            for change in batch.changes {
                let section = Int(change.section.rawValue)
                if let value = change.value {
                    sections[section].put(value, at: change.key)
                } else {
                    sections[section].remove(change.key)
                }
            }
        }
    }

    private let state = Mutex(State())

    public init() {}

    public func commit(_ batch: StorageBatch) throws(StorageError) {
        try withState { $0.apply(batch) }
    }

    public func stage(_ run: StagedRun) throws(StorageError) {
        precondition(run.isSorted && Section.replaceable.contains(run.section))
        try withState { state in
            for index in 0..<run.count {
                state.staged[Int(run.section.rawValue)].put(Array(run.value(index)), at: Array(run.key(index)))
            }
        }
    }

    public func stagedView() throws(StorageError) -> any StorageView {
        MemoryView(engine: self, sections: try withState { $0.staged })
    }

    public func clearStaged() throws(StorageError) {
        try withState { state in
            state.staged = [SortedChunks](repeating: SortedChunks(), count: Section.allCases.count)
        }
    }

    public func compactStaged() throws(StorageError) {}

    public func install(_ batch: StorageBatch) throws(StorageError) {
        try withState { state in
            for section in Section.replaceable.map({ Int($0.rawValue) }) {
                let used = state.sections[section]
                state.sections[section] = state.staged[section]
                state.staged[section] = used
            }
            state.apply(batch)
        }
    }

    public func view() throws(StorageError) -> any StorageView {
        MemoryView(engine: self, sections: try withState { $0.sections })
    }

    public func load(_ keys: [[UInt8]], from section: Section) throws(StorageError) -> [[UInt8]?] {
        // Under the lock, not from a copy of the section: a copy would make a concurrent commit copy its chunks.
        try withState { state in
            keys.map { state.sections[Int(section.rawValue)].value(for: $0) }
        }
    }

    public func scan(
        _ section: Section, from lower: [UInt8], until upper: [UInt8]?,
        _ visit: (_ key: [UInt8], _ value: [UInt8]) throws(StorageError) -> Bool
    ) throws(StorageError) {
        // From a copy, not under the lock: `visit` may call the engine.
        let entries = try withState { $0.sections[Int(section.rawValue)] }
        try entries.scan(from: lower, until: upper, visit)
    }

    public func last(_ section: Section, below upper: [UInt8]) throws(StorageError) -> (key: [UInt8], value: [UInt8])? {
        try withState { $0.sections[Int(section.rawValue)].last(below: upper) }
    }

    /// `<section>.entries` and `<section>.bytes` for every section that has any.
    public var statistics: [(name: String, value: UInt64)] {
        let sections = state.withLock { $0.sections }
        return Section.allCases.flatMap { section -> [(name: String, value: UInt64)] in
            let entries = sections[Int(section.rawValue)]
            if entries.count == 0 { return [] }
            return [("\(section).entries", UInt64(entries.count)), ("\(section).bytes", UInt64(entries.bytes))]
        }
    }

    public func close() {
        state.withLock { $0 = State(isClosed: true) }
    }

    private func withState<Result: Sendable>(_ body: (inout State) -> Result) throws(StorageError) -> Result {
        try state.withLock { state throws(StorageError) in
            if state.isClosed { throw .closed }
            return body(&state)
        }
    }

    fileprivate func throwIfClosed() throws(StorageError) {
        try withState { _ in }
    }
}

private struct MemoryView: StorageView {
    let engine: MemoryEngine
    let sections: [SortedChunks]

    func load(_ keys: [[UInt8]], from section: Section) throws(StorageError) -> [[UInt8]?] {
        try engine.throwIfClosed()
        return keys.map { sections[Int(section.rawValue)].value(for: $0) }
    }

    func scan(
        _ section: Section, from lower: [UInt8], until upper: [UInt8]?,
        _ visit: (_ key: [UInt8], _ value: [UInt8]) throws(StorageError) -> Bool
    ) throws(StorageError) {
        try engine.throwIfClosed()
        try sections[Int(section.rawValue)].scan(from: lower, until: upper, visit)
    }

    func last(_ section: Section, below upper: [UInt8]) throws(StorageError) -> (key: [UInt8], value: [UInt8])? {
        try engine.throwIfClosed()
        return sections[Int(section.rawValue)].last(below: upper)
    }
}
