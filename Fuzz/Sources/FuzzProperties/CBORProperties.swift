import GimbalWire

/// The ground that every decoder stands on: deterministic CBOR and nothing else.
enum CBORProperties {
    static func check(_ bytes: [UInt8]) {
        let length = decoded(bytes) { () throws(WireError) in
            var reader = CBORReader(bytes)
            return try reader.skip().upperBound
        }
        require(length == ReferenceCBOR.length(of: bytes), "\(String(describing: length)) is the length of the first item")
        // What is around a range does not matter.
        let padded = [0x82] + bytes + [0x80, 0x00]
        var inner = CBORReader(padded, in: 1..<(1 + bytes.count))
        require((try? inner.skip())?.upperBound == length.map { $0 + 1 }, "a reader stays in its range")
        checkTree(bytes, length)
    }

    /// Reading item by item takes what `skip` takes, and what the formats have besides.
    private static func checkTree(_ bytes: [UInt8], _ length: Int?) {
        var reader = CBORReader(bytes)
        guard let item = try? CBORItem(from: &reader, nesting: Limits.cborNesting) else {
            require(length == nil, "what is skipped can be read")
            return
        }
        requireSame(item.encoded, as: bytes[..<reader.offset])
        if let length { require(length == reader.offset, "skipping and reading agree on the length") }
    }
}

/// RFC 8949 §4.2.1 for arrays, integers, strings, true, false and null, written down a second time and recursively.
private enum ReferenceCBOR {
    /// Of the first item; nil when it is not deterministic, not whole, or too deep.
    static func length(of bytes: [UInt8]) -> Int? { end(of: bytes[...], nesting: Limits.cborNesting) }

    private static func end(of bytes: ArraySlice<UInt8>, nesting: Int) -> Int? {
        guard let first = bytes.first else { return nil }
        if [0xf4, 0xf5, 0xf6].contains(first) { return bytes.startIndex + 1 }
        guard first < 0xa0, let (argument, head) = argument(bytes.prefix(9)) else { return nil }
        let rest = bytes.dropFirst(head)
        switch first >> 5 {
        case 0, 1: return rest.startIndex
        case 2, 3: return argument <= UInt64(rest.count) ? rest.startIndex + Int(argument) : nil
        default:
            guard nesting > 0, argument <= UInt64(rest.count) else { return nil }
            var place = rest.startIndex
            for _ in 0..<argument {
                guard let next = end(of: bytes[place...], nesting: nesting - 1) else { return nil }
                place = next
            }
            return place
        }
    }

    /// The number in a head, in the one way in which it may be written.
    private static func argument(_ head: ArraySlice<UInt8>) -> (UInt64, head: Int)? {
        let information = head[head.startIndex] & 0x1f
        switch information {
        case 0...23: return (UInt64(information), 1)
        case 24: return number(head, 1).flatMap { $0 > 23 ? ($0, 2) : nil }
        case 25: return number(head, 2).flatMap { $0 > 0xff ? ($0, 3) : nil }
        case 26: return number(head, 4).flatMap { $0 > 0xffff ? ($0, 5) : nil }
        case 27: return number(head, 8).flatMap { $0 > 0xffff_ffff ? ($0, 9) : nil }
        default: return nil
        }
    }

    private static func number(_ head: ArraySlice<UInt8>, _ count: Int) -> UInt64? {
        let digits = head.dropFirst().prefix(count)
        return digits.count == count ? digits.reduce(0) { $0 * 256 + UInt64($1) } : nil
    }
}
