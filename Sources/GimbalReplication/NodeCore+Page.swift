import GimbalCRDT
import GimbalWire

/// The way down: pages of the log, receipts among them.
extension NodeCore {
    /// What a page did to the base, before it is known to be right.
    private struct PageWork {
        var base: SpaceBase
        var states: WorkingSet
        var changes: BaseChanges
        var entries: [AppendedEntry] = []
        /// Own deltas that the page acknowledges, from the front of the chain.
        var settledLinks = 0
        var settledSequences: [UInt64] = []
        var deadLetters: [DeadLetter] = []
        var touched: Set<Path> = []
        var clock: HybridClock
        var spoiledFrom: UInt64
        /// The pivot's time at the page's checkpoint.
        let pivotMilliseconds: UInt64
        /// The chain of sealed deltas does not fit the log any more.
        var isChainBroken = false
    }

    mutating func apply(_ page: NodePage, _ step: inout NodeStep) {
        guard page.after == base.position else {
            // A stretch that was asked for before something else moved the cursor. The stream believes that this node has it.
            if page.checkpoint.checkpoint.position > base.position {
                step.effects.append(.follow(withOwnBodies: isInvestigating))
            }
            return
        }
        guard isAdmissible(page.checkpoint.checkpoint.epoch) else {
            return refuse("epoch \(page.checkpoint.checkpoint.epoch) after \(record.epoch)", &step)
        }
        guard page.checkpoint.checkpoint.isTimely else {
            return raise(.badPage(detail: "the checkpoint's times are none that a pivot's clock can say"), &step)
        }
        var work = PageWork(
            base: base, states: step.states.states, changes: step.baseChanges, clock: writer.clock,
            spoiledFrom: record.spoiledFrom, pivotMilliseconds: page.checkpoint.checkpoint.pivotMilliseconds)
        for entry in page.entries {
            switch apply(entry, &work, step.states.pending, step.ownDeltas) {
            case .applied: break
            case .unknownReceipt:
                return askForEnd(&step)
            case .wrong(let reason):
                return refuse(reason, &step)
            }
        }
        // What the pages before this one in the step changed is in the digest already.
        let changes = work.states.changes(since: step.states.states, at: work.touched)
        let stateDigest = work.base.settleDigest(changes, primitives)
        let checkpoint = page.checkpoint.checkpoint
        guard work.base.position == checkpoint.position, work.base.firstPosition == checkpoint.firstPosition,
            work.base.frontier.root(primitives) == checkpoint.logRoot
        else { return refuse("the entries do not lead to the checkpoint's log root", &step) }
        guard stateDigest == checkpoint.stateDigest else {
            return refuse("the state differs from the checkpoint's digest", &step)
        }
        adopt(work, page, &step)
    }

    /// The stretch is asked for again: what was damaged on its way comes whole, even if nothing else ever comes.
    private mutating func refuse(_ reason: String, _ step: inout NodeStep) {
        raise(.badPage(detail: reason), &step)
        step.effects.append(.follow(withOwnBodies: isInvestigating))
    }

    func isAdmissible(_ epoch: Epoch) -> Bool {
        epoch == record.epoch || epoch.number > record.epoch.number
    }

    private enum EntryOutcome {
        case applied
        /// A receipt for what this node did not seal: its own past is in doubt.
        case unknownReceipt
        case wrong(String)
    }

    private func apply(
        _ entry: NodePage.Entry, _ work: inout PageWork, _ pending: [UInt64: PendingOperation],
        _ ownDeltas: [Digest: IncomingDelta]
    ) -> EntryOutcome {
        let delta: IncomingDelta
        switch entry.body {
        case .join: return .wrong("a joined log begins with a snapshot")
        case .receipt(let headerHash):
            guard work.settledLinks < chain.count, chain[work.settledLinks].headerHash == headerHash,
                let own = ownDeltas[headerHash]
            else { return .unknownReceipt }
            delta = entry.refusals.isEmpty ? own : own.hiding(entry.refusals, primitives)
        case .delta(let foreign): delta = foreign
        }
        let header = delta.header
        let head = work.base.versionVector[header.replica]
        guard header.space == base.space, head.sequence + 1 == header.firstSequence, head.headerHash == header.previous,
            work.base.coversObserved(of: header), entry.cap > work.base.greatestStamp
        else { return .wrong("an entry that does not extend its replica's head") }
        // The pivot's time never goes back: what it allowed at an earlier commit of the page was no more.
        guard entry.cap <= work.base.nextCap(pivotMilliseconds: work.pivotMilliseconds) else {
            return .wrong("a cap that the checkpoint's time does not allow")
        }
        guard delta.malformed.isEmpty,
            entry.refusals.allSatisfy({ $0.index < header.count && delta.operations[$0.index] == nil }),
            delta.operations.count(where: { $0 == nil }) == entry.refusals.count
        else { return .wrong("an entry whose refused operations are not those that it hides") }
        guard delta.paths.allSatisfy(work.states.isLoaded) else { return .wrong("a page that was prepared for another state") }
        work.base.apply(
            delta, refusals: entry.refusals, cap: entry.cap, leaf: entry.leaf, to: &work.states, &work.changes, primitives)
        work.entries.append(
            AppendedEntry(delta, refusals: entry.refusals, cap: entry.cap, position: work.base.position))
        work.touched.formUnion(delta.paths)
        if let last = delta.operations.last(where: { $0 != nil }) ?? nil {
            work.clock.observe(min(HybridTimestamp(rawValue: header.stamp.rawValue + last.stampOffset), entry.cap))
        }
        if header.replica == replica { settleOwn(delta, entry, &work, pending) }
        return .applied
    }

    /// An own delta is in the log: it leaves the outbox, if it is what was written here.
    private func settleOwn(
        _ delta: IncomingDelta, _ entry: NodePage.Entry, _ work: inout PageWork, _ pending: [UInt64: PendingOperation]
    ) {
        let header = delta.header
        if work.settledLinks < chain.count, chain[work.settledLinks].headerHash == delta.verified.headerHash {
            work.settledLinks += 1
        } else {
            work.isChainBroken = true
            let firstForeign = (0..<header.count).first { index in
                guard let operation = pending[header.firstSequence + UInt64(index)] else { return true }
                return delta.operations[index] != nil && delta.operations[index] != operation.operation(in: header)
            }
            if let firstForeign, work.spoiledFrom == 0 {
                work.spoiledFrom = header.firstSequence + UInt64(firstForeign)
            }
        }
        // What lies before the first foreign operation is proven, in the middle of a delta too.
        let provenThrough =
            work.spoiledFrom == 0 ? header.lastSequence : min(header.lastSequence, work.spoiledFrom - 1)
        guard header.firstSequence <= provenThrough else { return }
        work.settledSequences += header.firstSequence...provenThrough
        for refusal in entry.refusals {
            let sequence = header.firstSequence + UInt64(refusal.index)
            if sequence <= provenThrough, let operation = pending[sequence] {
                work.deadLetters.append(DeadLetter(replica: replica, operation: operation, reason: refusal.reason))
                work.touched.insert(operation.path)
            }
        }
    }

    private mutating func adopt(_ work: PageWork, _ page: NodePage, _ step: inout NodeStep) {
        let checkpoint = page.checkpoint.checkpoint
        if checkpoint.epoch != record.epoch {
            // A new life of the pivot: it may have lost what it answered for.
            receiptsExpectedBy = nil
            offeredThrough = 0
            investigatedHead = nil
        }
        base = work.base
        writer.clock = work.clock
        record.epoch = checkpoint.epoch
        record.checkpoint = page.checkpoint.signed
        record.spoiledFrom = work.spoiledFrom
        step.states.states = work.states
        step.baseChanges = work.changes
        step.entries += work.entries
        step.checkpoint = checkpoint
        step.deadLetters += work.deadLetters
        step.removedPending += work.settledSequences
        step.removedSealed += chain.prefix(work.settledLinks).map(\.firstSequence)
        chain.removeFirst(work.settledLinks)
        if work.isChainBroken {
            step.removedSealed += chain.map(\.firstSequence)
            chain = []
        }
        offeredThrough = max(offeredThrough, receiptHead.sequence)
        step.stale.formUnion(work.touched)
        step.settled.formUnion(work.settledSequences)
        step.published.formUnion(work.touched)
        becomeReady(&step)
        offerAgainWhatIsMissing()
        if case .badPage = fault { clearFault(&step) }
        endInvestigation(&step)
    }

    /// Replays what is still pending over the new base, on the paths that pages touched: once for all pages of a step, since a
    /// replay costs as much as there is pending on the path.
    func rebuildOverlays(_ step: inout NodeStep) {
        guard !step.stale.isEmpty else { return }
        for path in step.stale {
            guard let overlay = step.states.overlay(path) else { continue }
            let operations = overlay.pending.filter { !step.settled.contains($0) }.compactMap { step.states.pending[$0] }
            step.states.setOverlay(path, .replaying(operations, of: replica, over: step.states.states[path]))
        }
        (step.stale, step.settled) = ([], [])
    }
}
