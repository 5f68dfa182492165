import GimbalCRDT
import GimbalReplication
import GimbalWire

/// A pivot and its nodes as values, and a network that does what the history says.
struct ExchangeWorld {
    private(set) var pivot: PivotServer
    private(set) var nodes: [NodeServer] = []
    /// States of logs that a restored backup ended: nodes may still hold parts of them.
    private(set) var lostLogs: [PivotServer.Disk] = []
    /// A folder was copied or taken back: a write may then be delivered twice.
    private(set) var hasCopies = false
    /// Writes that were answered, the pivot's records not counted.
    private(set) var writeCount = 0
    private var savedPivot: PivotServer.Disk?
    private var latePushes: [NodeServer.Push] = []
    private var stalePages: [Int: NodePage] = [:]
    private var clocks = Clocks()
    private var random: SeededRandom
    private var nextToken: UInt64 = 0
    private let paths: [Path]
    private let tick: UInt64
    private let pivotSigner = FastSigner(number: 0)

    init(_ history: History) throws(Violation) {
        random = SeededRandom(seed: history.seed ^ 0x6578_6368)
        paths = history.paths
        tick = history.swarm.tick
        let base = BaseDisk(space: SpaceID(words: Words32(0x5ace, 0, 0, 0)))
        pivot = PivotServer(disk: .init(base: base), signer: pivotSigner)
        var settings = SpaceSettings()
        settings.patterns = [Pattern("**")].compactMap { $0 }
        try writeRecord(SpaceRecords.settingsPath, settings.json)
        let signers = (1..<max(2, history.swarm.replicas)).map { FastSigner(number: $0) }
        for signer in signers { try grant(signer.author, .all) }
        nodes = [NodeServer(signer: signers[0], disk: .init(base: base, record: NodeRecord(incarnation: random.next())))]
        try pull(0, limit: .max)
        // The others have pulled the same: nothing of their own is in it.
        let first = nodes[0].disk
        for signer in signers.dropFirst() {
            var disk = first
            disk.record.incarnation = random.next()
            nodes.append(NodeServer(signer: signer, disk: disk))
        }
    }

    mutating func play(_ step: Step) throws(Violation) {
        clocks.advance(by: tick)
        switch step {
        case .write(let who, let kind, let path, let waits): try write(who, kind, path, waits: waits)
        case .push(let who, let fate): try push(node(who), fate)
        case .pull(let who, _, let limit): try pull(node(who), limit: limit)
        case .stalePage(let who): try deliverStalePage(node(who))
        case .clock(let who, let offset): clocks.set(who % (nodes.count + 1), offset: offset)
        case .crash(let who): crash(who)
        case .failCommit(let who):
            if who == 0 { pivot.failsNextCommit = true } else { nodes[node(who)].failsNextCommit = true }
        case .save(let who):
            if who == 0 { savedPivot = pivot.disk } else { nodes[node(who)].saved = nodes[node(who)].disk }
        case .restore(let who): restore(who)
        case .clone(let who): clone(node(who))
        case .grant(let who, let grant): try self.grant(nodes[node(who)].signer.author, grant)
        case .limit(let bytes): try setLimit(bytes)
        }
    }

    /// Numbers of servers count the pivot as 0.
    private func node(_ who: Int) -> Int { (max(1, who) - 1) % nodes.count }

    // MARK: Writes

    private mutating func write(_ who: Int, _ kind: Step.Kind, _ pathNumber: Int, waits: Bool) throws(Violation) {
        let number = who % (nodes.count + 1)
        nextToken += 1
        let path = paths[pathNumber % paths.count]
        let value = Array("\(nextToken)".utf8)
        let action: WriteRequest.Action
        switch kind {
        case .set: action = .set(path, value: value)
        case .large: action = .set(path, value: Array("\"\(String(repeating: "x", count: 60))\(nextToken)\"".utf8))
        case .delete: action = .delete(path)
        case .patch: action = .patch(path, patch: Array("{\"a\":\(nextToken)}".utf8))
        case .add:
            guard let base = Path("things") else { preconditionFailure("things is a path") }
            action = .push(base: base, value: value)
        }
        let request = WriteRequest(token: nextToken, action: action)
        if number == 0 {
            pivot.waiting.append(request)
            if !waits { try stepPivot([]) }
        } else {
            nodes[number - 1].waiting.append(request)
            if !waits { try stepNode(number - 1, []) }
        }
    }

    private mutating func writeRecord(_ path: Path, _ json: [UInt8]) throws(Violation) {
        nextToken += 1
        pivot.waiting.append(WriteRequest(token: nextToken, action: .record(path, value: json)))
        try stepPivot([])
    }

    private mutating func grant(_ author: AuthorID, _ grant: Step.Grant) throws(Violation) {
        let patterns = grant == .things ? ["things/*"] : ["**"]
        let record = MemberRecord(
            name: "", writes: patterns.compactMap { Pattern($0) }, isRevoked: grant == .revoked)
        try writeRecord(SpaceRecords.memberPath(author), record.json)
    }

    private mutating func setLimit(_ bytes: Int) throws(Violation) {
        var settings = pivot.core.base.records.settings
        settings.limits.valueBytes = bytes
        try writeRecord(SpaceRecords.settingsPath, settings.json)
    }

    // MARK: Steps of the cores

    /// Takes what waits together with `inputs`; nil when the commit failed.
    @discardableResult
    private mutating func stepPivot(_ inputs: [PivotInput]) throws(Violation) -> [PivotDirective]? {
        let writes = pivot.waiting
        pivot.waiting = []
        let directives = try pivot.step(writes.map { .write($0) } + inputs, now: clocks.now(0), using: &random)
        for case .answerWrite(_, .success(let written)) in directives ?? [] where !written.path.isReserved { writeCount += 1 }
        return directives
    }

    private mutating func stepNode(_ number: Int, _ inputs: [NodeInput]) throws(Violation) {
        let writes = nodes[number].waiting
        nodes[number].waiting = []
        let before = nodes[number].disk.acknowledged.count
        try nodes[number].step(writes.map { .write($0) } + inputs, now: clocks.now(number + 1), using: &random)
        writeCount += nodes[number].disk.acknowledged.count - before
        try checkFaults(nodes[number])
    }

    /// Faults that nothing in the history explains.
    private func checkFaults(_ node: NodeServer) throws(Violation) {
        for fault in node.faults {
            let isExplained = fault == "not-a-member" || (fault == "pivot-lost" && !lostLogs.isEmpty)
            try require(isExplained, "a node and its pivot never contradict each other", fault)
        }
    }

    private mutating func tend(_ number: Int, isPivotAway: Bool) throws(Violation) {
        for errand in nodes[number].takeErrands() {
            switch errand {
            case .seal: try stepNode(number, [.seal])
            case .reissue:
                // What waits is a step of its own: the errand concerns everything that is on disk.
                try stepNode(number, [])
                try stepNode(number, [.reissue])
            case .investigate:
                if isPivotAway {
                    nodes[number].postpone(errand)
                } else {
                    try stepNode(number, [.investigate(until: pivot.core.place)])
                }
            }
        }
    }

    // MARK: The network

    /// The node reaches its pivot for the first time since either started.
    private mutating func connect(_ number: Int) throws(Violation) {
        guard !nodes[number].isJoined else { return }
        nodes[number].isJoined = true
        try stepNode(number, [.joined(place: pivot.core.place)])
    }

    mutating func push(_ number: Int, _ fate: Step.Fate) throws(Violation) {
        if fate != .lost { try connect(number) }
        try tend(number, isPivotAway: fate == .lost)
        if nodes[number].outgoing == nil { try stepNode(number, [.retryPush]) }
        try tend(number, isPivotAway: fate == .lost)
        guard let push = nodes[number].outgoing else { return }
        nodes[number].outgoing = nil
        var answer: Answer?
        switch fate {
        case .delivered: answer = try receive(push)
        case .lost: break
        case .late: latePushes.append(push)
        case .answerLost: _ = try receive(push)
        case .twice:
            answer = try receive(push)
            let second = try receive(push)
            if random.isDrawn(percent: 50) { answer = second }
        }
        try stepNode(number, [answer.map { .pushAnswered($0, push: push.number) } ?? .pushFailed(push: push.number)])
        if fate == .delivered, let late = latePushes.popLast() { _ = try receive(late) }
    }

    /// What the pivot answers; nil when it could not store it.
    private mutating func receive(_ push: NodeServer.Push) throws(Violation) -> Answer? {
        let input = PivotPush(token: 0, cursor: push.cursor, deltas: push.deltas)
        guard let directives = try stepPivot([.push(input)]) else { return nil }
        for case .answerPush(_, let outcome) in directives {
            return Answer(
                space: pivot.disk.base.space, nonce: [1], verdict: outcome.verdict, head: outcome.head,
                place: pivot.core.place, pivotMilliseconds: 0, detail: outcome.detail)
        }
        throw Violation("a push is answered")
    }

    mutating func pull(_ number: Int, limit: Int) throws(Violation) {
        try connect(number)
        try tend(number, isPivotAway: false)
        let cursor = nodes[number].core.cursor
        guard pivot.contains(cursor) else { return }
        let own = nodes[number].wantsOwnBodies ? nil : nodes[number].core.replica
        guard let page = pivot.page(after: cursor.position, limit: limit, receiptsFor: own) else { return }
        stalePages[number] = page
        try stepNode(number, [.page(page)])
        try tend(number, isPivotAway: false)
    }

    private mutating func deliverStalePage(_ number: Int) throws(Violation) {
        // A page of a log that a backup ended belongs to a connection that ended with it.
        guard let page = stalePages[number] else { return }
        try stepNode(number, [.page(page)])
    }

    // MARK: Mishaps

    private mutating func crash(_ who: Int) {
        guard who == 0 else {
            nodes[node(who)].restart()
            stalePages[node(who)] = nil
            return
        }
        pivot = PivotServer(disk: pivot.disk, signer: pivotSigner)
        disconnectAll()
    }

    private mutating func disconnectAll() {
        for number in nodes.indices { nodes[number].isJoined = false }
        latePushes = []
        stalePages = [:]
    }

    private mutating func restore(_ who: Int) {
        guard who == 0 else {
            guard let saved = nodes[node(who)].saved else { return }
            nodes[node(who)].restart(from: saved)
            stalePages[node(who)] = nil
            hasCopies = true
            return
        }
        guard let saved = savedPivot, saved.log.count < pivot.disk.log.count else { return }
        lostLogs.append(pivot.disk)
        pivot = PivotServer(disk: saved, signer: pivotSigner)
        disconnectAll()
    }

    private mutating func clone(_ number: Int) {
        guard !hasCopies else { return }
        hasCopies = true
        nodes.append(NodeServer(signer: nodes[number].signer, disk: nodes[number].disk))
    }

    // MARK: Quiet

    /// Nodes that hold what the pivot lost wait for a refill; if there are none, everything settles.
    var canSettle: Bool { nodes.allSatisfy { pivot.contains($0.core.cursor) } }

    /// Everybody may write, everything arrives: until all outboxes are empty and every base is the pivot's state.
    mutating func settle() throws(Violation) {
        pivot.failsNextCommit = false
        for number in nodes.indices { nodes[number].failsNextCommit = false }
        for author in Set(nodes.map(\.signer.author)).sorted() where !isFullMember(author) { try grant(author, .all) }
        for _ in 0..<40 {
            if try isSettled() { return }
            for number in nodes.indices {
                try push(number, .delivered)
                try pull(number, limit: .max)
            }
        }
        let stuck = nodes.indices.filter { nodes[$0].core.outboxCount > 0 || nodes[$0].core.cursor != pivot.core.place }
        throw Violation("outboxes empty and bases reach the log's end", "nodes \(stuck)")
    }

    private func isFullMember(_ author: AuthorID) -> Bool {
        pivot.core.base.records.members[author].map { !$0.isRevoked && $0.writes.map(\.description) == ["**"] } ?? false
    }

    private mutating func isSettled() throws(Violation) -> Bool {
        if !pivot.waiting.isEmpty { try stepPivot([]) }
        for number in nodes.indices where !nodes[number].waiting.isEmpty { try stepNode(number, []) }
        return nodes.allSatisfy { node in
            node.core.outboxCount == 0 && node.core.cursor == pivot.core.place && !node.core.isInvestigating
        }
    }
}
