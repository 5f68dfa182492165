/// A JSON text as a tree that loses nothing but the spaces between its parts: numbers and strings stay the text they were,
/// members keep their order.
public indirect enum JSONValue: Sendable {
    public typealias Member = (name: JSONString, value: JSONValue)

    /// Of members with the same name the last one counts.
    case object([Member])
    case array([JSONValue])
    case text(JSONString)
    /// The number as it was written.
    case number(String)
    case bool(Bool)
    case null

    /// Parses one text; throws what `JSONText.validate` throws.
    public init(parsing bytes: [UInt8]) throws(JSONError) {
        try JSONText.validate(bytes.span)
        var parser = Parser(bytes: bytes)
        self = parser.value()
    }

    public static func string(_ text: String) -> JSONValue { .text(JSONString(text)) }

    /// The value of the last member with this name; nil for other kinds of value too.
    public subscript(name: String) -> JSONValue? { self[JSONName(name)] }

    subscript(name: JSONName) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.last { $0.name.means(name) }?.value
    }

    public var text: JSONString? { if case .text(let text) = self { text } else { nil } }
    /// Half of a surrogate pair shows as U+FFFD.
    public var string: String? { text?.text }
    public var integer: Int64? { if case .number(let text) = self { Int64(text) } else { nil } }
    public var array: [JSONValue]? { if case .array(let items) = self { items } else { nil } }
    public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }

    /// Compact JSON.
    public func write() -> [UInt8] {
        var bytes: [UInt8] = []
        write(to: &bytes)
        return bytes
    }

    /// Depth is bounded: only texts within the nesting limit can be parsed.
    private func write(to bytes: inout [UInt8]) {
        switch self {
        case .null: bytes.append(contentsOf: "null".utf8)
        case .bool(let value): bytes.append(contentsOf: (value ? "true" : "false").utf8)
        case .number(let text): bytes.append(contentsOf: text.utf8)
        case .text(let text): text.write(to: &bytes)
        case .array(let items):
            bytes.append(UInt8(ascii: "["))
            for (index, item) in items.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                item.write(to: &bytes)
            }
            bytes.append(UInt8(ascii: "]"))
        case .object(let members):
            bytes.append(UInt8(ascii: "{"))
            for (index, member) in members.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                member.name.write(to: &bytes)
                bytes.append(UInt8(ascii: ":"))
                member.value.write(to: &bytes)
            }
            bytes.append(UInt8(ascii: "}"))
        }
    }

    /// Reads a text that is known to be valid, so nothing in it can fail.
    private struct Parser {
        let bytes: [UInt8]
        var scanner = JSONScanner()

        private mutating func peek() -> UInt8 {
            while JSONScanner.isSpace(bytes[scanner.offset]) { scanner.offset += 1 }
            return bytes[scanner.offset]
        }

        mutating func value() -> JSONValue {
            switch peek() {
            case UInt8(ascii: "{"): return object()
            case UInt8(ascii: "["): return array()
            case UInt8(ascii: "\""): return .text(string())
            case UInt8(ascii: "t"):
                scanner.offset += 4
                return .bool(true)
            case UInt8(ascii: "f"):
                scanner.offset += 5
                return .bool(false)
            case UInt8(ascii: "n"):
                scanner.offset += 4
                return .null
            default:
                let start = scanner.offset
                while scanner.offset < bytes.count, !JSONScanner.endsWord(bytes[scanner.offset]) { scanner.offset += 1 }
                return .number(String(decoding: bytes[start..<scanner.offset], as: UTF8.self))
            }
        }

        private mutating func object() -> JSONValue {
            var members: [Member] = []
            scanner.offset += 1
            while peek() != UInt8(ascii: "}") {
                if peek() == UInt8(ascii: ",") { scanner.offset += 1 }
                _ = peek()
                let name = string()
                _ = peek()
                scanner.offset += 1
                members.append((name, value()))
            }
            scanner.offset += 1
            return .object(members)
        }

        private mutating func array() -> JSONValue {
            var items: [JSONValue] = []
            scanner.offset += 1
            while peek() != UInt8(ascii: "]") {
                if peek() == UInt8(ascii: ",") { scanner.offset += 1 }
                items.append(value())
            }
            scanner.offset += 1
            return .array(items)
        }

        private mutating func string() -> JSONString {
            let start = scanner.offset + 1
            scanner.skipString(bytes)
            return JSONString(literal: bytes[start..<scanner.offset - 1])
        }
    }
}

/// Equal are texts that were written alike but for the spaces between their parts.
extension JSONValue: Equatable {
    public static func == (left: JSONValue, right: JSONValue) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.bool(let one), .bool(let two)): one == two
        case (.number(let one), .number(let two)): one == two
        case (.text(let one), .text(let two)): one == two
        case (.array(let one), .array(let two)): one == two
        case (.object(let one), .object(let two)):
            one.count == two.count && zip(one, two).allSatisfy { $0.name == $1.name && $0.value == $1.value }
        default: false
        }
    }
}
