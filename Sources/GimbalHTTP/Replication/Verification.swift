import GimbalCRDT
import GimbalReplication
import GimbalSigning
import GimbalWire

/// Checks signatures and decodes operations on all cores, away from any actor and from the writer's thread.
enum Verification {
    /// - Returns: in the order of the input. Throws the first error.
    @concurrent
    static func verify(_ deltas: [SealedDelta]) async throws(WireError) -> [IncomingDelta] {
        let primitives = SodiumPrimitives()
        guard deltas.count > 1 else {
            var verified: [IncomingDelta] = []
            for delta in deltas { verified.append(IncomingDelta(try delta.verified(primitives))) }
            return verified
        }
        let results = await withTaskGroup(of: (Int, Result<[IncomingDelta], WireError>).self) { group in
            // A few chunks a core: deltas are of very different sizes.
            let size = max(1, deltas.count / 8)
            for start in stride(from: 0, to: deltas.count, by: size) {
                let chunk = deltas[start..<min(start + size, deltas.count)]
                group.addTask {
                    (
                        start,
                        Result { () throws(WireError) in
                            var verified: [IncomingDelta] = []
                            for delta in chunk { verified.append(IncomingDelta(try delta.verified(primitives))) }
                            return verified
                        }
                    )
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        var verified: [IncomingDelta] = []
        for (_, result) in results.sorted(by: { $0.0 < $1.0 }) { verified += try result.get() }
        return verified
    }

    /// Decodes a page and verifies its checkpoint and all its deltas.
    @concurrent
    static func page(
        _ bytes: [UInt8], of space: SpaceID, by pivot: AuthorID
    ) async throws(WireError) -> NodePage {
        let primitives = SodiumPrimitives()
        var page = try PageReader(bytes)
        var read: [LogEntry] = []
        while let entry = try page.next() { read.append(entry) }
        let checkpoint = try VerifiedCheckpoint(verifying: try page.checkpoint(), by: pivot, of: space, primitives)
        var verified = try await verify(read.compactMap { if case .delta(let delta) = $0.body { delta } else { nil } })[...]
        var entries: [NodePage.Entry] = []
        for entry in read {
            let body: NodePage.Entry.Body
            let leaf: Digest
            switch entry.body {
            case .delta:
                let delta = verified.removeFirst()
                leaf = LogEntry.leaf(
                    headerHash: delta.verified.headerHash, cap: entry.cap, refusals: entry.refusals, primitives)
                body = .delta(delta)
            case .receipt(let headerHash):
                leaf = entry.leaf(primitives)
                body = .receipt(headerHash: headerHash)
            case .join:
                leaf = entry.leaf(primitives)
                body = .join
            }
            entries.append(NodePage.Entry(body: body, cap: entry.cap, refusals: entry.refusals, leaf: leaf))
        }
        return NodePage(after: page.after, entries: entries, checkpoint: checkpoint)
    }
}
