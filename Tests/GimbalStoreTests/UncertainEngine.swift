import GimbalStorage
import Synchronization

/// An engine whose commit can fail with an unknown outcome, as one whose fsync fails does: the batch is there after `recover`, or
/// not.
final class UncertainEngine: StorageEngine {
    private struct State {
        var outcome: Bool?
        /// Seen by nobody before `recover`.
        var hidden: StorageBatch?
        var isFailing = false
        var isCauseGone = false
        var failsReads = false
        var recoveries = 0
    }

    private let engine: MemoryEngine
    private let state = Mutex(State())

    init(_ engine: MemoryEngine) { self.engine = engine }

    /// The next commit fails; whether it is on disk all the same.
    func failNext(isStored: Bool) { state.withLock { ($0.outcome, $0.isCauseGone) = (isStored, false) } }
    func mend() { state.withLock { $0.isCauseGone = true } }
    func failReads(_ fails: Bool) { state.withLock { $0.failsReads = fails } }
    var recoveries: Int { state.withLock { $0.recoveries } }

    func commit(_ batch: StorageBatch) throws(StorageError) {
        try write(batch) { () throws(StorageError) in try engine.commit(batch) }
    }

    private func write(_ batch: StorageBatch?, _ body: () throws(StorageError) -> Void) throws(StorageError) {
        try state.withLock { state throws(StorageError) in
            if state.isFailing { throw .failed(reason: "it failed before") }
            guard let isStored = state.outcome else { return try body() }
            state.outcome = nil
            state.isFailing = true
            if isStored { state.hidden = batch }
            throw .uncertain(.failed(reason: "fsync"))
        }
    }

    func recover() throws(StorageError) {
        try state.withLock { state throws(StorageError) in
            guard state.isFailing else { return }
            guard state.isCauseGone else { throw .failed(reason: "still") }
            if let hidden = state.hidden { try engine.commit(hidden) }
            state.hidden = nil
            state.isFailing = false
            state.recoveries += 1
        }
    }

    private func reading() throws(StorageError) -> MemoryEngine {
        if state.withLock({ $0.failsReads }) { throw .failed(reason: "read error") }
        return engine
    }

    func load(_ keys: [[UInt8]], from section: Section) throws(StorageError) -> [[UInt8]?] {
        try reading().load(keys, from: section)
    }
    func scan(
        _ section: Section, from lower: [UInt8], until upper: [UInt8]?,
        _ visit: (_ key: [UInt8], _ value: [UInt8]) throws(StorageError) -> Bool
    ) throws(StorageError) {
        try reading().scan(section, from: lower, until: upper, visit)
    }
    func last(_ section: Section, below upper: [UInt8]) throws(StorageError) -> (key: [UInt8], value: [UInt8])? {
        try reading().last(section, below: upper)
    }
    func view() throws(StorageError) -> any StorageView { try reading().view() }
    func stage(_ run: StagedRun) throws(StorageError) { try engine.stage(run) }
    func stagedView() throws(StorageError) -> any StorageView { try engine.stagedView() }
    func clearStaged() throws(StorageError) { try engine.clearStaged() }
    func compactStaged() throws(StorageError) { try engine.compactStaged() }
    func install(_ batch: StorageBatch) throws(StorageError) {
        try write(nil) { () throws(StorageError) in try engine.install(batch) }
    }
    var statistics: [(name: String, value: UInt64)] { [] }
    func close() {}
}
