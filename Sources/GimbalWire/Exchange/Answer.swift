import GimbalCRDT

/// What the pivot says to one request, signed over that request's nonce so that it can neither be forged nor replayed.
public struct Answer: Hashable, Sendable {
    static let type = "gimbal.answer.1"

    public enum Verdict: String, Sendable, CaseIterable {
        /// Push: everything sent is in the log. Join: the node is a member.
        case accepted
        /// Push: nothing or a part was accepted; `head` is what the pivot holds of this replica.
        case head
        /// Push: an operation observes what the pivot has not seen. Pull first.
        case dependency
        /// Push: a delta's bytes are not what the format says. `detail` tells.
        case malformed
        case badSignature = "bad-signature"
        case notAMember = "not-a-member"
        case wrongSpace = "wrong-space"
        /// The pivot's log does not contain the cursor: it lost something that this node has.
        case refill
        /// Pull: the cursor is below the horizon. Take the snapshot.
        case gone
        /// Question: the log's end is at `place`.
        case current
    }

    public var space: SpaceID
    public var nonce: [UInt8]
    public var verdict: Verdict
    /// The head that the pivot holds of the replica that was asked about; `.none` where none was.
    public var head: Head
    /// The end of the log when the answer was given.
    public var place: Cursor
    /// The pivot's time, Unix milliseconds.
    public var pivotMilliseconds: UInt64
    /// For people.
    public var detail: String

    public init(
        space: SpaceID, nonce: [UInt8], verdict: Verdict, head: Head = .none, place: Cursor, pivotMilliseconds: UInt64,
        detail: String = ""
    ) {
        self.space = space
        self.nonce = nonce
        self.verdict = verdict
        self.head = head
        self.place = place
        self.pivotMilliseconds = pivotMilliseconds
        self.detail = detail
    }

    public var encoded: [UInt8] {
        var writer = CBORWriter(reserving: 256)
        writer.array(count: 9)
        writer.text(Self.type)
        writer.byteString(space)
        writer.byteString(nonce)
        writer.text(verdict.rawValue)
        writer.unsigned(head.sequence)
        writer.byteString(head.headerHash)
        place.encode(into: &writer)
        writer.unsigned(pivotMilliseconds)
        writer.text(detail)
        return writer.bytes
    }

    public init(decoding bytes: [UInt8]) throws(WireError) {
        var reader = CBORReader(bytes)
        try reader.array(of: 9)
        try reader.type(Self.type)
        space = try reader.fixed(SpaceID.self)
        nonce = try reader.byteString()
        let start = reader.offset
        guard let verdict = Verdict(rawValue: try reader.text()) else {
            throw WireError(.unknownKind, at: start, "a verdict that this version does not know")
        }
        self.verdict = verdict
        head = Head(sequence: try reader.ordinal(), headerHash: try reader.fixed(Digest.self))
        place = try Cursor(from: &reader)
        pivotMilliseconds = try reader.ordinal()
        detail = try reader.text()
        try reader.expectEnd()
    }
}

/// An answer that the pivot of the space signed to the request with this nonce.
public struct VerifiedAnswer: Hashable, Sendable {
    public let answer: Answer

    public init(
        verifying signed: SignedPayload, by pivot: AuthorID, of space: SpaceID, to nonce: [UInt8],
        _ primitives: any Primitives
    ) throws(WireError) {
        try signed.verify(by: pivot, with: primitives)
        let answer = try Answer(decoding: signed.payload)
        guard answer.space == space else { throw WireError(.wrongSpace, "answer of \(answer.space)") }
        guard answer.nonce == nonce else { throw WireError(.inconsistent, detail: "an answer to another request") }
        self.answer = answer
    }
}
