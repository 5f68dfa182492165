import GimbalCRDT
import GimbalWire

/// What a node does when the log holds other operations under its own name: its folder was copied, or is an older one.
///
/// It pulls to the log's end with the bodies of its own deltas. An own operation counts as accepted only if the log holds the
/// same bytes under its dot. If all that the log holds equals own operations, the rest is sealed after the accepted head with
/// its dots unchanged; otherwise it is written again in its order under a new incarnation, stamps and paths kept.
extension NodeCore {
    /// A receipt names what was not sealed here.
    mutating func askForEnd(_ step: inout NodeStep) {
        guard investigation == .none else { return }
        investigation = .asking
        step.effects.append(.investigate)
    }

    /// What the shell was told to do, and what a crash or a commit that failed may have cut off.
    func resumeInvestigation(_ step: inout NodeStep) {
        switch investigation {
        case .none, .pulling: break
        case .asking: step.effects.append(.investigate)
        case .reissuing: step.effects.append(.reissue)
        }
    }

    mutating func investigate(_ until: Cursor, _ step: inout NodeStep) {
        guard investigation == .asking else { return }
        beginInvestigation(until: until, &step)
    }

    mutating func beginInvestigation(until: Cursor, _ step: inout NodeStep) {
        push = .paused
        investigation = .pulling(until: until)
        step.effects.append(.follow(withOwnBodies: true))
        endInvestigation(&step)
    }

    /// Once the base is at the log's end, everything that is known of the own past is known.
    mutating func endInvestigation(_ step: inout NodeStep) {
        guard case .pulling(let until) = investigation, base.position >= until.position else { return }
        let head = receiptHead
        let isSpoiled = record.spoiledFrom > 0 || head.sequence >= writer.nextSequence
        if isSpoiled {
            if record.spoiledFrom == 0 { record.spoiledFrom = writer.nextSequence }
            investigation = .reissuing
            step.isRecordChanged = true
            step.effects.append(.reissue)
        } else {
            investigation = .none
            push = .idle
            offeredThrough = head.sequence
            receiptsExpectedBy = nil
            if chain.first.map({ $0.firstSequence != head.sequence + 1 }) ?? false {
                step.removedSealed += chain.map(\.firstSequence)
                chain = []
            }
            step.effects.append(.follow(withOwnBodies: false))
        }
    }

    /// Writes everything pending again, in its order, under a new incarnation.
    ///
    /// The stamps stay: it was the dots that were spoiled, not the time. What the log holds of the old incarnation and this
    /// node wrote itself was observed without being named; from the new incarnation it must be named.
    mutating func reissue(
        _ operations: [PendingOperation], _ step: inout NodeStep, using random: inout some RandomNumberGenerator
    ) {
        guard investigation == .reissuing else { return }
        writeAgain(operations, &step, using: &random)
        step.effects.append(.follow(withOwnBodies: false))
    }

    /// Seals what is not sealed yet, for a pivot change. What is spoiled is written again first, by what is known until now: the
    /// log of the pivot that is left says no more.
    mutating func sealOutbox(
        _ operations: [PendingOperation], _ step: inout NodeStep, using random: inout some RandomNumberGenerator
    ) {
        if isSpoiled {
            writeAgain(operations, &step, using: &random)
            appendSealed(step.added, &step)
        } else {
            appendSealed(operations.filter { $0.sequence > sealedThrough }, &step)
        }
    }

    private mutating func writeAgain(
        _ operations: [PendingOperation], _ step: inout NodeStep, using random: inout some RandomNumberGenerator
    ) {
        let firstForeign = record.spoiledFrom
        // Removals come before additions of the same numbers: the store applies them in that order.
        step.removedPending += operations.map(\.sequence)
        beginIncarnation(with: operations, whereOwn: { $0.sequence < firstForeign }, &step, using: &random)
        for (path, group) in Dictionary(grouping: step.added, by: \.path) {
            step.states.setOverlay(path, .replaying(group, of: replica, over: step.states.states[path]))
            step.published.insert(path)
        }
        investigation = .none
        push = .idle
        offeredThrough = 0
        receiptsExpectedBy = nil
    }

    /// Gives operations that are taken out of the outbox new dots of a new incarnation, in their order.
    ///
    /// - Parameter isOwn: whether a dot of the old incarnation that is live in the base is proven to be of this node.
    mutating func beginIncarnation(
        with operations: [PendingOperation], whereOwn isOwn: (Dot) -> Bool, _ step: inout NodeStep,
        using random: inout some RandomNumberGenerator
    ) {
        let old = replica
        writer = Writer(
            replica: ReplicaID(author: signer.author, incarnation: random.next()), nextSequence: 1, clock: writer.clock,
            primitives)
        var reissued: [PendingOperation] = []
        for operation in operations {
            var renamed = operation
            renamed.sequence = writer.nextSequence
            writer.nextSequence += 1
            if !operation.path.isRegister {
                let ownAccepted = (step.states.states[operation.path]?.writes ?? []).map(\.dot)
                    .filter { $0.replica == old && $0.sequence < operation.sequence && isOwn($0) }
                renamed.observed = Set(operation.observed).union(ownAccepted).sorted()
            }
            reissued.append(renamed)
        }
        step.added += reissued
        step.states.pending = Dictionary(uniqueKeysWithValues: reissued.map { ($0.sequence, $0) })
        step.removedSealed += chain.map(\.firstSequence)
        chain = []
        record.author = writer.replica.author
        record.incarnation = writer.replica.incarnation
        step.isIncarnationNew = true
        record.spoiledFrom = 0
        step.isRecordChanged = true
    }
}
