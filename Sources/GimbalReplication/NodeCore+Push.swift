import GimbalCRDT
import GimbalWire

/// The way up: sealing the outbox, one push in flight, and what the pivot's answers mean.
extension NodeCore {
    /// When nothing is on its way, what this step wrote is sealed in the same commit and can leave at once.
    mutating func sealWhatWasWritten(_ step: inout NodeStep) {
        guard push == .idle, investigation == .none, let first = step.added.first,
            first.sequence == sealedThrough + 1
        else { return }
        appendSealed(step.added, &step)
    }

    mutating func seal(_ operations: [PendingOperation], _ step: inout NodeStep) {
        guard case .sealing(let after) = push else { return }
        push = .idle
        guard investigation == .none else { return }
        if operations.first?.sequence == sealedThrough + 1 {
            appendSealed(operations, &step)
        } else if after == sealedThrough {
            // Not what a page moved meanwhile: asking again would bring the same.
            let found = operations.first.map { "\($0.sequence)" } ?? "nothing"
            pause(
                .local(code: "outbox-damaged", detail: "the outbox goes on with \(found), not with \(sealedThrough + 1)"), &step)
        }
    }

    mutating func appendSealed(_ operations: [PendingOperation], _ step: inout NodeStep) {
        var remaining = operations[...]
        while !remaining.isEmpty {
            let part = remaining.prefix(Sealing.prefixLength(of: remaining, targetBytes: window.deltaBytes))
            remaining = remaining.dropFirst(part.count)
            let previous = chain.last?.headerHash ?? receiptHead.headerHash
            let delta = Sealing.seal(part, of: replica, in: base.space, after: previous, with: signer, primitives)
            let link = SealedLink(
                firstSequence: delta.header.firstSequence, lastSequence: delta.header.lastSequence,
                headerHash: delta.verified.headerHash, bytes: delta.verified.sealed.bytes.count)
            chain.append(link)
            step.addedSealed.append(SealedOutboxDelta(link: link, delta: delta.verified))
        }
    }

    /// Starts the next push or sealing when nothing is on its way.
    mutating func continuePush(_ step: inout NodeStep) {
        guard push == .idle, investigation == .none, record.isReady || readyTarget != nil else { return }
        let waiting = window.prefix(of: chain, after: offeredThrough)
        if let first = waiting.first, let last = waiting.last {
            pushNumber += 1
            push = .inFlight(
                from: first.firstSequence, through: last.lastSequence, receiptsThrough: receiptHead.sequence,
                Sent(deltas: waiting.count, bytes: waiting.reduce(0) { $0 + $1.bytes }))
            step.effects.append(.push(number: pushNumber, cursor, firstSequences: waiting.map(\.firstSequence)))
        } else if sealedThrough + 1 < writer.nextSequence {
            push = .sealing(after: sealedThrough)
            step.effects.append(.seal)
        }
    }

    /// What the answer to the push in flight means.
    mutating func settle(_ answer: Answer, _ step: inout NodeStep) {
        guard case .inFlight(let first, let through, let receiptsWhenSent, let sent) = push else { return }
        push = .idle
        window.answered(sent.bytes)
        switch answer.verdict {
        case .accepted:
            offeredThrough = through
            receiptsExpectedBy = answer.place
            investigatedHead = nil
            clearFault(&step)
        case .head:
            settle(head: answer.head, sentFrom: first, receiptsWhenSent, answer, &step)
        case .dependency:
            // Only dots of the base are observed, so the pivot had them once.
            pause(.pivotLost(detail: answer.detail), &step)
        case .refill:
            pause(.pivotLost(detail: answer.detail), &step)
        case .malformed, .badSignature, .notAMember, .wrongSpace, .gone, .current:
            pause(.refused(answer.verdict, detail: answer.detail), &step)
        }
    }

    /// No answer came. What is too large for the way goes in smaller pushes at once, as far as it was sealed in parts.
    mutating func pushFailed(isTooLarge: Bool) {
        guard case .inFlight(_, _, _, let sent) = push else { return }
        window.failed(sent.bytes, isTooLarge: isTooLarge)
        push = isTooLarge && sent.deltas > 1 ? .idle : .paused
    }

    mutating func pause(_ fault: NodeFault, _ step: inout NodeStep) {
        push = .paused
        raise(fault, &step)
    }

    /// The pivot holds another head of this replica than the push extends; the own chain tells what that means. Whatever it
    /// means, the next push differs from this one, or there is none: an answer that leads nowhere is shown.
    private mutating func settle(
        head: Head, sentFrom first: UInt64, _ receiptsWhenSent: UInt64, _ answer: Answer, _ step: inout NodeStep
    ) {
        if first == head.sequence + 1, head == receiptHead || chain.contains(where: { $0.headerHash == head.headerHash }) {
            pause(.refused(.head, detail: "the pivot refuses what extends the head that it names"), &step)
        }
        if head == receiptHead {
            // What was sent may be in the log already, and its receipt here before the answer.
            offeredThrough = head.sequence
            if let next = chain.first, next.firstSequence != head.sequence + 1 {
                let detail = "what was sealed begins with \(next.firstSequence), the log ends with \(head.sequence)"
                pause(.local(code: "outbox-damaged", detail: detail), &step)
            }
        } else if chain.contains(where: { $0.lastSequence == head.sequence && $0.headerHash == head.headerHash }) {
            offeredThrough = head.sequence
            receiptsExpectedBy = answer.place
        } else if head.sequence < receiptHead.sequence, head.sequence >= receiptsWhenSent {
            // It was answered before the receipts that are here by now.
            offeredThrough = receiptHead.sequence
        } else if head.sequence < receiptHead.sequence {
            pause(
                .pivotLost(detail: "it holds \(head.sequence) of this node's operations, and once held \(receiptHead.sequence)"),
                &step)
        } else {
            // Neither in the chain nor behind it: this folder was copied, or is an older one. The log tells, once.
            if investigatedHead == head {
                let detail = "the pivot holds \(head.sequence) of this node's operations, and its log does not"
                return pause(.refused(.head, detail: detail), &step)
            }
            investigatedHead = head
            beginInvestigation(until: answer.place, &step)
        }
    }

    /// A delta whose receipt has not come although the pull is past the place where it must be is offered again.
    mutating func offerAgainWhatIsMissing() {
        guard let expected = receiptsExpectedBy, base.position >= expected.position else { return }
        receiptsExpectedBy = nil
        offeredThrough = receiptHead.sequence
    }
}
