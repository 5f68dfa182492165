import GimbalCRDT
import GimbalStorage
import GimbalStore
import Hummingbird
import NIOCore

/// One key's place in the order of lists: newest first (by `created`), then by path.
package struct KeyPlace: Hashable, Comparable, Sendable, CustomStringConvertible {
    package var created: UInt64
    package var path: Path

    package init(created: UInt64, path: Path) {
        self.created = created
        self.path = path
    }

    init(_ entry: VisibleEntry) { self.init(created: entry.created, path: entry.path) }

    package static func < (left: Self, right: Self) -> Bool {
        left.created != right.created ? left.created > right.created : left.path < right.path
    }

    /// What clients hand back as a cursor; opaque to them.
    package var description: String { "\(String(created, radix: 16)).\(path)" }

    /// Nil for what no page named. A missing parameter is the start.
    static func parse(_ text: Substring?) -> KeyList.Parsed<KeyPlace>? {
        guard let text else { return KeyList.Parsed(value: nil) }
        guard let dot = text.firstIndex(of: "."), let created = UInt64(text[..<dot], radix: 16),
            let path = Path(text[text.index(after: dot)...])
        else { return nil }
        return KeyList.Parsed(value: KeyPlace(created: created, path: path))
    }
}

/// The keys that match a pattern in their order, of one moment or of one page.
///
/// Only names and times are held; values are read while they are written out, and what has vanished by then is left out.
struct KeyList: Sendable {
    /// A parameter that may be missing but not malformed.
    struct Parsed<Value> {
        var value: Value?
    }

    static func limit(_ text: Substring?) -> Parsed<Int>? {
        guard let text else { return Parsed(value: nil) }
        guard let limit = Int(text), limit > 0 else { return nil }
        return Parsed(value: limit)
    }

    private let host: SpaceHost
    private let keys: ArraySlice<KeyPlace>
    /// Where the next page begins; nil when this is the last one.
    let next: KeyPlace?
    /// How many keys there are on all pages.
    let total: Int

    /// - Parameters:
    ///   - text: a part of the path, upper or lower case; nil for all that match the pattern.
    ///   - ahead: where what is found beyond the page is left for the next one.
    init(
        _ pattern: Pattern, containing text: String? = nil, in host: SpaceHost, limit: Int?, after: KeyPlace?, _ ahead: ListAhead
    ) throws(StoreError) {
        self.host = host
        func question(_ after: KeyPlace) -> ListAhead.Question { .init(pattern: pattern, part: text, after: after) }
        let known = after.flatMap { after in limit.flatMap { ahead.find(question(after), limit: $0) } }
        var rest: ListAhead.Rest
        if let known {
            rest = known
        } else {
            rest = try Self.scan(pattern, containing: text, in: host, limit: limit, after: after)
        }
        total = rest.total
        guard let limit, rest.keys.count > limit else {
            (keys, next) = (rest.keys, nil)
            return
        }
        keys = rest.keys.prefix(limit)
        next = keys.last
        rest.keys = rest.keys.dropFirst(limit)
        if let next { ahead.keep(rest, for: question(next)) }
    }

    /// The first keys after a place: with a limit, no more than a few pages are ever held.
    private static func scan(
        _ pattern: Pattern, containing text: String?, in host: SpaceHost, limit: Int?, after: KeyPlace?
    ) throws(StoreError) -> ListAhead.Rest {
        var found: [KeyPlace] = []
        var total = 0
        var isWhole = true
        /// What comes behind it is on none of the pages that are kept.
        var last: KeyPlace?
        let wanted = text.map { $0.utf8.map(lowercased) }
        let depth = limit.map(ListAhead.depth) ?? .max
        func cut() {
            found.sort()
            guard found.count > depth else { return }
            found.removeSubrange(depth...)
            isWhole = false
            last = found.last
        }
        try host.scanKeys(pattern) { path, created in
            if let wanted, !contains(path.bytes, wanted) { return }
            total += 1
            let key = KeyPlace(created: created, path: path)
            if after.map({ $0 < key }) ?? true, last.map({ key < $0 }) ?? true { found.append(key) }
            if found.count / 2 >= depth { cut() }
        }
        cut()
        return ListAhead.Rest(keys: found[...], isWhole: isWhole, total: total)
    }

    /// Paths have no letters but those of ASCII.
    private static func lowercased(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }

    /// Byte by byte, with nothing allocated: it is asked of every path of the pattern.
    private static func contains(_ path: [UInt8], _ wanted: [UInt8]) -> Bool {
        guard wanted.count <= path.count else { return false }
        for start in 0...(path.count - wanted.count) {
            var matched = 0
            while matched < wanted.count, lowercased(path[start + matched]) == wanted[matched] { matched += 1 }
            if matched == wanted.count { return true }
        }
        return false
    }

    func write(to writer: inout any ResponseBodyWriter) async throws {
        try await write { try await writer.write($0) }
        try await writer.finish(nil)
    }

    /// Writes the array in chunks of some size.
    func write(_ emit: (ByteBuffer) async throws -> Void) async throws {
        var buffer = ByteBuffer(string: "[")
        var isFirst = true
        for key in keys {
            let store = host.home(of: key.path).store
            guard let entry = try store.visible(key.path) else {
                // A space that went while its list was written has not lost these keys: the list ends broken, not short.
                guard store.isReady else { throw StoreError.storage(.closed) }
                continue
            }
            if !isFirst { buffer.writeStaticString(",") }
            isFirst = false
            MetaObject.write(entry, to: &buffer)
            if buffer.readableBytes > 64 << 10 {
                try await emit(buffer)
                buffer.clear()
            }
        }
        buffer.writeStaticString("]")
        try await emit(buffer)
    }
}
