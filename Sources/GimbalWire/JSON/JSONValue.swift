/// A JSON text as a tree that loses nothing: numbers stay the text they were, members keep their order.
public indirect enum JSONValue: Sendable {
    /// Of members with the same name the last one counts.
    case object([(name: String, value: JSONValue)])
    case array([JSONValue])
    case string(String)
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

    /// The value of the last member with this name; nil for other kinds of value too.
    public subscript(name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.last { $0.name.hasSameBytes(as: name) }?.value
    }

    public var string: String? { if case .string(let text) = self { text } else { nil } }
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
        case .string(let text): Self.writeString(text, to: &bytes)
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
                Self.writeString(member.name, to: &bytes)
                bytes.append(UInt8(ascii: ":"))
                member.value.write(to: &bytes)
            }
            bytes.append(UInt8(ascii: "}"))
        }
    }

    /// A string literal, quotes included.
    public static func writeString(_ text: String, to bytes: inout [UInt8]) {
        let digits = Array("0123456789abcdef".utf8)
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case 0..<0x20:
                bytes.append(contentsOf: "\\u00".utf8)
                bytes.append(digits[Int(byte >> 4)])
                bytes.append(digits[Int(byte & 15)])
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
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
            case UInt8(ascii: "\""): return .string(string())
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
                while scanner.offset < bytes.count, !Self.endsNumber(bytes[scanner.offset]) { scanner.offset += 1 }
                return .number(String(decoding: bytes[start..<scanner.offset], as: UTF8.self))
            }
        }

        private static func endsNumber(_ byte: UInt8) -> Bool {
            JSONScanner.isSpace(byte) || byte == UInt8(ascii: ",") || byte == UInt8(ascii: "]") || byte == UInt8(ascii: "}")
        }

        private mutating func object() -> JSONValue {
            var members: [(name: String, value: JSONValue)] = []
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

        private mutating func string() -> String {
            scanner.offset += 1
            var text: [UInt8] = []
            var escapes: [UInt16] = []
            while bytes[scanner.offset] != UInt8(ascii: "\"") {
                let byte = bytes[scanner.offset]
                guard byte == UInt8(ascii: "\\") else {
                    Self.flush(&escapes, to: &text)
                    text.append(byte)
                    scanner.offset += 1
                    continue
                }
                let kind = bytes[scanner.offset + 1]
                if kind == UInt8(ascii: "u") {
                    escapes.append(
                        bytes[(scanner.offset + 2)..<(scanner.offset + 6)].reduce(0) {
                            $0 << 4 | (JSONScanner.hexDigit($1) ?? 0)
                        })
                    scanner.offset += 6
                } else {
                    Self.flush(&escapes, to: &text)
                    text.append(Self.unescaped(kind))
                    scanner.offset += 2
                }
            }
            Self.flush(&escapes, to: &text)
            scanner.offset += 1
            return String(decoding: text, as: UTF8.self)
        }

        /// A run of `\u` escapes is UTF-16; a lone surrogate becomes U+FFFD.
        private static func flush(_ escapes: inout [UInt16], to text: inout [UInt8]) {
            guard !escapes.isEmpty else { return }
            text.append(contentsOf: String(decoding: escapes, as: UTF16.self).utf8)
            escapes = []
        }

        private static func unescaped(_ kind: UInt8) -> UInt8 {
            switch kind {
            case UInt8(ascii: "b"): 0x08
            case UInt8(ascii: "f"): 0x0c
            case UInt8(ascii: "n"): 0x0a
            case UInt8(ascii: "r"): 0x0d
            case UInt8(ascii: "t"): 0x09
            default: kind
            }
        }
    }
}

extension JSONValue: Equatable {
    public static func == (left: JSONValue, right: JSONValue) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.bool(let one), .bool(let two)): one == two
        case (.number(let one), .number(let two)): one == two
        case (.string(let one), .string(let two)): one.hasSameBytes(as: two)
        case (.array(let one), .array(let two)): one == two
        case (.object(let one), .object(let two)):
            one.count == two.count && zip(one, two).allSatisfy { $0.name.hasSameBytes(as: $1.name) && $0.value == $1.value }
        default: false
        }
    }
}
