import Dispatch
import Foundation
import GimbalCRDT
import GimbalReplication
import GimbalSigning
import GimbalStorage
import GimbalWire
import Synchronization

/// Keeps one space's log within its bounds: raises the horizon, prunes what falls below it in small steps, and drops the
/// proofs of what has died since. A thread of its own; nothing waits for it.
final class Retention: Sendable {
    /// What the horizon may depend on, asked before each step.
    struct Situation: Sendable {
        /// Position of the last entry.
        var end: UInt64
        /// Of the log tree's first leaf.
        var firstPosition: UInt64
        /// What every live node has applied; nil when there is none to wait for.
        var applied: UInt64? = nil
        /// The horizon stays at or below the position after this one, whatever the bounds say: a snapshot is being sent.
        var held: UInt64? = nil
    }

    private let engine: any StorageEngine
    private let options: RetentionOptions
    /// In a structure: a mutex that holds a bare closure wraps it once more each time it is read.
    private struct Asking: Sendable {
        /// Nil when the space is gone.
        var situation: @Sendable () -> Situation? = { nil }
        var failed: @Sendable (StoreError) -> Void = { _ in }
    }

    private let asking = Mutex(Asking())
    private let primitives = SodiumPrimitives()
    /// Held during a step: what replaces the log waits for it.
    private let record: Mutex<RetentionRecord>
    /// The record as it is on disk, for those who must not wait for a step.
    private let published: Mutex<RetentionRecord>
    private let hasReplacedSections = Mutex(false)
    private let wakeUp = WakeUp()
    private let ended = DispatchSemaphore(value: 0)
    private let isClosed = Mutex(false)
    private let failure = Mutex<StoreError?>(nil)

    init(engine: any StorageEngine, options: RetentionOptions) throws(StoreError) {
        self.engine = engine
        self.options = options
        let stored = try RetentionRecord.load(engine)
        record = Mutex(stored)
        published = Mutex(stored)
    }

    /// Starts the thread; it ends with `close`, or when there is no situation any more. `failed` hears what keeps it from its
    /// work.
    func start(
        failed: @escaping @Sendable (StoreError) -> Void, _ situation: @escaping @Sendable () -> Situation?
    ) {
        asking.withLock { $0 = Asking(situation: situation, failed: failed) }
        let thread = Thread { [self] in
            while !isClosed.withLock({ $0 }) {
                guard run() else { break }
                wakeUp.wait(milliseconds: UInt64(clamping: options.intervalMilliseconds))
            }
            ended.signal()
        }
        thread.name = "gimbal-retention"
        thread.stackSize = 1 << 20
        thread.qualityOfService = .background
        thread.start()
    }

    /// Ends the thread after the step that is under way.
    func close() {
        let wasClosed = isClosed.withLock { isClosed in
            defer { isClosed = true }
            return isClosed
        }
        guard !wasClosed else { return }
        wakeUp.signal()
        ended.wait()
    }

    /// What people see of it.
    struct Status: Sendable {
        var horizon: UInt64
        /// Entries from the horizon on, and their bytes.
        var entries: UInt64
        var bytes: UInt64
        /// Entries below it that still prove something.
        var retained: UInt64
        var failure: StoreError?
    }

    var status: Status {
        let record = published.withLock { $0 }
        let next = (asking.withLock { $0 }.situation()?.end ?? record.countedTo) + 1
        return Status(
            horizon: record.horizon, entries: next - min(record.horizon, next), bytes: record.bytes, retained: record.retained,
            failure: failure.withLock { $0 })
    }

    /// Entries from here on are whole.
    var horizon: UInt64 { published.withLock { $0.horizon } }

    /// Reads what is on disk: after a failure that may be a step further than what is known here.
    func reload() throws(StoreError) {
        try record.withLock { record throws(StoreError) in
            record = try RetentionRecord.load(engine)
            published.withLock { $0 = record }
        }
    }

    /// Replaces the whole log in `install`, which commits the record that it is given.
    func replaceLog<Failure: Error>(
        _ new: RetentionRecord, _ install: () throws(Failure) -> Void
    ) throws(Failure) {
        try record.withLock { record throws(Failure) in
            try install()
            record = new
            published.withLock { $0 = new }
        }
        releaseStaging()
        wakeUp.signal()
    }

    // MARK: Steps

    /// False when the space is gone.
    private func run() -> Bool {
        do throws(StoreError) {
            if hasReplacedSections.withLock({ $0 }) { try clearReplacedSections() }
            while !isClosed.withLock({ $0 }) {
                guard let situation = asking.withLock({ $0 }).situation() else { return false }
                let begin = ContinuousClock.now
                guard try step(situation) else { break }
                rest(after: ContinuousClock.now - begin, since: situation)
            }
            failure.withLock { $0 = nil }
        } catch {
            failure.withLock { $0 = error }
            asking.withLock { $0 }.failed(error)
        }
        return true
    }

    /// Leaves the machine to those who write, until it is closed or has a new log.
    private func rest(after worked: Duration, since before: Situation) {
        let status = status
        guard let end = asking.withLock({ $0 }).situation()?.end,
            let rest = options.rest(
                after: worked, isGrowing: end > before.end, entries: status.entries, bytes: status.bytes)
        else { return }
        wakeUp.wait(milliseconds: UInt64(max(0, rest / .milliseconds(1))))
    }

    private func clearReplacedSections() throws(StoreError) {
        try storing { () throws(StorageError) in
            let isCleared = try hasReplacedSections.withLock { hasReplacedSections throws(StorageError) in
                // A snapshot that began to come in meanwhile has cleared them, and has put its own there.
                guard hasReplacedSections else { return false }
                try engine.clearStaged()
                hasReplacedSections = false
                return true
            }
            if isCleared { try engine.compactStaged() }
        }
    }

    /// What lies in the staging area is nobody's: it is cleared in the background.
    func releaseStaging() { hasReplacedSections.withLock { $0 = true } }

    /// Empties the staging area for a snapshot that begins.
    func claimStaging() throws(StoreError) {
        try storing { () throws(StorageError) in
            try hasReplacedSections.withLock { hasReplacedSections throws(StorageError) in
                hasReplacedSections = false
                try engine.clearStaged()
            }
        }
    }

    /// One bounded step; false when there is nothing to do.
    private func step(_ situation: Situation) throws(StoreError) -> Bool {
        try record.withLock { record throws(StoreError) in
            if record.prunedTo < record.horizon { return try prune(&record, situation) }
            try count(&record, until: situation.end)
            if try raise(&record, situation) { return true }
            return try sweep(&record, situation)
        }
    }

    private func count(_ record: inout RetentionRecord, until end: UInt64) throws(StoreError) {
        guard record.countedTo < end else { return }
        var bytes: UInt64 = 0
        try SpaceLoader(view: engine).scan(
            from: RecordKey.number(max(record.countedTo + 1, record.horizon)), until: RecordKey.number(end + 1), in: .log, "log"
        ) { _, value in
            bytes += UInt64(value.count)
            return true
        }
        record.bytes += bytes
        record.countedTo = end
        published.withLock { $0 = record }
    }

    /// Where the horizon should be.
    private func target(_ record: RetentionRecord, _ situation: Situation) -> UInt64 {
        let next = situation.end + 1
        var target = next - min(options.keptEntries, situation.end)
        if let applied = situation.applied { target = min(target, applied + 1) }
        target = max(target, next - min(options.mostEntries, situation.end))
        // One step further, until the bytes fit.
        if record.bytes > options.mostBytes { target = max(target, min(record.horizon + UInt64(options.entriesPerStep), next)) }
        if let held = situation.held { target = min(target, held + 1) }
        return target
    }

    private func raise(_ record: inout RetentionRecord, _ situation: Situation) throws(StoreError) -> Bool {
        let target = target(record, situation)
        guard record.horizon < target else { return false }
        let entries = try LogPruner.entries(engine, from: record.horizon, until: target, options)
        guard let last = entries.last else { return false }
        // The horizon is durable before anything below it is missing.
        var next = record
        next.horizon = last.position + 1
        next.bytes -= min(next.bytes, entries.reduce(0) { $0 + UInt64($1.bytes.count) })
        next.crossed += UInt64(entries.count)
        try save(next)
        record = next
        return try prune(&record, situation)
    }

    private func prune(_ record: inout RetentionRecord, _ situation: Situation) throws(StoreError) -> Bool {
        let entries = try LogPruner.entries(engine, from: record.prunedTo, until: record.horizon, options)
        var pruner = pruner(record, situation)
        try pruner.prune(entries)
        var next = record
        next.prunedTo = entries.last.map { $0.position + 1 } ?? record.horizon
        next.retained += pruner.keptCount
        try save(next, pruner.batch)
        record = next
        return true
    }

    /// Looks for proofs of what has died, each time a quarter as many entries have crossed the horizon as lie below it.
    private func sweep(_ record: inout RetentionRecord, _ situation: Situation) throws(StoreError) -> Bool {
        if record.sweep == 0 {
            guard record.crossed >= max(record.retained / 4, 64) else { return false }
            record.sweep = 1
            record.crossed = 0
        }
        let entries = try LogPruner.entries(engine, from: record.sweep, until: record.horizon, options)
        var pruner = pruner(record, situation)
        try pruner.prune(entries)
        var next = record
        next.sweep = entries.last.map { $0.position + 1 } ?? 0
        next.retained -= min(next.retained, UInt64(pruner.dropped.count))
        try save(next, pruner.batch)
        record = next
        return true
    }

    private func pruner(_ record: RetentionRecord, _ situation: Situation) -> LogPruner {
        LogPruner(engine: engine, firstPosition: situation.firstPosition, horizon: record.horizon, primitives)
    }

    private func save(_ record: RetentionRecord, _ changes: StorageBatch = StorageBatch()) throws(StoreError) {
        var batch = changes
        batch.put(record.encoded, at: RecordKey.retention, in: .metadata)
        try storing { () throws(StorageError) in try engine.commit(batch) }
        published.withLock { $0 = record }
    }
}
