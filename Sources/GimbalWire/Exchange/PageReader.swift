/// Reads a page entry by entry: what it holds grows with one entry, not with the page.
public struct PageReader: Sendable {
    /// The first entry's position is one more.
    public let after: UInt64
    /// How many entries are still to come.
    public private(set) var remaining: Int
    private var reader: CBORReader

    public init(_ bytes: [UInt8]) throws(WireError) {
        guard bytes.count <= Page.hardMaximumBytes else {
            throw WireError(.tooLarge, "page: at most \(Page.hardMaximumBytes) bytes")
        }
        var reader = CBORReader(bytes)
        try reader.array(of: 4)
        try reader.type(Page.type)
        after = try reader.ordinal()
        remaining = try reader.arrayCount(upTo: Page.hardMaximumEntries, "entries of a page")
        self.reader = reader
    }

    /// The next entry; nil after the last.
    public mutating func next() throws(WireError) -> LogEntry? {
        guard remaining > 0 else { return nil }
        remaining -= 1
        return try LogEntry(from: &reader)
    }

    /// The checkpoint at the page's end, and nothing after it.
    ///
    /// - Precondition: every entry was taken.
    public mutating func checkpoint() throws(WireError) -> SignedPayload {
        precondition(remaining == 0, "the checkpoint comes after the entries")
        let checkpoint = try SignedPayload(from: &reader)
        try reader.expectEnd()
        return checkpoint
    }
}
