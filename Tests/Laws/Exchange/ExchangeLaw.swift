import GimbalCRDT
import GimbalReplication
import GimbalWire

/// The laws of the exchange: the cores of pivot and nodes with pages, receipts, refusals, caps and re-issues, against a model
/// that keeps the whole log.
public struct ExchangeLaw: Law {
    public let share: UInt64 = 3

    public init() {}

    public func check(_ history: History, _ tally: inout Tally) throws(Violation) -> Int {
        var world = try ExchangeWorld(history)
        for step in history.steps { try world.play(step) }
        try checkJoins(world, history, &tally)
        if !world.lostLogs.isEmpty { tally.count("pivots that lost something") }
        if world.canSettle {
            try world.settle()
            try checkEnd(world)
        }
        try checkModel(world.pivot.disk)
        for node in world.nodes { try checkRestart(node) }
        count(world, &tally)
        return world.writeCount
    }

    // MARK: States on the way

    /// Bases at different places, of different logs where the pivot was restored.
    private func checkJoins(_ world: ExchangeWorld, _ history: History, _ tally: inout Tally) throws(Violation) {
        let logs = [world.pivot.disk] + world.lostLogs
        let models = logs.map { LogModel($0.log) }
        var checks = JoinChecks(states: world.nodes.map(\.disk.base.spaceState) + logs.map(\.base.spaceState))
        checks.disputed = disputed(models)
        let replaced = world.nodes.reduce(into: [Dot: Dot]()) { all, node in
            all.merge(node.replaced) { first, _ in first }
        }
        // A copied folder gives one name to two writes, until it is found out.
        if !world.hasCopies { checks.seen = replaced.chains }
        var random = SeededRandom(seed: history.seed ^ 0x6a6f_696e)
        try checks.check(using: &random, &tally)
        if world.lostLogs.isEmpty {
            for node in world.nodes {
                let (part, whole) = (node.disk.base.spaceState, world.pivot.disk.base.spaceState)
                try require(part.joined(whole) == whole, "a log only grows the state")
            }
        }
    }

    private func disputed(_ models: [LogModel]) -> Set<Path> {
        var stamps: [Dot: HybridTimestamp] = [:]
        var disputed: Set<Path> = []
        for operation in models.flatMap(\.accepted) where operation.path.isRegister {
            guard let stamp = operation.effect.stamp else { continue }
            if stamps.updateValue(stamp, forKey: operation.effect.dot).map({ $0 != stamp }) ?? false {
                disputed.insert(operation.path)
            }
        }
        return disputed
    }

    // MARK: The end

    private func checkEnd(_ world: ExchangeWorld) throws(Violation) {
        let pivot = world.pivot.disk.base
        for (number, node) in world.nodes.enumerated() {
            try require(node.disk.base.spaceState == pivot.spaceState, "one state in the end", "node \(number + 1)")
            try require(
                node.disk.pending.isEmpty && node.disk.sealed.isEmpty && node.disk.overlays.isEmpty,
                "an empty outbox leaves nothing behind", "node \(number + 1)")
        }
        try checkAcknowledged(world)
    }

    private struct Signed: Hashable {
        var author: AuthorID
        var write: NodeServer.Acknowledged
    }

    private func checkAcknowledged(_ world: ExchangeWorld) throws(Violation) {
        var delivered: [Signed: Int] = [:]
        for operation in LogModel(world.pivot.disk.log).accepted {
            let write = NodeServer.Acknowledged(stamp: operation.stamp, path: operation.path)
            delivered[Signed(author: operation.author, write: write), default: 0] += 1
        }
        for (number, node) in world.nodes.enumerated() {
            let letters = Dictionary(
                node.disk.deadLetters.map { (NodeServer.Acknowledged(stamp: $0.operation.stamp, path: $0.operation.path), 1) },
                uniquingKeysWith: +)
            for write in node.disk.acknowledged {
                let times = delivered[Signed(author: node.signer.author, write: write), default: 0] + (letters[write] ?? 0)
                let what = "node \(number + 1): \(write.path)@\(write.stamp), \(times) times"
                try require(times > 0, "no acknowledged write is lost", what)
                try require(times == 1 || world.hasCopies, "no acknowledged write is applied twice", what)
            }
        }
    }

    private func checkModel(_ disk: PivotServer.Disk) throws(Violation) {
        let (expected, found) = (LogModel(disk.log).state, disk.base.spaceState)
        for path in Set(expected.paths.keys).union(found.paths.keys) {
            try require(
                found.paths[path] == expected.paths[path],
                path.isRegister ? "last writer wins, by effective stamps" : "add wins, by what was observed", "\(path)")
        }
        try require(found == expected, "version vector and refused dots follow the log")
    }

    /// What is on disk is all that a node is.
    private func checkRestart(_ node: NodeServer) throws(Violation) {
        var restarted = node
        restarted.restart()
        let (before, after) = (node.core, restarted.core)
        try require(
            before.cursor == after.cursor && before.outboxCount == after.outboxCount
                && before.sealedThrough == after.sealedThrough && before.record == after.record,
            "a restart changes nothing", "\(before.record), then \(after.record)")
    }

    private func count(_ world: ExchangeWorld, _ tally: inout Tally) {
        let log = world.pivot.disk.log
        tally.count("exchanged histories")
        tally.count("refused operations", log.reduce(0) { $0 + $1.entry.refusals.count })
        let stamps = log.flatMap { entry, delta in
            delta.operations.compactMap {
                $0.map { HybridTimestamp(rawValue: delta.header.stamp.rawValue + $0.stampOffset) > entry.cap }
            }
        }
        tally.count("capped operations", stamps.count { $0 })
        tally.count("re-issues", world.nodes.reduce(0) { $0 + $1.reissueCount })
        tally.count("epochs", world.pivot.disk.record.epochs.count)
        tally.count("dead letters", world.nodes.reduce(0) { $0 + $1.disk.deadLetters.count })
    }
}
