import GimbalCRDT
import GimbalReplication
import GimbalSigning
import GimbalStorage
import GimbalStore
import GimbalWire
import Testing

/// What the model Specs/models/exchange.pml found about messages that come late: a node without a link, its messages carried by
/// hand.
struct LateMessagesTests {
    /// The log after a position, as it is now.
    private func page(after position: UInt64, for node: NodeSpace, in world: World) throws -> NodePage {
        let pivot = try #require(world.pivot)
        let bytes = try #require(try pivot.page(after: position, receiptsFor: node.replica)).bytes
        return try Link.verified(bytes, node.space, world.pivotKey.author)
    }

    private struct Push {
        let request: PushRequest
        let number: UInt64
    }

    private func nextPush(_ commands: inout AsyncStream<NodeCommand>.Iterator) async throws -> Push {
        while let command = await commands.next() {
            if case .push(let request, let number) = command { return Push(request: request, number: number) }
        }
        throw CancellationError()
    }

    private func answer(_ push: Push, of node: NodeSpace, in world: World) async throws -> Answer {
        try #require(await Link.answer(to: push.request.encoded, of: node, in: world))
    }

    /// A node that has the log so far.
    private func node(in world: World) async throws -> NodeSpace {
        let key = SigningKey.generate()
        try await world.admit(key)
        let node = try NodeSpace(space: SpaceID(words: world.root.author.words), engine: MemoryEngine(), signer: key)
        node.deliver(.joined(place: try #require(world.pivot).place))
        await node.apply(try page(after: 0, for: node, in: world))
        #expect(node.isReady)
        return node
    }

    @Test("a page of a stream that was left moves the cursor; what the next stream sent meanwhile is asked for again")
    func latePage() async throws {
        let world = try await World()
        let node = try await node(in: world)
        let place = node.cursor.position
        try await set(try #require(world.pivot), "things/1", "1")
        let left = try page(after: place, for: node, in: world)
        // Started anew, so that it makes its pages anew too.
        world.closePivot()
        try world.openPivot()
        try await set(try #require(world.pivot), "things/2", "2")
        let next = try page(after: place, for: node, in: world)
        #expect(next.entries.count == 2)
        await node.apply(left)
        await node.apply(next)
        #expect(node.cursor.position == place + 1)
        node.close()
        var streams = 0
        for await command in node.commands { if case .follow = command { streams += 1 } }
        #expect(streams == 1)
    }

    @Test("an answer that receipts have overtaken is no sign that the pivot lost something")
    func overtakenAnswer() async throws {
        let world = try await World()
        let node = try await node(in: world)
        var commands = node.commands.makeAsyncIterator()
        let place = node.cursor.position
        // A new life of the pivot, whose first entry is a foreign one.
        world.closePivot()
        try world.openPivot()
        try await set(try #require(world.pivot), "things/0", "0")
        let foreign = try page(after: place, for: node, in: world)
        try await set(node, "things/1", "1")
        let first = try await nextPush(&commands)
        node.deliver(.pushAnswered(try await answer(first, of: node, in: world), push: first.number))
        try await set(node, "things/2", "2")
        let second = try await nextPush(&commands)
        // It is given up. In the new epoch everything is offered again, and the answer to that is slow.
        node.deliver(.pushFailed(push: second.number))
        await node.apply(foreign)
        node.deliver(.retryPush)
        let all = try await nextPush(&commands)
        #expect(all.request.deltas.count == 2)
        let slow = try await answer(all, of: node, in: world)
        #expect(slow.verdict == .head && slow.head.sequence == 1)
        // The request that was given up arrives, and both receipts come.
        #expect(try await answer(second, of: node, in: world).verdict == .accepted)
        await node.apply(try page(after: place + 1, for: node, in: world))
        #expect(node.outboxCount == 0)
        node.deliver(.pushAnswered(slow, push: all.number))
        try await set(node, "things/3", "3")
        try #require(node.fault == nil)
        #expect(try await answer(try await nextPush(&commands), of: node, in: world).verdict == .accepted)
        node.close()
    }

    @Test("an answer to what was sent before a snapshot is none to what was sent after it")
    func answerBeforeSnapshot() async throws {
        let world = try await World(retention: .shortest)
        let node = try await node(in: world)
        var commands = node.commands.makeAsyncIterator()
        try await set(node, "things/1", "1")
        let before = try await nextPush(&commands)
        for number in 0..<30 { try await set(try #require(world.pivot), "settings", "\(number)") }
        try await world.prune()
        try await Link.takeSnapshot(into: node, of: world)
        let after = try await nextPush(&commands)
        #expect(before.request.deltas == after.request.deltas)
        let accepted = try await answer(before, of: node, in: world)
        let known = try await answer(after, of: node, in: world)
        #expect(accepted.verdict == .accepted && known.verdict == .head)
        node.deliver(.pushAnswered(accepted, push: before.number))
        await node.apply(try page(after: node.cursor.position, for: node, in: world))
        #expect(node.outboxCount == 0)
        try await set(node, "things/2", "2")
        node.deliver(.pushAnswered(known, push: after.number))
        let next = try await nextPush(&commands)
        #expect(try await answer(next, of: node, in: world).verdict == .accepted)
        #expect(node.fault == nil)
        node.close()
    }
}
