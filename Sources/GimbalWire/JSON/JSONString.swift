/// A string of a JSON text as it was written: an escape stays the escape that it was.
///
/// Equal are those that were written alike; `name` says what one means.
public struct JSONString: Hashable, Sendable, ExpressibleByStringLiteral {
    /// What stands between the quotes.
    let literal: String

    /// - Parameter literal: what stands between the quotes of a valid text.
    init(literal: some Collection<UInt8>) { self.literal = String(decoding: literal, as: UTF8.self) }

    public init(_ text: String) { self.init(name: JSONName(text)) }

    public init(stringLiteral text: String) { self.init(text) }

    init(name: JSONName) {
        var bytes: [UInt8] = []
        Self.writeEscaped(name.bytes, to: &bytes)
        self.init(literal: bytes)
    }

    public var name: JSONName { JSONName(literal: literal.utf8) }

    /// Half of a surrogate pair shows as U+FFFD.
    public var text: String { literal.utf8.contains(UInt8(ascii: "\\")) ? name.text : literal }

    /// Whether it means this.
    func means(_ name: JSONName) -> Bool {
        literal.utf8.contains(UInt8(ascii: "\\")) ? self.name == name : literal.utf8.elementsEqual(name.bytes)
    }

    // Swift's own `==` of strings takes "é" and "e" with an accent after it for the same.
    public static func == (left: Self, right: Self) -> Bool { left.literal.utf8.elementsEqual(right.literal.utf8) }

    public func hash(into hasher: inout Hasher) {
        for byte in literal.utf8 { hasher.combine(byte) }
    }

    func write(to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        bytes.append(contentsOf: literal.utf8)
        bytes.append(UInt8(ascii: "\""))
    }

    /// Writes a name with the shortest escapes, and none that JSON does not ask for.
    static func writeEscaped(_ name: [UInt8], to bytes: inout [UInt8]) {
        var index = 0
        while index < name.count {
            let byte = name[index]
            index += 1
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
            case 0x08: bytes += "\\b".utf8
            case 0x09: bytes += "\\t".utf8
            case 0x0a: bytes += "\\n".utf8
            case 0x0c: bytes += "\\f".utf8
            case 0x0d: bytes += "\\r".utf8
            case 0..<0x20: writeUnit(UInt16(byte), to: &bytes)
            case 0xed where index + 1 < name.count && name[index] >= 0xa0:
                // Half of a surrogate pair, which only an escape can say.
                writeUnit(0xd000 | UInt16(name[index] & 0x3f) << 6 | UInt16(name[index + 1] & 0x3f), to: &bytes)
                index += 2
            default: bytes.append(byte)
            }
        }
    }

    private static func writeUnit(_ unit: UInt16, to bytes: inout [UInt8]) {
        let digits = Array("0123456789abcdef".utf8)
        bytes += "\\u".utf8
        for shift in stride(from: 12, through: 0, by: -4) { bytes.append(digits[Int(unit >> UInt16(shift) & 15)]) }
    }
}
