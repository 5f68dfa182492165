import GimbalWire

/// One CBOR item in diagnostic notation (RFC 8949 §8). Byte strings that hold an array are shown as `<<…>>`, those that are
/// text as `'…'`, others as `h'…'`.
struct CBORDiagnostic {
    private static let deepest = 12
    private static let longestHex = 64

    static func text(_ bytes: [UInt8]) throws(WireError) -> String {
        var reader = CBORReader(bytes)
        let text = try item(&reader, depth: 0)
        try reader.expectEnd()
        return text
    }

    private static func item(_ reader: inout CBORReader, depth: Int) throws(WireError) -> String {
        guard depth < deepest else { throw WireError(.nesting, at: reader.offset) }
        switch try reader.nextMajorType() {
        case 0: return String(try reader.unsigned())
        case 1:
            let (number, overflow) = try reader.negative().addingReportingOverflow(1)
            return overflow ? "-18446744073709551616" : "-\(number)"
        case 2: return string(try reader.byteString(), depth: depth)
        case 3:
            let range = try reader.textRange()
            return String(decoding: JSONValue.string(String(decoding: reader.bytes[range], as: UTF8.self)).write(), as: UTF8.self)
        case 4:
            let count = try reader.arrayCount(upTo: .max, "items")
            var items: [String] = []
            for _ in 0..<count { items.append(try item(&reader, depth: depth + 1)) }
            return "[\(items.joined(separator: ", "))]"
        case 5:
            try reader.emptyMap()
            return "{}"
        case 6:
            try reader.tag(18)
            return "18(\(try item(&reader, depth: depth + 1)))"
        default:
            return reader.takeNull() ? "null" : try reader.bool() ? "true" : "false"
        }
    }

    private static func string(_ bytes: [UInt8], depth: Int) -> String {
        if bytes.count > 8 {
            var inner = CBORReader(bytes)
            if case .some(4) = try? inner.nextMajorType(), let text = try? item(&inner, depth: depth + 1), inner.isAtEnd {
                return "<<\(text)>>"
            }
        }
        if !bytes.isEmpty, bytes.allSatisfy({ 0x20..<0x7f ~= $0 && $0 != UInt8(ascii: "'") }) {
            return "'\(String(decoding: bytes, as: UTF8.self))'"
        }
        let digits = Array("0123456789abcdef")
        let hex = String(bytes.prefix(longestHex).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
        return bytes.count > longestHex ? "h'\(hex)…' (\(bytes.count) bytes)" : "h'\(hex)'"
    }
}
