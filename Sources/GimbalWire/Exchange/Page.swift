/// A stretch of the log as the pivot sends it: the entries after a position, up to the end of one of its commits, and the
/// checkpoint there. It proves itself against that checkpoint; it needs no signature of its own. `PageReader` reads it.
public enum Page {
    static let type = "gimbal.page.1"
    /// Before the last entry is added; a single entry may be larger.
    public static let targetBytes = 4 << 20
    public static let hardMaximumBytes = 64 << 20
    public static let hardMaximumEntries = 1 << 20

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
}

extension WireError {
    init(_ code: Code, detail: String) { self.init(code, at: 0, detail) }
}
