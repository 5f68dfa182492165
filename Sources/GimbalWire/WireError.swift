/// Why bytes were refused. Nothing is ever repaired: bytes decode to exactly one value or not at all.
public struct WireError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Code: String, Sendable {
        /// The bytes end inside an item.
        case truncated
        /// Bytes follow the value.
        case trailingBytes = "trailing-bytes"
        /// An encoding that is not the one deterministic encoding (RFC 8949 §4.2.1).
        case notCanonical = "not-canonical"
        /// Another kind of item than the format has here.
        case unexpected
        /// Deeper than `Limits.cborNesting`.
        case nesting
        /// Over a limit; `limit` says which.
        case tooLarge = "too-large"
        /// A type text of another format, or of a newer version.
        case unknownType = "unknown-type"
        /// Fields that contradict each other.
        case inconsistent
        case badPath = "bad-path"
        case badValue = "bad-value"
        case badStamp = "bad-stamp"
        case badObserved = "bad-observed"
        case unknownKind = "unknown-kind"
        case badRoot = "bad-root"
        case badSignature = "bad-signature"
        case wrongSpace = "wrong-space"
    }

    public var code: Code
    /// Where in the bytes that were given, in bytes from their start.
    public var offset: Int
    public var detail: String

    public init(_ code: Code, at offset: Int = 0, _ detail: String = "") {
        self.code = code
        self.offset = offset
        self.detail = detail
    }

    public var description: String {
        "\(code.rawValue) at byte \(offset)\(detail.isEmpty ? "" : ": \(detail)")"
    }
}
