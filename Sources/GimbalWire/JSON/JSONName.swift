/// What a string of JSON means: its code points as UTF-8, and half of a surrogate pair, which UTF-8 does not have, as the three
/// bytes that UTF-8 would give its number (WTF-8, S. Sapin). So two strings are the same exactly when their bytes are.
public struct JSONName: Hashable, Comparable, Sendable {
    public let bytes: [UInt8]

    init(bytes: [UInt8]) { self.bytes = bytes }

    public init(_ text: String) { bytes = Array(text.utf8) }

    /// - Parameter literal: what stands between the quotes of a valid text.
    init(literal: some Collection<UInt8>) {
        guard literal.contains(UInt8(ascii: "\\")) else {
            bytes = Array(literal)
            return
        }
        var reader = Unescaping()
        reader.bytes.reserveCapacity(literal.count)
        var rest = literal.makeIterator()
        while let byte = rest.next() {
            guard byte == UInt8(ascii: "\\"), let kind = rest.next() else {
                reader.take(byte)
                continue
            }
            if kind == UInt8(ascii: "u") {
                reader.take((0..<4).reduce(UInt16(0)) { unit, _ in unit << 4 | (rest.next().flatMap(JSONScanner.hexDigit) ?? 0) })
            } else {
                reader.take(Self.unescaped(kind))
            }
        }
        reader.end()
        bytes = reader.bytes
    }

    /// Half of a surrogate pair shows as U+FFFD.
    public var text: String {
        guard var place = bytes.indices.first(where: isHalf) else { return String(decoding: bytes, as: UTF8.self) }
        var shown = Array(bytes[..<place])
        while place < bytes.count {
            if isHalf(at: place) {
                shown += "\u{fffd}".utf8
                place += 3
            } else {
                shown.append(bytes[place])
                place += 1
            }
        }
        return String(decoding: shown, as: UTF8.self)
    }

    /// UTF-8 has nothing above U+D7FF and below U+E000.
    private func isHalf(at index: Int) -> Bool {
        bytes[index] == 0xed && index + 2 < bytes.count && bytes[index + 1] >= 0xa0
    }

    /// The index of an element as RFC 6901 §4 writes it: decimal, no sign, no leading zero.
    public var index: Int? {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let index = Int(text), index >= 0, String(index) == text else { return nil }
        return index
    }

    public static func < (left: Self, right: Self) -> Bool { left.bytes.lexicographicallyPrecedes(right.bytes) }

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

    /// Puts `\u` escapes, which are UTF-16, together with the bytes between them.
    private struct Unescaping {
        var bytes: [UInt8] = []
        /// The first half of a pair, until it is known whether the second one follows.
        private var high: UInt16?

        mutating func take(_ byte: UInt8) {
            end()
            bytes.append(byte)
        }

        mutating func take(_ unit: UInt16) {
            if let high, (0xdc00...0xdfff).contains(unit) {
                self.high = nil
                return append(0x10000 + (UInt32(high) & 0x3ff) << 10 + UInt32(unit) & 0x3ff)
            }
            end()
            if (0xd800...0xdbff).contains(unit) { high = unit } else { append(UInt32(unit)) }
        }

        mutating func end() {
            if let high { append(UInt32(high)) }
            high = nil
        }

        private mutating func append(_ point: UInt32) {
            func tail(_ shift: UInt32) -> UInt8 { UInt8(0x80 | (point >> shift) & 0x3f) }
            switch point {
            case ..<0x80: bytes.append(UInt8(point))
            case ..<0x800: bytes += [UInt8(0xc0 | point >> 6), tail(0)]
            case ..<0x10000: bytes += [UInt8(0xe0 | point >> 12), tail(6), tail(0)]
            default: bytes += [UInt8(0xf0 | point >> 18), tail(12), tail(6), tail(0)]
            }
        }
    }
}
