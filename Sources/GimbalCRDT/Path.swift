/// The name of a key: 1–512 bytes of segments joined by `/`. Compares as bytes.
///
/// A segment is `[A-Za-z0-9._-]+` and starts and ends with a letter or digit. A first segment may have one `_` before
/// it: such a path is a space's own record. One segment names an LWW-register, two or more a member of the collection
/// that is its parent: the type is a pure function of the path.
public struct Path: Hashable, Comparable, Sendable, CustomStringConvertible {
    public static let maximumBytes = 512

    public let bytes: [UInt8]

    /// Nil for anything that is not a path.
    public init?(_ bytes: [UInt8]) {
        guard Path.isValid(bytes) else { return nil }
        self.bytes = bytes
    }

    /// Nil for anything that is not a path.
    @inlinable
    public init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count <= Path.maximumBytes else { return nil }
        self.init(Array(bytes))
    }

    /// Nil for anything that is not a path.
    public init?(_ text: some StringProtocol) { self.init(Array(text.utf8)) }

    /// One segment.
    public var isRegister: Bool { !bytes.contains(UInt8(ascii: "/")) }
    /// A space's own record, written by its pivot alone and outside the client's namespace.
    public var isReserved: Bool { bytes.first == UInt8(ascii: "_") }

    public var segments: [ArraySlice<UInt8>] { bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) }

    /// The last segment: what clients call the index.
    public var index: String { String(decoding: indexBytes, as: UTF8.self) }
    /// The same in bytes.
    public var indexBytes: ArraySlice<UInt8> { bytes[(bytes.lastIndex(of: UInt8(ascii: "/")).map { $0 + 1 } ?? 0)...] }

    public var description: String { String(decoding: bytes, as: UTF8.self) }

    /// As bytes, eight at a time: what a commit touches is sorted.
    public static func < (left: Path, right: Path) -> Bool {
        left.bytes.withUnsafeBytes { left in
            right.bytes.withUnsafeBytes { right in
                let shared = min(left.count, right.count)
                var index = 0
                while index + 8 <= shared {
                    let one = left.loadUnaligned(fromByteOffset: index, as: UInt64.self)
                    let other = right.loadUnaligned(fromByteOffset: index, as: UInt64.self)
                    if one != other { return one.bigEndian < other.bigEndian }
                    index += 8
                }
                while index < shared {
                    if left[index] != right[index] { return left[index] < right[index] }
                    index += 1
                }
                return left.count < right.count
            }
        }
    }

    public func hash(into hasher: inout Hasher) {
        // One call instead of one a byte: paths are the keys of every hot table.
        bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
    }

    /// This takes an array because generic code is not specialized for the modules that call it, and every path that is read
    /// passes through here.
    private static func isValid(_ bytes: [UInt8]) -> Bool {
        guard (1...maximumBytes).contains(bytes.count) else { return false }
        var remaining = bytes[...]
        if remaining.first == UInt8(ascii: "_") { remaining = remaining.dropFirst() }
        var previous: UInt8 = UInt8(ascii: "/")
        for byte in remaining {
            if byte == UInt8(ascii: "/") {
                guard isAlphanumeric(previous) else { return false }
            } else if !isAlphanumeric(byte) {
                guard isInner(byte), previous != UInt8(ascii: "/") else { return false }
            }
            previous = byte
        }
        return isAlphanumeric(previous)
    }

    static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"):
            true
        default: false
        }
    }

    private static func isInner(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: ".") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-")
    }
}
