import GimbalCRDT
import GimbalReplication
import GimbalWire
import Laws
import Testing

/// What a node takes from its pivot and what it does about its own past, step by step.
struct NodeRuleTests {
    private func spaceWithNews() throws -> (SmallSpace, NodePage) {
        var space = try SmallSpace()
        let delta = try space.delta([(1, "settings", .assign(value: Array("1".utf8), created: .zero))], incarnation: 99)
        #expect(try space.push(delta).verdict == .accepted)
        return (space, try #require(try space.page()))
    }

    /// The node shows a bad page, and nothing of it was applied.
    private func expectRefused(_ page: NodePage, by space: SmallSpace, _ comment: Comment) throws {
        var space = space
        let (before, path) = (space.node.core.cursor, try #require(Path("settings")))
        try space.stepNode(.page(page))
        #expect(space.node.faults == ["bad-page"], comment)
        #expect(space.node.core.cursor == before && space.node.disk.base.states[path] == nil, comment)
    }

    @Test("a page that does not lead to its checkpoint changes nothing")
    func checkpoints() throws {
        let (space, page) = try spaceWithNews()
        try expectRefused(space.changing(page) { $0.stateDigest = .zero }, by: space, "another state")
        try expectRefused(space.changing(page) { $0.logRoot = .zero }, by: space, "another log")
        try expectRefused(space.changing(page) { $0.position += 1 }, by: space, "another position")
        try expectRefused(space.changing(page) { $0.epoch = Epoch(number: 0, random: 3) }, by: space, "a smaller epoch")
        try expectRefused(space.changing(page) { $0.epoch.random ^= 1 }, by: space, "another epoch of the same number")
        var accepting = space
        try accepting.stepNode(.page(page))
        #expect(accepting.node.faults.isEmpty)
        #expect(accepting.node.core.cursor == space.pivot.core.place)
    }

    @Test("an entry whose cap does not rise, or that hides what it does not refuse, is not taken")
    func entries() throws {
        let (space, page) = try spaceWithNews()
        var low = page
        low.entries[0].cap = space.node.core.base.greatestStamp
        try expectRefused(low, by: space, "a cap that does not rise")
        var refusing = page
        refusing.entries[0].refusals = [Refusal(index: 0, reason: "forbidden")]
        try expectRefused(refusing, by: space, "refused and shown")
        var twice = page
        twice.entries.append(twice.entries[0])
        try expectRefused(twice, by: space, "an entry twice")
    }

    @Test("a page that does not begin at the cursor is left alone")
    func gap() throws {
        let (space, page) = try spaceWithNews()
        var ahead = page
        ahead.after += 1
        var other = space
        try other.stepNode(.page(ahead))
        #expect(other.node.core.cursor == space.node.core.cursor && other.node.faults.isEmpty)
        try other.stepNode(.page(page))
        let there = other.node.core.cursor
        try other.stepNode(.page(page))
        #expect(other.node.core.cursor == there && other.node.faults.isEmpty)
    }

    @Test("an operation observes again what pending ones before it observed: if they are refused it means the same")
    func observedAgain() throws {
        var space = try SmallSpace()
        let foreign = try space.delta(
            [(1, "things/1", .put(value: Array("1".utf8), created: .zero, observed: []))], incarnation: 99)
        _ = try space.push(foreign)
        try space.pull()
        try space.writeAtNode("things/1", "2")
        try space.writeAtNode("things/1", "3")
        let seen = Dot(replica: foreign.header.replica, sequence: 1)
        #expect(space.node.everythingPending.map(\.observed) == [[seen], [seen]])
    }

    @Test("lesson 23: a refused operation is a dead letter, accepted ones of its delta leave the outbox")
    func deadLetters() throws {
        var space = try SmallSpace()
        try space.writeAtNode("settings", "1")
        try space.write(
            SpaceRecords.memberPath(space.signer.author),
            MemberRecord(name: "", writes: [try #require(Pattern("things/*"))]).json)
        try space.pushFromNode()
        try space.pull()
        #expect(space.node.disk.deadLetters.map(\.reason) == ["forbidden"])
        #expect(space.node.disk.deadLetters.map(\.operation.path.description) == ["settings"])
        #expect(space.node.core.outboxCount == 0 && space.node.disk.pending.isEmpty && space.node.disk.overlays.isEmpty)
        try space.writeAtNode("settings", "2")
        #expect(space.node.disk.pending.isEmpty, "a node checks its own grants")
    }

    @Test("what the pivot says it took, but the log does not show, is offered again byte for byte")
    func offeredAgain() throws {
        var space = try SmallSpace()
        try space.writeAtNode("settings", "1")
        let push = try #require(space.node.outgoing)
        let sent = push.deltas.map(\.verified.sealed)
        space.node.outgoing = nil
        let foreign = try space.delta(
            [(1, "things/1", .put(value: Array("1".utf8), created: .zero, observed: []))], incarnation: 99)
        #expect(try space.push(foreign).verdict == .accepted)
        let answer = Answer(
            space: SmallSpace.space, nonce: [1], verdict: .accepted, place: space.pivot.core.place, pivotMilliseconds: 0)
        try space.stepNode(.pushAnswered(answer, push: push.number))
        #expect(space.node.outgoing == nil && space.node.core.outboxCount == 1)
        try space.pull()
        #expect(space.node.outgoing?.deltas.map(\.verified.sealed) == sent)
        try space.pushFromNode()
        try space.pull()
        #expect(space.node.core.outboxCount == 0)
    }

    @Test("lesson 27: after a copy wrote under the same name, what is pending is written again and replaces its own past")
    func reissue() throws {
        var space = try SmallSpace()
        try space.writeAtNode("things/1", "1")
        try space.pushFromNode()
        try space.pull()
        let path = try #require(Path("things/1"))
        let first = try #require(space.node.disk.base.states[path]?.writes.first).dot
        // A copy of the folder writes the same sequence first.
        let copy = try space.delta([(5, "things/2", .put(value: Array("8".utf8), created: .zero, observed: []))])
        #expect(copy.header.replica == space.node.core.replica)
        try space.writeAtNode("things/1", "2")
        #expect(try space.push(copy).verdict == .accepted)
        try space.pushFromNode()
        #expect(space.node.core.isInvestigating)
        try space.pull(withOwnBodies: true)
        #expect(space.node.disk.record.spoiledFrom == 2, "the mark is on disk before anything is written again")
        try space.stepNode(.reissue)
        let again = try #require(space.node.everythingPending.first)
        #expect(space.node.core.replica.incarnation != 7 && space.node.disk.record.spoiledFrom == 0)
        #expect(again.sequence == 1)
        #expect(again.observed == [first], "what was written under the old name is named now")
        space.node.restart()
        try space.stepNode(.joined(place: space.pivot.core.place))
        try space.pushFromNode()
        try space.pull()
        #expect(space.node.core.outboxCount == 0)
        let live = space.pivot.disk.base.states[path]?.writes
        #expect(live?.map { $0.value.map { String(decoding: $0, as: UTF8.self) } } == ["2"])
    }

    @Test("an answer or a failure of another push than the last means nothing", arguments: [0, 2])
    func otherPush(number: UInt64) throws {
        var space = try SmallSpace()
        try space.writeAtNode("settings", "1")
        let push = try #require(space.node.outgoing)
        #expect(push.number == 1)
        let answer = Answer(
            space: SmallSpace.space, nonce: [1], verdict: .malformed, place: space.pivot.core.place, pivotMilliseconds: 0)
        try space.stepNode(.pushAnswered(answer, push: number))
        try space.stepNode(.pushFailed(push: number))
        #expect(space.node.faults.isEmpty)
        try space.writeAtNode("settings", "2")
        try space.pushFromNode()
        guard case .seal? = space.node.takeErrands().last else { Issue.record("its answer lets the next one go"); return }
    }

    @Test("a snapshot that lacks what the base holds is not taken, also of a later epoch")
    func poorSnapshot() throws {
        var (space, page) = try spaceWithNews()
        let poor = space.node.core.base
        try space.pull()
        let rich = space.node.core.base
        for (base, isTaken) in [(poor, false), (rich, true)] {
            let checkpoint = try space.changing(page) {
                $0.epoch.number += 1
                $0.position = base.position
            }.checkpoint
            let snapshot = StagedSnapshot(base: base, checkpoint: checkpoint, greatestLiveStamp: .zero, entries: 0)
            try space.stepNode(.snapshot(snapshot))
            #expect(space.node.faults == ["pivot-lost"], "of the first")
            #expect(space.node.core.base.position == rich.position)
            #expect((space.node.core.record.epoch == checkpoint.checkpoint.epoch) == isTaken)
        }
        #expect(space.node.core.fault == nil)
    }

    @Test("an outbox that is spoiled is sealed whole, under a new name")
    func spoiledOutbox() throws {
        var space = try SmallSpace()
        let copy = try space.delta([(5, "things/2", .put(value: Array("8".utf8), created: .zero, observed: []))])
        try space.writeAtNode("things/1", "1")
        try space.writeAtNode("things/2", "2")
        #expect(try space.push(copy).verdict == .accepted)
        try space.pushFromNode()
        try space.pull(withOwnBodies: true)
        #expect(space.node.core.isSpoiled)
        try space.writeAtNode("things/3", "3")
        try space.stepNode(.sealOutbox)
        let sealed = space.node.disk.sealed.values.map(\.link)
        #expect(sealed.map(\.firstSequence).min() == 1 && space.node.core.sealedThrough == 3)
        #expect(space.node.everythingPending.map(\.path.description) == ["things/1", "things/2", "things/3"])
        #expect(space.node.core.replica.incarnation != 7 && !space.node.core.isSpoiled)
    }

    @Test("a crash between the mark and the re-issue seals nothing more under the spoiled name")
    func crashBeforeReissue() throws {
        var space = try SmallSpace()
        let copy = try space.delta([(5, "things/2", .put(value: Array("8".utf8), created: .zero, observed: []))])
        try space.writeAtNode("things/1", "2")
        #expect(try space.push(copy).verdict == .accepted)
        try space.pushFromNode()
        try space.pull(withOwnBodies: true)
        #expect(space.node.disk.record.spoiledFrom == 1)
        space.node.restart()
        try space.writeAtNode("things/3", "3")
        #expect(space.node.outgoing == nil)
        try space.stepNode(.joined(place: space.pivot.core.place))
        guard case .investigate? = space.node.takeErrands().last else { Issue.record("the doubt is taken up again"); return }
        try space.stepNode(.investigate(until: space.pivot.core.place))
        try space.stepNode(.reissue)
        #expect(space.node.core.replica.incarnation != 7)
        #expect(space.node.everythingPending.map(\.path.description) == ["things/1", "things/3"])
    }
}
