import Foundation
import GimbalCRDT
import GimbalReplication
import GimbalSigning
import GimbalStorage
import GimbalWire
import Synchronization

/// Checks, in the background, what a snapshot's digest did not prove: that every delta in the log is signed by its author, and
/// that all of them, with the hashes that stand for the others, make the log root that the pivot signed. Begun again after
/// a crash; one thread, so that nothing else waits for it.
final class ProofCheck: Sendable {
    private let engine: any StorageEngine
    private let primitives = SodiumPrimitives()
    private let isStopped = Mutex(false)
    private let running = Mutex<DispatchSemaphore?>(nil)
    private let published: Mutex<ProofStatus?>

    init(engine: any StorageEngine) throws(StoreError) {
        self.engine = engine
        published = Mutex(try Self.stored(engine))
    }

    private static func stored(_ engine: any StorageEngine) throws(StoreError) -> ProofStatus? {
        let bytes = try storing { () throws(StorageError) in try engine.load([RecordKey.proofs], from: .metadata)[0] }
        return try bytes.map { bytes throws(StoreError) in
            try decoding("proofs") { () throws(WireError) in try ProofStatus(decoding: bytes) }
        }
    }

    /// After the storage was opened again: a check that it broke off begins anew, and one that an install made due begins.
    func reload() throws(StoreError) {
        if let status = try Self.stored(engine) { restart(status) }
    }

    /// Nil when there never was a snapshot.
    var status: ProofStatus? { published.withLock { $0 } }

    /// Starts the check where one is due.
    func start() {
        guard published.withLock({ $0?.state == .pending }) else { return }
        let ended = DispatchSemaphore(value: 0)
        running.withLock { $0 = ended }
        let thread = Thread { [self] in
            check()
            ended.signal()
        }
        thread.name = "gimbal-proofs"
        thread.stackSize = 1 << 20
        thread.qualityOfService = .background
        thread.start()
    }

    func stop() {
        isStopped.withLock { $0 = true }
        let ended = running.withLock { running in
            defer { running = nil }
            return running
        }
        ended?.wait()
    }

    /// After a snapshot of so many entries took the log's place.
    func restart(_ status: ProofStatus) {
        stop()
        published.withLock { $0 = status }
        isStopped.withLock { $0 = false }
        start()
    }

    private enum Outcome: Error {
        case stopped
        case failed(String)
        case store(StoreError)
    }

    private func check() {
        do throws(Outcome) {
            try checkLog()
            finish(.verified)
        } catch {
            switch error {
            case .stopped, .store: break
            case .failed(let reason): finish(.failed(reason))
            }
        }
    }

    private func finish(_ state: ProofStatus.State) {
        guard var status else { return }
        status.state = state
        var batch = StorageBatch()
        batch.put(status.encoded, at: RecordKey.proofs, in: .metadata)
        // What is not stored is checked again after the next start.
        try? engine.commit(batch)
        published.withLock { $0 = status }
    }

    private func checkLog() throws(Outcome) {
        let view: any StorageView
        let checkpoint: Checkpoint
        do throws(StoreError) {
            view = try storing { () throws(StorageError) in try engine.view() }
            guard let signed = try SpaceLoader(view: view).nodeRecord()?.checkpoint else { return }
            checkpoint = try decoding("checkpoint") { () throws(WireError) in try Checkpoint(decoding: signed.payload) }
        } catch {
            throw .store(error)
        }
        var parts = LogParts(view, checkpoint.firstPosition..<(checkpoint.position + 1))
        let root = try MerkleTree.root(
            of: checkpoint.firstPosition..<(checkpoint.position + 1), primitives,
            next: { () throws(Outcome) -> LogSubtree? in
                let part: LogParts.Part?
                do throws(StoreError) { part = try parts.next() } catch { throw .store(error) }
                switch part {
                case nil: return nil
                case .subtree(let subtree): return subtree
                case .entry(let position, let bytes):
                    return LogSubtree(first: position, leaves: 1, hash: try leaf(bytes, at: position))
                }
            })
        guard root == checkpoint.logRoot else { throw .failed("the log does not lead to the checkpoint's log root") }
    }

    private func leaf(_ bytes: [UInt8], at position: UInt64) throws(Outcome) -> Digest {
        guard !isStopped.withLock({ $0 }) else { throw .stopped }
        let entry: LogEntry
        do throws(WireError) {
            entry = try LogEntry(decoding: bytes)
        } catch {
            throw .failed("entry \(position): \(error)")
        }
        // What came by pages was verified then.
        let through = status?.through ?? 0
        if position <= through, case .delta(let sealed) = entry.body {
            guard sealed.isSigned(primitives) else { throw .failed("entry \(position) is not signed by its author") }
            published.withLock { $0?.checked += 1 }
        }
        return entry.leaf(primitives)
    }
}

/// How far the proofs of a snapshot are checked.
public struct ProofStatus: Hashable, Sendable {
    public enum State: Hashable, Sendable {
        case pending
        case verified
        /// What the pivot sent proves less than it says.
        case failed(String)
    }

    public var state: State
    /// The snapshot's last position.
    public var through: UInt64
    /// Entries of the snapshot, and how many of them are checked since the check began.
    public var entries: UInt64
    public var checked: UInt64 = 0

    init(state: State = .pending, through: UInt64, entries: UInt64) {
        self.state = state
        self.through = through
        self.entries = entries
    }

    var encoded: [UInt8] {
        var writer = CBORWriter()
        writer.array(count: 3)
        writer.unsigned(through)
        writer.unsigned(entries)
        switch state {
        case .pending: writer.null()
        case .verified: writer.text("")
        case .failed(let reason): writer.text(String(reason.prefix(200)))
        }
        return writer.bytes
    }

    init(decoding bytes: [UInt8]) throws(WireError) {
        var reader = CBORReader(bytes)
        try reader.array(of: 3)
        through = try reader.ordinal()
        entries = try reader.ordinal()
        if reader.takeNull() {
            state = .pending
        } else {
            let reason = try reader.text()
            state = reason.isEmpty ? .verified : .failed(reason)
            checked = entries
        }
        try reader.expectEnd()
    }
}
