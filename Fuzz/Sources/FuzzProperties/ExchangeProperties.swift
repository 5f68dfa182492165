import GimbalCRDT
import GimbalWire

/// What nodes and pivots send each other, and what lies in the log: entries, pages, pushes, answers, checkpoints,
/// certificates. Each begins with what it is, so every decoder is asked.
enum ExchangeProperties {
    private static let primitives = TrustingPrimitives()

    static func check(_ bytes: [UInt8]) {
        if let entry = decoded(bytes, { () throws(WireError) in try LogEntry(decoding: bytes) }) {
            requireSame(entry.encoded, as: bytes)
            check(entry)
        }
        checkPage(bytes)
        checkPush(bytes)
        if let answer = decoded(bytes, { () throws(WireError) in try Answer(decoding: bytes) }) {
            requireSame(answer.encoded, as: bytes)
        }
        if let checkpoint = decoded(bytes, { () throws(WireError) in try Checkpoint(decoding: bytes) }) {
            requireSame(checkpoint.encoded, as: bytes)
        }
        if let signed = decoded(bytes, { () throws(WireError) in try SignedPayload(decoding: bytes) }) {
            requireSame(signed.encoded, as: bytes)
            check(signed)
        }
    }

    private static func checkPage(_ bytes: [UInt8]) {
        let isPage: Void? = decoded(bytes) { () throws(WireError) in
            var page = try PageReader(bytes)
            while try page.next() != nil {}
            _ = try page.checkpoint()
        }
        guard isPage != nil, var page = try? PageReader(bytes) else { return }
        var entries: [[UInt8]] = []
        while let entry = try? page.next() {
            check(entry)
            entries.append(entry.encoded)
        }
        guard let checkpoint = try? page.checkpoint() else { return require(false, "a page is read twice the same") }
        requireSame(Page.encode(after: page.after, entries: entries, checkpoint: checkpoint.encoded), as: bytes)
    }

    private static func checkPush(_ bytes: [UInt8]) {
        let isPush: Void? = decoded(bytes) { () throws(WireError) in
            var push = try PushReader(bytes)
            while try push.next() != nil {}
        }
        guard isPush != nil, var push = try? PushReader(bytes) else { return }
        var request = PushRequest(cursor: push.cursor, deltas: [])
        while let delta = try? push.next() { request.deltas.append(delta) }
        requireSame(request.encoded, as: bytes)
    }

    private static func check(_ entry: LogEntry) {
        let leaf = entry.leaf(primitives)
        for (one, next) in zip(entry.refusals, entry.refusals.dropFirst()) { require(one.index < next.index, "refusals rise") }
        guard case .delta(let delta) = entry.body else { return }
        let receipt = LogEntry(
            body: .receipt(headerHash: delta.headerHash(primitives)), cap: entry.cap, refusals: entry.refusals)
        require(receipt.leaf(primitives) == leaf, "a receipt has the leaf of its delta")
    }

    /// Payloads that are signed are decoded behind the signature.
    private static func check(_ signed: SignedPayload) {
        if let certificate = decoded(
            signed.payload, { () throws(WireError) in try Certificate(verifying: signed, primitives) })
        {
            requireSame(certificate.encoded, as: signed.payload)
        }
        if let header = decoded(signed.payload, { () throws(WireError) in try DeltaHeader(decoding: signed.payload) }) {
            requireSame(header.encoded, as: signed.payload)
        }
        check(checkpoint: signed)
    }

    private static func check(checkpoint signed: SignedPayload) {
        guard let checkpoint = try? Checkpoint(decoding: signed.payload) else { return }
        requireSame(checkpoint.encoded, as: signed.payload)
        let author = AuthorID(words: checkpoint.space.words)
        let verified = try? VerifiedCheckpoint(verifying: signed, by: author, of: checkpoint.space, primitives)
        require(verified?.checkpoint == checkpoint, "a checkpoint of its own space is accepted")
        let elsewhere = try? VerifiedCheckpoint(
            verifying: signed, by: author, of: SpaceID(words: checkpoint.logRoot.words), primitives)
        require(elsewhere == nil || checkpoint.space.words == checkpoint.logRoot.words, "a checkpoint of another space is not")
    }
}
