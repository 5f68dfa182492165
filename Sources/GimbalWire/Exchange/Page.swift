import GimbalCRDT

/// A stretch of the log as the pivot sends it: the entries after a position, up to the end of one of its commits, and the
/// checkpoint there. It proves itself against that checkpoint; it needs no signature of its own.
public struct Page: Hashable, Sendable {
    static let type = "gimbal.page.1"
    /// Before the last entry is added; a single entry may be larger.
    public static let targetBytes = 4 << 20
    public static let hardMaximumBytes = 64 << 20
    public static let hardMaximumEntries = 1 << 20

    /// The first entry's position is one more.
    public var after: UInt64
    public var entries: [LogEntry]
    public var checkpoint: SignedPayload

    public init(after: UInt64, entries: [LogEntry], checkpoint: SignedPayload) {
        self.after = after
        self.entries = entries
        self.checkpoint = checkpoint
    }

    /// Puts a page together from entries that are encoded already, as they lie in the log.
    public static func encode(after: UInt64, entries: [[UInt8]], checkpoint: [UInt8]) -> [UInt8] {
        var writer = CBORWriter(reserving: entries.reduce(256) { $0 + $1.count })
        writer.array(count: 4)
        writer.text(type)
        writer.unsigned(after)
        writer.array(count: entries.count)
        for entry in entries { writer.encoded(entry) }
        writer.encoded(checkpoint)
        return writer.bytes
    }

    public var encoded: [UInt8] {
        Self.encode(after: after, entries: entries.map(\.encoded), checkpoint: checkpoint.encoded)
    }

    public init(decoding bytes: [UInt8]) throws(WireError) {
        guard bytes.count <= Self.hardMaximumBytes else {
            throw WireError(.tooLarge, "page: at most \(Self.hardMaximumBytes) bytes")
        }
        var reader = CBORReader(bytes)
        try reader.array(of: 4)
        try reader.type(Self.type)
        after = try reader.unsigned()
        let count = try reader.arrayCount(upTo: Self.hardMaximumEntries, "entries of a page")
        guard !after.addingReportingOverflow(UInt64(count)).overflow else {
            throw WireError(.inconsistent, detail: "positions beyond 64 bits")
        }
        entries = []
        for _ in 0..<count { entries.append(try LogEntry(from: &reader)) }
        checkpoint = try SignedPayload(from: &reader)
        try reader.expectEnd()
    }
}

extension WireError {
    init(_ code: Code, detail: String) { self.init(code, at: 0, detail) }
}
