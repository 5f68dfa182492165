import GimbalCRDT
import GimbalReplication
import GimbalWire
import Laws
import Testing

/// What a pivot accepts, refuses and answers: rules that no well-behaved node ever meets.
struct PivotRuleTests {
    private let one = Array("1".utf8)

    private func assign(_ seconds: UInt64, _ path: String = "settings") -> (UInt64, String, GimbalWire.Operation.Action) {
        (seconds, path, .assign(value: one, created: .zero))
    }

    private func put(_ seconds: UInt64, _ path: String = "things/1") -> (UInt64, String, GimbalWire.Operation.Action) {
        (seconds, path, .put(value: one, created: .zero, observed: []))
    }

    @Test("who is no member, or not any more, gets nothing in")
    func members() throws {
        var space = try SmallSpace()
        let before = space.pivot.core.base.position
        #expect(try space.push(space.delta([assign(1)], by: FastSigner(number: 9))).verdict == .notAMember)
        var revoked = try SmallSpace(isRevoked: true)
        #expect(try revoked.push(revoked.delta([assign(1)])).verdict == .notAMember)
        #expect(space.pivot.core.base.position == before)
        #expect(revoked.pivot.disk.base.states[try #require(Path("settings"))] == nil)
    }

    @Test("what the pivot signed itself comes in from a bundle alone, and never under the incarnation that it writes with")
    func ownDeltas() throws {
        var space = try SmallSpace()
        let own = try space.delta([put(1), put(2, "_members/1"), put(3, "others/1")], by: space.pivotSigner, incarnation: 99)
        #expect(try space.push(own).verdict == .notAMember)
        #expect(try space.push(own, isFromBundle: true).verdict == .accepted)
        #expect(space.refusals == [Refusal(index: 2, reason: "outside-space")])
        #expect(space.dots("things/1") == [1] && space.dots("_members/1") == [2])
        let stranger = try space.delta([put(1, "things/2")], by: FastSigner(number: 9))
        #expect(try space.push(stranger, isFromBundle: true).verdict == .notAMember)
        let used = try #require(space.pivot.disk.log.first).delta.header.replica.incarnation
        let next = try space.delta([put(60, "things/3")], by: space.pivotSigner, incarnation: used)
        #expect(try space.push(next, isFromBundle: true).verdict == .head)
        #expect(space.dots("things/3").isEmpty)
    }

    @Test("what is wrong with an operation refuses that operation alone, with its reason")
    func refusals() throws {
        var space = try SmallSpace(writes: ["things/*"])
        let large: GimbalWire.Operation.Action = .put(
            value: Array("\"\(String(repeating: "x", count: 30))\"".utf8), created: .zero, observed: [])
        let delta = try space.delta([
            put(1), assign(2), put(3, "others/1"), (4, "things/2", large), put(5, "_members/1"), put(6, "things/3"),
        ])
        #expect(try space.push(delta).verdict == .accepted)
        #expect(
            space.refusals == [
                Refusal(index: 1, reason: "forbidden"), Refusal(index: 2, reason: "outside-space"),
                Refusal(index: 3, reason: "too-large"), Refusal(index: 4, reason: "outside-space"),
            ])
        #expect(space.dots("things/1") == [1])
        #expect(space.dots("things/3") == [6])
        #expect(space.dots("settings").isEmpty && space.dots("things/2").isEmpty && space.dots("others/1").isEmpty)
        let logged = try #require(space.pivot.disk.log.last).delta
        #expect(logged.operations.map { $0 == nil } == [false, true, true, true, true, false])
    }

    @Test("stamps that do not rise, or leave the range, refuse their operation alone")
    func stamps() throws {
        var space = try SmallSpace()
        let delta = try space.delta([put(1), put(5, "things/2"), put(3, "things/3"), put(9, "things/4")])
        #expect(try space.push(delta).verdict == .accepted)
        #expect(space.refusals == [Refusal(index: 2, reason: "bad-stamp")])
        #expect(space.dots("things/4") == [4])
    }

    @Test("a delta must extend the head that the pivot holds, by number and by hash")
    func chain() throws {
        var space = try SmallSpace()
        let first = try space.delta([assign(1)])
        let twin = try space.delta([assign(2)])
        #expect(try space.push(first).verdict == .accepted)
        let again = try space.push(first)
        #expect(again.verdict == .head)
        #expect(again.head == Head(sequence: 1, headerHash: first.verified.headerHash))
        #expect(try space.push(twin).verdict == .head)
        let forked = try space.delta([assign(3)], previous: twin.verified.headerHash)
        #expect(try space.push(forked).verdict == .head)
        #expect(try space.push(space.delta([assign(3)])).verdict == .accepted)
    }

    @Test("what observes unseen dots is answered: pull first")
    func dependency() throws {
        var space = try SmallSpace()
        let stranger = ReplicaID(author: FastSigner(number: 2).author, incarnation: 1)
        let remove: GimbalWire.Operation.Action = .remove(observed: [.init(replicaIndex: 0, sequence: 1)])
        let delta = try space.delta([(1, "things/1", remove)], observed: [.init(replica: stranger, greatestSequence: 1)])
        #expect(try space.push(delta).verdict == .dependency)
    }

    @Test("a delta of another space, deltas of two replicas and a hidden operation are not taken")
    func malformed() throws {
        var space = try SmallSpace()
        let foreign = try space.delta([assign(1)], space: SpaceID(words: Words32(1, 2, 3, 4)))
        #expect(try space.push(foreign).verdict == .wrongSpace)
        let (one, two) = (try space.delta([assign(1)]), try space.delta([assign(1)], incarnation: 8))
        #expect(try space.push(one, two).verdict == .malformed)
        let whole = try space.delta([assign(2), assign(3)], incarnation: 9)
        let pruned = IncomingDelta(whole.verified.pruned(keeping: { $0 == 0 }, FastPrimitives()))
        #expect(try space.push(pruned).verdict == .malformed)
    }

    @Test("lesson 26: a cursor that the log does not contain is answered: refill")
    func unknownCursor() throws {
        var space = try SmallSpace()
        var cursor = space.pivot.core.place
        cursor.logRoot = .zero
        #expect(try space.push(space.delta([assign(1)]), cursor: cursor).verdict == .refill)
        cursor = space.pivot.core.place
        cursor.position += 1
        #expect(try space.push(space.delta([assign(1)]), cursor: cursor).verdict == .refill)
        cursor = space.pivot.core.place
        cursor.epoch.random ^= 1
        #expect(try space.push(space.delta([assign(1)]), cursor: cursor).verdict == .refill)
    }

    @Test("a refused dot is kept until an accepted operation observes it")
    func observedRefusal() throws {
        var space = try SmallSpace(writes: ["things/*"])
        _ = try space.push(space.delta([assign(1), put(2)]))
        let replica = ReplicaID(author: space.signer.author, incarnation: 7)
        #expect(space.pivot.core.base.refused == [Dot(replica: replica, sequence: 1): "forbidden"])
        let remove: GimbalWire.Operation.Action = .remove(observed: [.init(replicaIndex: 0, sequence: 1)])
        let table = [DeltaHeader.Observed(replica: replica, greatestSequence: 1)]
        #expect(try space.push(space.delta([(3, "things/2", remove)], observed: table, incarnation: 8)).verdict == .accepted)
        #expect(space.pivot.core.base.refused.isEmpty && space.pivot.disk.base.refused.isEmpty)
    }

    @Test("lesson 4: a cap keeps a clock that is ahead near the pivot's time; who has seen the value can overwrite it")
    func caps() throws {
        var space = try SmallSpace()
        space.now = Now(wallMilliseconds: space.now.wallMilliseconds + 1000, steadyMilliseconds: 0)
        _ = try space.push(space.delta([assign(365 * 86_400)]))
        let ahead = try #require(space.pivot.disk.log.last).entry.cap
        let path = try #require(Path("settings"))
        #expect(ahead == SmallSpace.stamp(31))
        #expect(space.pivot.disk.base.states[path]?.writes.map(\.stamp) == [ahead])
        _ = try space.push(space.delta([assign(366 * 86_400)]))
        let next = try #require(space.pivot.disk.log.last).entry.cap
        #expect(next == ahead.successor)
        #expect(space.dots("settings") == [2])
    }

    @Test("a pivot's time never goes back, and goes on where its wall clock was set back")
    func time() throws {
        var space = try SmallSpace()
        _ = try space.push(space.delta([assign(1)]))
        let first = try #require(space.pivot.disk.base.checkpoint).pivotMilliseconds
        space.now = Now(wallMilliseconds: 5, steadyMilliseconds: 2000)
        _ = try space.push(space.delta([assign(2)]))
        #expect(try #require(space.pivot.disk.base.checkpoint).pivotMilliseconds == first + 2000)
        space.pivot = PivotServer(disk: space.pivot.disk, signer: space.pivotSigner)
        space.now = Now(wallMilliseconds: 5, steadyMilliseconds: 0)
        _ = try space.push(space.delta([assign(3)]))
        #expect(try #require(space.pivot.disk.base.checkpoint).pivotMilliseconds == first + 2000)
    }

    @Test("each start opens an epoch with its first commit, and writes under a new incarnation")
    func epochs() throws {
        var space = try SmallSpace()
        let replicas = Set(space.pivot.disk.log.map(\.delta.header.replica))
        space.pivot = PivotServer(disk: space.pivot.disk, signer: space.pivotSigner)
        try space.write(try #require(Path("_settings")), SpaceSettings().json)
        let epochs = space.pivot.disk.record.epochs
        #expect(epochs.map(\.epoch.number) == [1, 2])
        #expect(epochs.map(\.firstPosition) == [1, 3])
        #expect(!replicas.contains(try #require(space.pivot.disk.log.last).delta.header.replica))
    }

    @Test("a wall clock beyond the year 2200 counts as none: stamps go on from the last, and nothing is out of reach for ever")
    func brokenClock() throws {
        var space = try SmallSpace()
        let wall = space.now.wallMilliseconds
        space.now = Now(wallMilliseconds: .max / 2, steadyMilliseconds: 5)
        #expect(try space.push(space.delta([assign(1)], incarnation: 99)).verdict == .accepted)
        try space.writeAtNode("settings", "2")
        try space.pushFromNode()
        try space.pull()
        #expect(space.node.faults.isEmpty && space.node.core.outboxCount == 0)
        #expect(space.pivot.disk.record.clock.milliseconds < wall + 60_000)
        space.now = Now(wallMilliseconds: wall + 10, steadyMilliseconds: 10)
        #expect(try space.push(space.delta([assign(2)], incarnation: 99)).verdict == .accepted)
        try space.pull()
        #expect(space.node.core.cursor == space.pivot.core.place && space.node.faults.isEmpty)
    }

    @Test("where the range of stamps is used up nothing is taken that no node could take")
    func exhausted() throws {
        let space = try SmallSpace()
        var core = PivotCore(
            base: SpaceBase(space: SmallSpace.space, greatestStamp: .greatest), record: PivotRecord(),
            signer: space.pivotSigner, primitives: FastPrimitives())
        var random = SeededRandom(seed: 1)
        let write = WriteRequest(token: 7, action: .record(SpaceRecords.settingsPath, value: SpaceSettings().json))
        let push = PivotPush(token: 8, cursor: .start, deltas: [try space.delta([assign(1)])])
        let facts = PivotFacts(states: WorkingSet([SpaceRecords.settingsPath: nil]))
        let step = core.step([.write(write), .push(push)], given: facts, now: space.now, using: &random)
        #expect(step.commit == nil && step.directives.count == 2)
        for directive in step.directives {
            switch directive {
            case .answerWrite(let token, let result): #expect(token == 7 && result == .failure(.clockExhausted))
            case .answerPush(let token, let outcome): #expect(token == 8 && outcome.detail == "clock-exhausted")
            case .publish: Issue.record("something was taken")
            }
        }
    }

    @Test("where the last stamp goes to the first delta of a push, the second is not taken")
    func exhaustedAmidPush() throws {
        var (space, other) = (try SmallSpace(), try SmallSpace())
        let first = try space.delta([assign(1)], incarnation: 99)
        #expect(try other.push(first).verdict == .accepted)
        let second = try other.delta([assign(2)], incarnation: 99)
        // A cap is one beyond the greatest stamp so far.
        let almost = HybridTimestamp(rawValue: HybridTimestamp.greatest.rawValue - 1)
        var records = space.pivot.core.base.records
        for (path, state) in space.pivot.disk.base.states { records.update(path, state) }
        var core = PivotCore(
            base: SpaceBase(space: SmallSpace.space, greatestStamp: almost, records: records), record: PivotRecord(),
            signer: space.pivotSigner, primitives: FastPrimitives())
        var random = SeededRandom(seed: 1)
        let push = PivotPush(token: 8, cursor: .start, deltas: [first, second])
        let states = WorkingSet(Dictionary(uniqueKeysWithValues: first.paths.map { ($0, nil) }))
        let step = core.step([.push(push)], given: PivotFacts(states: states), now: space.now, using: &random)
        for case .answerPush(_, let outcome) in step.directives { #expect(outcome.detail == "clock-exhausted") }
        #expect(core.base.position == 1)
    }

    @Test("a steady clock that ran away brings no time that a node would not take")
    func runawayClock() throws {
        var space = try SmallSpace()
        for steady: UInt64 in [1 << 50, 1 << 62, .max] {
            space.now = Now(wallMilliseconds: space.now.wallMilliseconds, steadyMilliseconds: steady)
            #expect(try space.push(space.delta([assign(1)], incarnation: 99)).verdict == .accepted)
            try space.pull()
            #expect(space.node.core.cursor == space.pivot.core.place && space.node.faults.isEmpty)
            try space.writeAtNode("settings", "2")
            #expect(space.node.core.record.clock.milliseconds < Now.latestWallMilliseconds)
        }
    }

    @Test("writes that share a commit see each other", arguments: ["settings", "things/9"])
    func writesOfOneCommit(name: String) throws {
        var space = try SmallSpace()
        let path = try #require(Path(name))
        let actions: [WriteRequest.Action] = [
            .delete(path), .set(path, value: Array(#"{"a":1}"#.utf8)), .patch(path, patch: Array(#"{"b":2}"#.utf8)),
            .delete(path), .delete(path), .patch(path, patch: Array(#"{"c":3}"#.utf8)),
            .set(path, value: Array(#"{"d":4}"#.utf8)), .patch(path, patch: Array(#"{"e":5}"#.utf8)),
        ]
        var random = SeededRandom(seed: 1)
        let inputs = actions.enumerated().map { PivotInput.write(WriteRequest(token: UInt64($0), action: $1)) }
        let directives = try #require(try space.pivot.step(inputs, now: space.now, using: &random))
        var answers: [UInt64: Result<Written, WriteFailure>] = [:]
        for case .answerWrite(let token, let answer) in directives { answers[token] = answer }
        #expect(answers.filter { $1 == .failure(.notFound) }.keys.sorted() == [0, 4, 5])
        let shown = try #require(space.pivot.disk.base.states[path]?.visible)
        #expect(shown.value == Array(#"{"d":4,"e":5}"#.utf8))
        #expect(try shown.created == answers[6]?.get().stamp && shown.stamp == answers[7]?.get().stamp)
    }

    @Test("a space cannot allow clocks to be so far ahead that stamps come near their end")
    func clockAllowance() {
        let settings = SpaceSettings(json: Array(#"{"patterns":["*"],"maxClockAhead":9000000000000}"#.utf8))
        #expect(settings?.maxClockAheadMilliseconds == 366 * 86_400_000)
    }
}
