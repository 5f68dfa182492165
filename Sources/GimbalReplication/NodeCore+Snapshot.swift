import GimbalCRDT
import GimbalWire

/// A space at a checkpoint, staged beside what a node has, its digest equal to the checkpoint's. Only the store makes one.
public struct StagedSnapshot: Sendable {
    public let base: SpaceBase
    public let checkpoint: VerifiedCheckpoint
    /// The greatest effective stamp of what is live in it.
    public let greatestLiveStamp: HybridTimestamp
    /// How many log entries it holds, which prove what is live.
    public let entries: UInt64

    package init(base: SpaceBase, checkpoint: VerifiedCheckpoint, greatestLiveStamp: HybridTimestamp, entries: UInt64) {
        self.base = base
        self.checkpoint = checkpoint
        self.greatestLiveStamp = greatestLiveStamp
        self.entries = entries
    }
}

/// A snapshot takes the base's place: what is pending is settled against it, and the overlay is built anew.
extension NodeCore {
    /// What becomes of the pending operations under a new base.
    private struct Fates {
        /// Nothing waits for them any more.
        var settled: [PendingOperation] = []
        var deadLetters: [DeadLetter] = []
        /// What is left to send, in its order.
        var rest: [PendingOperation] = []
        /// Dots of the old incarnation that are proven to be this node's own.
        var accepted: Set<UInt64> = []
    }

    /// Whether a snapshot holds everything that the base holds, of whichever replica: a pivot that came back from a backup may
    /// offer less, and only this node may still have the rest (Specs/models/retention.pml, SNAPSHOT_UNCHECKED).
    private mutating func covers(_ snapshot: StagedSnapshot, _ step: inout NodeStep) -> Bool {
        for (replica, held) in base.versionVector.sorted {
            let offered = snapshot.base.versionVector[replica]
            if offered.sequence > held.sequence || offered == held { continue }
            let detail = "its snapshot holds \(offered.sequence) operations of \(replica), this base \(held.sequence)"
            raise(.pivotLost(detail: detail), &step)
            return false
        }
        return true
    }

    /// - Parameters:
    ///   - pending: everything in the outbox.
    ///   - step: its states are the snapshot's, of every pending operation's path.
    mutating func install(
        _ snapshot: StagedSnapshot, _ pending: [PendingOperation], _ step: inout NodeStep,
        using random: inout some RandomNumberGenerator
    ) {
        let checkpoint = snapshot.checkpoint.checkpoint
        guard isAdmissible(checkpoint.epoch), checkpoint.epoch != record.epoch || checkpoint.position >= base.position else {
            return raise(.badPage(detail: "a snapshot of \(checkpoint.cursor), before \(cursor)"), &step)
        }
        guard checkpoint.isTimely, snapshot.greatestLiveStamp <= checkpoint.greatestStamp else {
            return raise(.badPage(detail: "a snapshot with times that no pivot's clock can say"), &step)
        }
        guard covers(snapshot, &step) else { return }
        let head = snapshot.base.versionVector[replica]
        let isOwnHead =
            head == receiptHead
            || chain.contains { $0.lastSequence == head.sequence && $0.headerHash == head.headerHash }
        // A key that was replaced says nothing against what was sealed with the old one.
        let isHeadProven = isOwnHead && (!isSpoiled || isOfAnotherKey)
        let fates =
            isHeadProven
            ? fates(of: pending, through: head, snapshot) : fates(ofDoubtful: pending, through: head, snapshot, step.states)
        let ownBefore = receiptHead.sequence
        base = snapshot.base
        writer.clock.observe(snapshot.greatestLiveStamp)
        record.epoch = checkpoint.epoch
        record.checkpoint = snapshot.checkpoint.signed
        step.removedPending += fates.settled.map(\.sequence)
        step.deadLetters += fates.deadLetters
        step.states.pending = Dictionary(uniqueKeysWithValues: fates.rest.map { ($0.sequence, $0) })
        if isOwnHead && !isSpoiled {
            let settled = chain.prefix { $0.lastSequence <= head.sequence }
            step.removedSealed += settled.map(\.firstSequence)
            chain.removeFirst(settled.count)
        } else {
            step.removedPending += fates.rest.map(\.sequence)
            let isOwn = { (dot: Dot) in dot.sequence <= ownBefore || fates.accepted.contains(dot.sequence) }
            beginIncarnation(with: fates.rest, whereOwn: isOwn, &step, using: &random)
        }
        rebuildAllOverlays(&step)
        forgetExchange()
        step.checkpoint = checkpoint
        step.installed = snapshot
        becomeReady(&step)
        clearFault(&step)
        step.effects.append(.follow(withOwnBodies: false))
    }

    /// A header that was sealed here ends at the snapshot's head: everything up to it was taken, or refused with a reason.
    private func fates(of pending: [PendingOperation], through head: Head, _ snapshot: StagedSnapshot) -> Fates {
        var fates = Fates()
        for operation in pending {
            guard operation.sequence <= head.sequence else {
                fates.rest.append(operation)
                continue
            }
            fates.settled.append(operation)
            fates.accepted.insert(operation.sequence)
            if let reason = snapshot.base.refused[Dot(replica: replica, sequence: operation.sequence)] {
                fates.deadLetters.append(DeadLetter(replica: replica, operation: operation, reason: reason))
            }
        }
        return fates
    }

    /// The snapshot's head is nobody's here: the folder was copied, or is an older one. What is live in the snapshot was
    /// accepted; of what is not, nobody can say whether it was.
    private func fates(
        ofDoubtful pending: [PendingOperation], through head: Head, _ snapshot: StagedSnapshot, _ states: NodeWorkingSet
    ) -> Fates {
        var fates = Fates()
        for operation in pending {
            let dot = Dot(replica: replica, sequence: operation.sequence)
            let live = (states.states[operation.path]?.writes ?? []).first { $0.dot == dot }
            if operation.sequence > head.sequence {
                fates.rest.append(operation)
            } else if let reason = snapshot.base.refused[dot] {
                fates.settled.append(operation)
                fates.deadLetters.append(DeadLetter(replica: replica, operation: operation, reason: reason))
            } else if let live {
                // Another's operation under this dot: this one was never taken.
                guard live.value == operation.value else {
                    fates.rest.append(operation)
                    continue
                }
                fates.settled.append(operation)
                fates.accepted.insert(operation.sequence)
            } else {
                fates.settled.append(operation)
                fates.deadLetters.append(DeadLetter(replica: replica, operation: operation, reason: DeadLetter.unknownFate))
            }
        }
        return fates
    }

    private mutating func forgetExchange() {
        push = .idle
        investigation = .none
        investigatedHead = nil
        offeredThrough = receiptHead.sequence
        receiptsExpectedBy = nil
    }

    private func rebuildAllOverlays(_ step: inout NodeStep) {
        let byPath = Dictionary(grouping: step.states.pending.values, by: \.path)
        for path in step.states.overlayPaths.union(byPath.keys) {
            let operations = (byPath[path] ?? []).sorted { $0.sequence < $1.sequence }
            step.states.setOverlay(path, .replaying(operations, of: replica, over: step.states.states[path]))
        }
    }
}

extension DeadLetter {
    /// Nobody can say any more whether the operation was accepted.
    public static let unknownFate = "unknown"
}

extension PendingOperation {
    var value: [UInt8]? {
        switch action {
        case .assign(let value, _), .put(let value, _): value
        case .clear, .remove: nil
        }
    }
}
