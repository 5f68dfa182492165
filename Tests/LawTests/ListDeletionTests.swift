import GimbalCRDT
import GimbalReplication
import GimbalWire
import Laws
import Testing

/// A list goes in one step: all of what is named and can be seen, or nothing.
struct ListDeletionTests {
    private func paths(_ names: String...) throws -> [Path] { try names.map { try #require(Path($0)) } }

    private func step(_ space: inout SmallSpace, _ actions: WriteRequest.Action...) throws -> [PivotDirective] {
        let inputs = actions.enumerated().map { PivotInput.write(WriteRequest(token: UInt64($0), action: $1)) }
        return try #require(try space.pivot.step(inputs, now: space.now, using: &space.random))
    }

    @Test("a pivot deletes members and registers in one commit, leaves out what is gone, and answers when it was told")
    func atPivot() throws {
        var space = try SmallSpace()
        let (one, two, gone, register) = ("things/1", "things/2", "things/3", "settings")
        for path in try paths(one, two, register) { _ = try step(&space, .set(path, value: Array("1".utf8))) }
        let before = space.pivot.disk.log.count
        let directives = try step(&space, .deleteAll(paths(one, two, gone, register)))
        #expect(space.pivot.disk.log.count == before + 1)
        let delta = try #require(space.pivot.disk.log.last).delta
        #expect(delta.operations.compactMap { $0?.path.description } == [one, two, register])
        for path in try paths(one, two, register) { #expect(space.pivot.disk.base.states[path]?.visible == nil) }
        guard case .publish(_, let told) = directives[0], case .answerWrite(0, .success) = directives[1] else {
            Issue.record("the answer comes after the publication")
            return
        }
        #expect(told.count == 3)
        let again = try step(&space, .deleteAll(paths(one, two, gone)))
        guard case .answerWrite(0, .failure(.notFound)) = again[0], again.count == 1 else {
            Issue.record("nothing there is nothing to commit")
            return
        }
        try space.pull()
        #expect(space.node.faults.isEmpty && space.node.core.cursor == space.pivot.core.place)
    }

    @Test("writes of the same step are seen")
    func amongOthers() throws {
        var space = try SmallSpace()
        let path = try #require(Path("things/1"))
        let value = Array("1".utf8)
        let directives = try step(
            &space, .set(path, value: value), .deleteAll([path]), .deleteAll([path]), .set(path, value: value))
        var answers: [UInt64: Bool] = [:]
        for case .answerWrite(let token, let result) in directives { answers[token] = (try? result.get()) != nil }
        #expect(answers == [0: true, 1: true, 2: false, 3: true])
        #expect(space.pivot.disk.base.states[path]?.writes.count == 1)
    }

    @Test("what others wrote and nobody here has seen survives")
    func observedRemove() throws {
        var space = try SmallSpace()
        let path = try #require(Path("things/1"))
        _ = try step(&space, .set(path, value: Array("1".utf8)))
        try space.pull()
        try space.stepNode(.write(WriteRequest(token: 9, action: .deleteAll([path]))))
        let concurrent = try space.delta(
            [(1, "things/1", .put(value: Array("2".utf8), created: .zero, observed: []))], incarnation: 99)
        #expect(try space.push(concurrent).verdict == .accepted)
        try space.pushFromNode()
        try space.pull()
        #expect(space.pivot.disk.base.states[path]?.visible?.value == Array("2".utf8))
        #expect(space.node.core.outboxCount == 0 && space.node.core.cursor == space.pivot.core.place)
    }

    @Test("one path that may not be written refuses all of them, at pivot and node")
    func grants() throws {
        var space = try SmallSpace(writes: ["things/*"])
        let value = Array("1".utf8)
        for path in try paths("things/1", "settings") { _ = try step(&space, .set(path, value: value)) }
        try space.pull()
        let position = space.pivot.core.base.position
        let refused = try step(&space, .deleteAll(paths("things/1", "elsewhere/1")))
        guard case .answerWrite(0, .failure(.outsideSpace)) = refused[0] else { Issue.record("outside-space expected"); return }
        try space.stepNode(.write(WriteRequest(token: 1, action: .deleteAll(paths("things/1", "settings")))))
        #expect(space.node.disk.pending.isEmpty && space.pivot.core.base.position == position)
        try space.stepNode(.write(WriteRequest(token: 2, action: .deleteAll(paths("things/1")))))
        #expect(space.node.disk.pending.count == 1)
    }

    @Test("where the stamps end amid a list nothing of it is taken, and no sequence is lost")
    func exhausted() throws {
        let space = try SmallSpace()
        let names = try paths("things/1", "things/2")
        let dot = Dot(replica: ReplicaID(author: FastSigner(number: 5).author, incarnation: 1), sequence: 1)
        let live = PathState.member(
            Member(live: [Write(dot: dot, stamp: .zero, created: .zero, operationHash: .zero, value: Array("1".utf8))]))
        let almost = HybridTimestamp(rawValue: HybridTimestamp.greatest.rawValue - 1)
        let vector = VersionVector(heads: [dot.replica: Head(sequence: 1, headerHash: .zero)])
        var core = PivotCore(
            base: SpaceBase(space: SmallSpace.space, versionVector: vector, records: space.pivot.core.base.records),
            record: PivotRecord(clock: almost), signer: space.pivotSigner, primitives: FastPrimitives())
        var random = SeededRandom(seed: 1)
        let actions: [WriteRequest.Action] = [.deleteAll(names), .delete(names[0])]
        let inputs = actions.enumerated().map { PivotInput.write(WriteRequest(token: UInt64($0), action: $1)) }
        let states = WorkingSet(Dictionary(uniqueKeysWithValues: names.map { ($0, live) }))
        let step = core.step(inputs, given: PivotFacts(states: states), now: space.now, using: &random)
        var failures: [UInt64: WriteFailure] = [:]
        for case .answerWrite(let token, .failure(let failure)) in step.directives { failures[token] = failure }
        #expect(failures == [0: .clockExhausted])
        let commit = try #require(step.commit, "the other is written")
        #expect(commit.base.entries.first?.link?.firstSequence == 1 && commit.base.states.map(\.path) == [names[0]])
    }
}
