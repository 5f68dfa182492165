/// Why a text is not JSON (RFC 8259), and where.
public struct JSONError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Code: String, Sendable {
        case syntax = "json-syntax"
        /// Deeper than the limit.
        case nesting = "json-nesting"
        case utf8 = "json-utf8"
        /// The text ends too early.
        case end = "json-end"
    }

    public var code: Code
    /// In bytes from the start.
    public var offset: Int

    public init(_ code: Code, at offset: Int) {
        self.code = code
        self.offset = offset
    }

    public var description: String {
        switch code {
        case .syntax: "json: not JSON at byte \(offset)"
        case .nesting: "json: nested too deeply at byte \(offset)"
        case .utf8: "json: not UTF-8 at byte \(offset)"
        case .end: "json: unexpected end of the text"
        }
    }
}
