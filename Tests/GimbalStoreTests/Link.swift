import GimbalCRDT
import GimbalReplication
import GimbalSigning
import GimbalStore
import GimbalWire
import Synchronization

/// What the replication client does over HTTP, done by hand: every delta and page still goes through its bytes and its
/// signatures.
final class Link: Sendable {
    let node: NodeSpace
    private let world: World
    private let loss: Double
    private let tasks = Mutex<[Task<Void, Never>]>([])
    private let isInDoubt = Mutex(false)
    /// Everything that was ever wrong.
    let faults = Mutex<[NodeFault]>([])
    /// Snapshots that this node took.
    let snapshotCount = Mutex(0)

    init(node: NodeSpace, world: World, loss: Double) {
        self.node = node
        self.world = world
        self.loss = loss
        tasks.withLock { $0 = [Task { [self] in await obey() }, Task { [self] in await follow() }] }
    }

    func stop() {
        for task in tasks.withLock({ $0 }) { task.cancel() }
        node.close()
    }

    private func isLost() -> Bool { Double.random(in: 0..<1) < loss }

    private func obey() async {
        for await command in node.commands {
            guard !Task.isCancelled else { return }
            switch command {
            case .push(let request, let number): await push(request, number)
            case .follow(let withOwnBodies): isInDoubt.withLock { $0 = withOwnBodies }
            case .investigate: if let pivot = world.pivot { node.deliver(.investigate(until: pivot.place)) }
            case .fault(let fault): faults.withLock { $0.append(fault) }
            case .faultCleared: break
            }
        }
    }

    private func push(_ request: PushRequest, _ number: UInt64) async {
        let answer = isLost() ? nil : await Self.answer(to: request.encoded, of: node, in: world)
        if let answer, !isLost() {
            node.deliver(.pushAnswered(answer, push: number))
        } else {
            node.deliver(.pushFailed(push: number))
            try? await Task.sleep(for: .milliseconds(2))
            node.deliver(.retryPush)
        }
    }

    /// As PivotRoutes answers.
    static func answer(to bytes: [UInt8], of node: NodeSpace, in world: World) async -> Answer? {
        guard let pivot = world.pivot, let request = try? PushReader(bytes), let deltas = try? Self.verified(request) else {
            return nil
        }
        let result = await withCheckedContinuation { continuation in
            pivot.push(request.cursor, deltas) { continuation.resume(returning: $0) }
        }
        guard case .success(let outcome) = result else { return nil }
        let signed = pivot.answer(outcome.verdict, to: [1], head: outcome.head, detail: outcome.detail)
        return try? VerifiedAnswer(
            verifying: signed, by: world.pivotKey.author, of: node.space, to: [1], SodiumPrimitives()
        ).answer
    }

    private static func verified(_ push: PushReader) throws -> [IncomingDelta] {
        var push = push
        var deltas: [IncomingDelta] = []
        while let delta = try push.next() { deltas.append(IncomingDelta(try delta.verified(SodiumPrimitives()))) }
        return deltas
    }

    private func follow() async {
        var joinedPivot: ObjectIdentifier?
        // As the replication client: pages are handed over as they come, and those that wait together are one commit.
        let waiting = Mutex(0)
        var position: UInt64 = 0
        while !Task.isCancelled {
            if let pivot = world.pivot {
                if joinedPivot != ObjectIdentifier(pivot) {
                    node.deliver(.joined(place: pivot.place))
                    joinedPivot = ObjectIdentifier(pivot)
                }
                if waiting.withLock({ $0 }) == 0 { position = node.cursor.position }
                pivot.heard(node.author, position: node.cursor.position)
                if case .gone? = try? pivot.standing(of: node.cursor), !isLost() {
                    let isTaken = try? await Self.takeSnapshot(into: node, of: world) { [self] in isLost() }
                    if isTaken == true { snapshotCount.withLock { $0 += 1 } }
                    continue
                }
                let own = isInDoubt.withLock { $0 } ? nil : node.replica
                if !isLost(), (try? pivot.contains(node.cursor)) == true,
                    waiting.withLock({ $0 }) < 16,
                    let next = try? pivot.page(after: position, receiptsFor: own),
                    let page = try? Self.verified(next.bytes, node.space, world.pivotKey.author)
                {
                    waiting.withLock { $0 += 1 }
                    position = next.end
                    node.apply(page) { waiting.withLock { $0 -= 1 } }
                    continue
                }
            }
            try? await Task.sleep(for: .milliseconds(1))
        }
    }

    struct Cut: Error {}

    /// As ReplicationClient does.
    ///
    /// - Returns: whether it was installed.
    @discardableResult
    static func takeSnapshot(into node: NodeSpace, of world: World, isLost: () -> Bool = { false }) async throws -> Bool {
        guard let pivot = world.pivot else { return false }
        let intake = try SnapshotIntake(node, from: world.pivotKey.author)
        guard let (source, first) = try pivot.snapshot(try await intake.place) else {
            try await intake.discard()
            return false
        }
        defer { pivot.release(source) }
        var reader = first
        while let frame = try reader.next() {
            if isLost() { throw Cut() }
            try await intake.take(frame)
        }
        return try await intake.finish()
    }

    static func verified(_ bytes: [UInt8], _ space: SpaceID, _ pivot: AuthorID) throws -> NodePage {
        let primitives = SodiumPrimitives()
        let page = try ReadPage(bytes)
        let entries = try page.entries.map { entry in
            let body: NodePage.Entry.Body =
                switch entry.body {
                case .delta(let delta): .delta(IncomingDelta(try delta.verified(primitives)))
                case .receipt(let hash): .receipt(headerHash: hash)
                case .join: .join
                }
            return NodePage.Entry(body: body, cap: entry.cap, refusals: entry.refusals, leaf: entry.leaf(primitives))
        }
        let checkpoint = try VerifiedCheckpoint(verifying: page.checkpoint, by: pivot, of: space, primitives)
        return NodePage(after: page.after, entries: entries, checkpoint: checkpoint)
    }
}
