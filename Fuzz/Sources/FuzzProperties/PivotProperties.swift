import GimbalCRDT
import GimbalReplication
import GimbalWire

/// A pivot among members who may send anything that they can sign. The input is a script of its own writes and of pushes; after
/// each commit the log alone, read back from its bytes, must give the same state to whoever replays it, and to a node.
enum PivotProperties {
    static func check(_ bytes: [UInt8]) {
        var script = Script(bytes)
        var world = PivotWorld()
        world.found()
        for _ in 0..<24 where !script.isAtEnd {
            if script.below(4) == 0 { world.write(&script) } else { world.push(&script) }
        }
        world.checkNode()
    }
}

/// The pivot, what it committed, and a node that follows.
private struct PivotWorld {
    static let primitives = TrustingPrimitives()
    static let space = SpaceID(words: Words32(1, 0, 0, 0))
    static let members = [AuthorID(words: Words32(3, 0, 0, 0)), AuthorID(words: Words32(4, 0, 0, 0))]
    static let paths = ["things/1", "things/2", "one", "two", "a/b/c", "elsewhere/1", "_settings", "_members/x"].map(Scene.path)
    static let values = ["1", #"{"a":{"b":[1,null]}}"#, "\"\"", "{", "", "[[[[[[[[[[[[", #"{"patterns":["**"],"revoked":true}"#]

    private var pivot: PivotCore
    private var node: NodeCore
    private var random = ScriptRandom(seed: 1)
    private var wall: UInt64 = 1_000_000
    private var states: [Path: PathState] = [:]
    private var nodeStates: [Path: PathState] = [:]
    private var log: [LogEntry] = []
    private var checkpoint: Checkpoint?

    init() {
        let signer = BlankSigner(author: AuthorID(words: Words32(2, 0, 0, 0)))
        pivot = PivotCore(
            base: SpaceBase(space: Self.space), record: PivotRecord(), signer: signer, primitives: Self.primitives)
        node = NodeCore(
            base: SpaceBase(space: Self.space), record: NodeRecord(incarnation: 9), chain: [],
            signer: BlankSigner(author: Self.members[0]), primitives: Self.primitives)
    }

    mutating func found() {
        var settings = SpaceSettings()
        settings.patterns = ["things/*", "one", "a/**"].compactMap { Pattern($0) }
        settings.limits.valueBytes = 64
        run(.write(WriteRequest(token: 0, action: .record(SpaceRecords.settingsPath, value: settings.json))))
        for (author, pattern) in zip(Self.members, ["things/*", "**"]) {
            let member = MemberRecord(name: "m", writes: [pattern].compactMap { Pattern($0) })
            run(.write(WriteRequest(token: 0, action: .record(SpaceRecords.memberPath(author), value: member.json))))
        }
    }

    // MARK: Inputs

    mutating func write(_ script: inout Script) {
        let path = script.element(of: Self.paths)
        // A write that comes from a client is JSON already.
        let value = Array(script.element(of: Array(Self.values.prefix(3))).utf8)
        let actions: [WriteRequest.Action] = [
            .set(path, value: value), .delete(path), .push(base: path, value: value), .patch(path, patch: value),
        ]
        let action = script.element(of: actions)
        wall &+= script.number()
        guard !path.isReserved else { return }
        run(.write(WriteRequest(token: 1, action: action)))
    }

    mutating func push(_ script: inout Script) {
        let replica = ReplicaID(author: script.element(of: Self.members), incarnation: UInt64(script.below(2)))
        var head = pivot.base.versionVector[replica]
        var deltas: [IncomingDelta] = []
        for _ in 0...script.below(3) {
            guard let delta = delta(of: replica, after: head, &script) else { continue }
            deltas.append(delta)
            head = Head(sequence: delta.header.lastSequence, headerHash: delta.verified.headerHash)
        }
        wall &+= script.number()
        let place = script.flag() ? pivot.place : .start
        run(.push(PivotPush(token: 1, cursor: place, deltas: deltas)))
    }

    /// Most fields are right most of the time. Nil when it would not even decode.
    private func delta(of replica: ReplicaID, after head: Head, _ script: inout Script) -> IncomingDelta? {
        let oddity = script.byte()
        let heads = pivot.base.versionVector.sorted.filter { $0.replica != replica }
        let observed = heads.map { head in
            DeltaHeader.Observed(
                replica: head.replica,
                greatestSequence: oddity & 1 == 0 ? head.head.sequence : max(1, head.head.sequence &+ script.number()))
        }
        let operations = (0...script.below(4)).map { operation(index: $0, tableCount: observed.count, &script) }
        let header = DeltaHeader(
            space: oddity == 2 ? SpaceID(words: Words32(7, 7, 7, 7)) : Self.space, replica: replica,
            firstSequence: oddity == 4 ? script.number() : head.sequence + 1, count: operations.count,
            stamp: HybridTimestamp(rawValue: 0x10_0000 &+ script.number()),
            previous: oddity == 6 ? Digest(words: Words32(8, 8, 8, 8)) : head.headerHash, observed: observed, root: .zero)
        let sealed = VerifiedDelta(
            sealing: operations, header: header, with: BlankSigner(author: replica.author), Self.primitives)
        guard let received = try? SealedDelta(decoding: sealed.sealed.bytes),
            let verified = try? received.verified(Self.primitives)
        else { return nil }
        return IncomingDelta(verified)
    }

    private func operation(index: Int, tableCount: Int, _ script: inout Script) -> [UInt8] {
        let kind = script.byte()
        if kind >= 0xf8 { return [0x83] + script.take(3) }
        let path = script.element(of: Self.paths)
        let value = Array(script.element(of: Self.values).utf8)
        let created = HybridTimestamp(rawValue: script.number())
        var dots: [Operation.Observed] = []
        for _ in 0..<script.below(4) {
            dots.append(.init(replicaIndex: script.below(max(tableCount, 1)), sequence: max(1, script.number())))
        }
        if kind & 8 == 0 { dots = Array(Set(dots)).sorted() }
        let action: Operation.Action =
            switch (kind & 3, path.isRegister != (kind & 0x70 == 0x70)) {
            case (0, true): .clear
            case (_, true): .assign(value: value, created: created)
            case (0, false): .remove(observed: dots)
            case (_, false): .put(value: value, created: created, observed: dots)
            }
        let offset = kind & 4 == 0 ? UInt64(index) : script.number()
        return Operation(stampOffset: offset, path: path, action: action).encoded
    }

    // MARK: Steps

    private mutating func run(_ input: PivotInput) {
        let needs = pivot.needs(of: [input])
        var loaded: [Path: PathState?] = [:]
        for path in needs.paths + needs.leavingPaths { loaded[path] = .some(states[path]) }
        var facts = PivotFacts(states: WorkingSet(loaded))
        // The latest one is kept, and nodes name its position or the start.
        for position in needs.positions where position == checkpoint?.position { facts.checkpoints[position] = checkpoint }
        let now = Now(wallMilliseconds: wall, steadyMilliseconds: wall)
        let step = pivot.step([input], given: facts, now: now, using: &random)
        if let commit = step.commit { take(commit) }
        var answers = 0
        for directive in step.directives {
            switch directive {
            case .answerWrite, .answerPush: answers += 1
            case .publish(let published, _): require(published == checkpoint, "what is published was committed")
            }
        }
        require(answers == 1, "every input is answered once")
    }

    private mutating func take(_ commit: PivotCommit) {
        for (path, state) in commit.base.states { states[path] = state }
        var entries: [LogEntry] = []
        for appended in commit.base.entries {
            require(appended.position == UInt64(log.count + entries.count + 1), "positions have no gap")
            guard let entry = try? LogEntry(decoding: appended.bytes) else { return require(false, "a log entry can be read") }
            requireSame(entry.encoded, as: appended.bytes)
            entries.append(entry)
        }
        log += entries
        checkpoint = commit.base.checkpoint
        checkReplay()
        follow(entries)
    }

    /// The whole log once more, with nothing but its bytes and the rules.
    private func checkReplay() {
        var replay = SpaceState()
        var lastCap = HybridTimestamp.zero
        for entry in log {
            require(entry.cap > lastCap && entry.cap.isWellFormed || entry.cap == .greatest, "caps rise")
            lastCap = entry.cap
            guard let delta = Self.incoming(entry) else { return require(false, "the log holds deltas that verify") }
            let refused = Dictionary(uniqueKeysWithValues: entry.refusals.map { ($0.index, $0.reason) })
            let header = delta.header
            require(delta.malformed.isEmpty, "what is malformed was refused")
            for index in 0..<header.count {
                let hash = index == header.count - 1 ? delta.verified.headerHash : .zero
                if let (path, effect) = delta.effect(index, cap: entry.cap) {
                    require(refused[index] == nil, "what was refused is hidden")
                    replay.apply(effect, to: path, headerHash: hash)
                } else {
                    require(refused[index] != nil, "what is hidden was refused")
                    replay.refuse(header.dot(at: index), reason: refused[index] ?? "", headerHash: hash)
                }
            }
        }
        require(replay.paths == states, "a replay of the log ends in the same state")
        require(replay.versionVector == pivot.base.versionVector, "a replay of the log ends at the same heads")
        require(replay.refused == pivot.base.refused, "a replay of the log refuses the same")
        require(Self.digest(replay) == checkpoint?.stateDigest, "the checkpoint's digest is that of the state")
        let leaves = log.map { $0.leaf(Self.primitives) }
        require(MerkleTree.root(leaves, Self.primitives) == checkpoint?.logRoot, "the checkpoint's root is that of the log")
    }

    private static func incoming(_ entry: LogEntry) -> IncomingDelta? {
        guard case .delta(let sealed) = entry.body else { return nil }
        return (try? sealed.verified(primitives)).map { IncomingDelta($0) }
    }

    private static func digest(_ state: SpaceState) -> Digest {
        var digest = StateDigest()
        for (path, one) in state.paths { digest.replace([], with: one.writes, on: path, primitives) }
        for (dot, reason) in state.refused { digest.count(refused: dot, reason: reason, .adding, primitives) }
        for (replica, head) in state.versionVector.heads { digest.count(head, of: replica, .adding, primitives) }
        return digest.value(primitives)
    }

    /// The node takes the page of this commit.
    private mutating func follow(_ entries: [LogEntry]) {
        guard let checkpoint else { return }
        let signed = SignedPayload(payload: checkpoint.encoded, signature: BlankSigner.signature)
        guard let verified = try? VerifiedCheckpoint(verifying: signed, by: Self.members[0], of: Self.space, Self.primitives)
        else { return require(false, "a checkpoint can be read") }
        let read = entries.compactMap { entry in
            Self.incoming(entry).map {
                NodePage.Entry(body: .delta($0), cap: entry.cap, refusals: entry.refusals, leaf: entry.leaf(Self.primitives))
            }
        }
        let paths = Set(entries.compactMap(Self.incoming).flatMap(\.paths))
        let loaded = Dictionary(uniqueKeysWithValues: paths.map { ($0, nodeStates[$0]) })
        let page = NodePage(after: node.base.position, entries: read, checkpoint: verified)
        let facts = NodeFacts(states: NodeWorkingSet(states: loaded, overlays: loaded.mapValues { _ in nil }))
        let step = node.step(
            [.page(page)], given: facts, now: Now(wallMilliseconds: wall, steadyMilliseconds: wall), using: &random)
        for (path, state) in step.commit?.base?.states ?? [] { nodeStates[path] = state }
    }

    func checkNode() {
        require(node.fault == nil, "a node takes what its pivot says: \(String(describing: node.fault))")
        require(node.cursor == pivot.place, "a node is where its pivot is")
        require(nodeStates == states, "a node has the state of its pivot")
    }
}
