import GimbalWire

/// A whole page at once.
struct ReadPage {
    let after: UInt64
    private(set) var entries: [LogEntry] = []
    let checkpoint: SignedPayload

    init(_ bytes: [UInt8]) throws {
        var reader = try PageReader(bytes)
        after = reader.after
        while let entry = try reader.next() { entries.append(entry) }
        checkpoint = try reader.checkpoint()
    }
}
