import CoreMetrics
import GimbalCRDT
import GimbalReplication
import GimbalStorage
import GimbalStore
import GimbalWire
import Logging

/// Makes metrics and log lines of what a space's writer does.
final class SpaceObserver: SpaceWatcher {
    private let space: SpaceID
    private let logger: Logger
    private let steps: CoreMetrics.Timer
    private let storage: CoreMetrics.Timer

    init(_ space: SpaceID, _ logger: Logger) {
        self.space = space
        self.logger = logger
        let dimensions = [("space", space.label)]
        steps = CoreMetrics.Timer(
            label: MetricName.commitTime.rawValue, dimensions: dimensions, factory: ServerMetrics.registry)
        storage = CoreMetrics.Timer(
            label: MetricName.fsyncTime.rawValue, dimensions: dimensions, factory: ServerMetrics.registry)
    }

    func committed(step: UInt64, storage nanoseconds: UInt64) {
        steps.recordNanoseconds(Int64(clamping: step))
        storage.recordNanoseconds(Int64(clamping: nanoseconds))
    }

    func commitFailed(_ reason: String) {
        Counter(
            label: MetricName.commitFailures.rawValue, dimensions: [("space", space.label), ("reason", reason)],
            factory: ServerMetrics.registry
        ).increment()
    }

    func storageFailed(_ error: StorageError) {
        let isFull = if case .full = error { true } else { false }
        logger.error(
            isFull ? "the disk is full: writes are refused, reads go on" : "the storage failed: writes are refused, reads go on",
            metadata: describing(error))
    }

    func storageWorks() { logger.notice("writes are stored again", metadata: metadata) }

    func storageDamaged(_ error: StorageError) {
        logger.error("stored data is damaged: what cannot be read is not served", metadata: describing(error))
    }

    private func describing(_ error: StorageError) -> Logger.Metadata {
        metadata.merging(["code": "\(error.code)", "detail": "\(error)"]) { $1 }
    }

    func refused(_ letters: [DeadLetter]) {
        guard let first = letters.first else { return }
        logger.warning(
            "the pivot refused writes of this node: they are in the dead letters",
            metadata: metadata.merging(
                ["count": "\(letters.count)", "first": "\(first.operation.path)", "reason": "\(first.reason)"]) { $1 })
    }

    private var metadata: Logger.Metadata { ["space": "\(space.label)"] }
}

/// Counts what pushes are answered with.
struct PushMeter: Sendable {
    private let space: String

    init(_ space: SpaceID) { self.space = space.label }

    func answered(_ verdict: Answer.Verdict) { counter(.verdicts, "verdict", verdict.rawValue).increment() }

    /// A node's push that nobody answered, or somebody without the pivot's signature.
    func failed(_ failure: Exchange.Failure) {
        let verdict = if case .refused(let refusal) = failure { "status-\(refusal.status)" } else { "unanswered" }
        counter(.verdicts, "verdict", verdict).increment()
    }

    func refused(_ reasons: [String]) { for reason in reasons { counter(.refusedOperations, "reason", reason).increment() } }

    func capped() {
        Counter(label: MetricName.cappedPushes.rawValue, dimensions: [("space", space)], factory: ServerMetrics.registry)
            .increment()
    }

    private func counter(_ name: MetricName, _ label: String, _ value: String) -> Counter {
        Counter(label: name.rawValue, dimensions: [("space", space), (label, value)], factory: ServerMetrics.registry)
    }
}

extension SpaceID {
    /// What metrics and log lines call it.
    var label: String { String(hex.prefix(16)) }
}

extension AuthorID {
    var label: String { String(hex.prefix(16)) }
}
