import GimbalCRDT
import GimbalWire

/// Well-formed inputs that ask a decoder for as much memory as their bytes allow: large, and most of it cheap to write down.
/// A fuzzer that begins with small inputs does not get there.
public enum HostileInputs {
    /// Checks all of them.
    ///
    /// - Returns: how many there are.
    public static func check() -> Int {
        let inputs: [(FuzzTarget, [[UInt8]])] = [
            (.operation, operations), (.delta, deltas), (.exchange, exchange), (.patch, patches),
            (.snapshot, snapshots),
        ]
        for (target, list) in inputs { list.forEach(target.check) }
        return inputs.reduce(0) { $0 + $1.1.count }
    }

    private static let author = AuthorID(words: Words32(1, 1, 1, 1))
    private static let space = SpaceID(words: Words32(2, 2, 2, 2))

    static var operations: [[UInt8]] {
        var writer = CBORWriter()
        writer.array(count: 4)
        writer.unsigned(4)
        writer.unsigned(0)
        writer.text("a/b")
        writer.array(count: 8192)
        for sequence in 1...4096 {
            writer.unsigned(0)
            writer.unsigned(sequence)
        }
        return [writer.bytes]
    }

    static var deltas: [[UInt8]] {
        [
            delta(observedCount: 4096, items: [hidden(leaves: 4096)]),
            delta(observedCount: 4096, items: Array(repeating: [0x80], count: 4096)),
            delta(observedCount: 0, items: Array(repeating: [0x80], count: 4096)),
            delta(observedCount: 0, items: [hidden(leaves: 4096)]),
            delta(observedCount: 0, items: Array(repeating: [0x86, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80], count: 4096)),
        ]
    }

    static var exchange: [[UInt8]] {
        let joins = Array(repeating: LogEntry(body: .join([]), cap: .zero, refusals: []).encoded, count: 100_000)
        let receipts = Array(repeating: receipt(refusals: 0, reason: ""), count: 10_000)
        let entries = [0, 15, 16, 64].map { receipt(refusals: 4096, reason: String(repeating: "r", count: $0)) }
        let push = PushRequest(
            cursor: .start, deltas: deltas.compactMap { try? SealedDelta(decoding: $0) })
        return entries + [joins, receipts, Array(repeating: entries[0], count: 20)].map { page($0) } + [push.encoded]
    }

    /// A head with as many short payloads as it may have, and entries whose deltas hide as much as they may.
    static var snapshots: [[UInt8]] {
        let payloads = Array(repeating: SignedPayload(payload: [], signature: BlankSigner.signature), count: 64)
        let head = SnapshotHead(space: space, certificates: payloads, checkpoints: payloads, frontier: MerkleTree.Frontier())
        let entries = deltas.compactMap { try? SealedDelta(decoding: $0) }.map { delta in
            LogEntry(body: .delta(delta), cap: .zero, refusals: [])
        }
        var writer = CBORWriter()
        SnapshotItem.head(head).encode(into: &writer)
        for (index, entry) in entries.enumerated() {
            SnapshotItem.entry(tree: 0, position: UInt64(index) + 1, entry).encode(into: &writer)
        }
        return [writer.bytes]
    }

    /// A large patch for a large document, with names that are all different, and one with names that are all the same.
    static var patches: [[UInt8]] {
        func object(_ names: Range<Int>) -> String { "{" + names.map { "\"\($0)\":0" }.joined(separator: ",") + "}" }
        let same = "{" + Array(repeating: "\"\":0", count: 10_000).joined(separator: ",") + "}"
        let separator = "\u{1e}"
        return [object(0..<10_000) + separator + object(5_000..<15_000), same + separator + same].map { Array($0.utf8) }
    }

    /// - Parameter observedCount: entries of the table, as short as they come.
    private static func delta(observedCount: Int, items: [[UInt8]]) -> [UInt8] {
        let observed = (0..<observedCount).map { index in
            DeltaHeader.Observed(
                replica: ReplicaID(author: AuthorID(words: Words32(9, 9, 9, UInt64(index))), incarnation: 0), greatestSequence: 1)
        }
        let header = DeltaHeader(
            space: space, replica: ReplicaID(author: author, incarnation: 1), firstSequence: 1, count: 4096, stamp: .zero,
            previous: .zero, observed: observed, root: .zero)
        var writer = CBORWriter()
        writer.array(count: 2)
        SignedPayload(payload: header.encoded, signature: BlankSigner.signature).encode(into: &writer)
        writer.array(count: items.count)
        for item in items { writer.encoded(item) }
        return writer.bytes
    }

    private static func hidden(leaves: Int) -> [UInt8] {
        var writer = CBORWriter()
        writer.array(count: 2)
        writer.byteString(Digest(words: Words32(3, 3, 3, 3)))
        writer.unsigned(leaves)
        return writer.bytes
    }

    private static func receipt(refusals: Int, reason: String) -> [UInt8] {
        LogEntry(
            body: .receipt(headerHash: .zero), cap: .zero,
            refusals: (0..<refusals).map { Refusal(index: $0, reason: reason) }
        ).encoded
    }

    private static func page(_ entries: [[UInt8]]) -> [UInt8] {
        let checkpoint = SignedPayload(payload: [0x80], signature: BlankSigner.signature)
        return Page.encode(after: 0, entries: entries, checkpoint: checkpoint.encoded)
    }
}
