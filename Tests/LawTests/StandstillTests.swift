import GimbalCRDT
import GimbalReplication
import GimbalWire
import Laws
import Testing

/// Whatever an answer or the disk says: what makes no progress pauses and is shown, and is not tried again at once.
struct StandstillTests {
    private func answer(_ space: SmallSpace, _ head: Head) -> Answer {
        Answer(
            space: SmallSpace.space, nonce: [1], verdict: .head, head: head, place: space.pivot.core.place, pivotMilliseconds: 0,
            detail: "")
    }

    @Test("found C2: an outbox that does not go on where it must is shown, and asked for once")
    func hole() throws {
        var space = try SmallSpace()
        var disk = space.node.disk
        disk.record.nextSequence = 3
        space.node = NodeServer(signer: space.signer, disk: disk)
        try space.stepNode(.joined(place: space.pivot.core.place))
        #expect(space.node.takeErrands().count == 1)
        try space.stepNode(.seal)
        #expect(space.node.faults == ["outbox-damaged"])
        #expect(space.node.takeErrands().isEmpty)
    }

    @Test("a pivot that refuses what extends the head that it names is asked no more")
    func ownHead() throws {
        var space = try SmallSpace()
        try space.writeAtNode("a", "1")
        let first = try #require(space.node.outgoing)
        let answer = Answer(
            space: SmallSpace.space, nonce: [1], verdict: .accepted, head: space.node.core.chain[0].head,
            place: space.pivot.core.place, pivotMilliseconds: 0, detail: "")
        space.node.outgoing = nil
        try space.stepNode(.pushAnswered(answer, push: first.number))
        try space.writeAtNode("b", "2")
        let second = try #require(space.node.outgoing)
        space.node.outgoing = nil
        try space.stepNode(.pushAnswered(self.answer(space, space.node.core.chain[0].head), push: second.number))
        #expect(space.node.faults == ["head"])
        #expect(space.node.outgoing == nil)
    }

    @Test("a head that the log does not hold is looked for in the log once")
    func foreignHead() throws {
        var space = try SmallSpace()
        try space.writeAtNode("a", "1")
        let foreign = Head(sequence: 5, headerHash: space.node.core.cursor.logRoot)
        for round in 0..<2 {
            let sent = try #require(space.node.outgoing, "round \(round)")
            space.node.outgoing = nil
            try space.stepNode(.pushAnswered(answer(space, foreign), push: sent.number))
        }
        #expect(space.node.faults == ["head"])
        #expect(space.node.outgoing == nil)
    }
}

extension SealedLink {
    fileprivate var head: Head { Head(sequence: lastSequence, headerHash: headerHash) }
}
