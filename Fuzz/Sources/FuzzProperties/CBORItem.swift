import GimbalWire

/// Any item that the formats have, as a tree, read and written with the public reader and writer.
indirect enum CBORItem {
    case unsigned(UInt64)
    case negative(UInt64)
    case bytes([UInt8])
    case text([UInt8])
    case array([CBORItem])
    case emptyMap
    case tagged([CBORItem])
    case bool(Bool)
    case null

    init(from reader: inout CBORReader, nesting: Int = 12) throws(WireError) {
        switch try reader.nextMajorType() {
        case 0: self = .unsigned(try reader.unsigned())
        case 1: self = .negative(try reader.negative())
        case 2: self = .bytes(try reader.byteString())
        case 3: self = .text(Array(reader.bytes[try reader.textRange()]))
        case 4:
            let start = reader.offset
            let count = try reader.arrayCount(upTo: Int.max, "items")
            guard nesting > 0 else { throw WireError(.nesting, at: start) }
            var items: [CBORItem] = []
            for _ in 0..<count { items.append(try CBORItem(from: &reader, nesting: nesting - 1)) }
            self = .array(items)
        case 5:
            try reader.emptyMap()
            self = .emptyMap
        case 6:
            try reader.tag(18)
            self = .tagged([try CBORItem(from: &reader, nesting: nesting)])
        default: self = reader.takeNull() ? .null : .bool(try reader.bool())
        }
    }

    func encode(into writer: inout CBORWriter) {
        switch self {
        case .unsigned(let value): writer.unsigned(value)
        case .negative(let value): writer.negative(value)
        case .bytes(let bytes): writer.byteString(bytes)
        case .text(let bytes): writer.text(utf8: bytes)
        case .array(let items):
            writer.array(count: items.count)
            for item in items { item.encode(into: &writer) }
        case .emptyMap: writer.map(count: 0)
        case .tagged(let items):
            writer.tag(18)
            for item in items { item.encode(into: &writer) }
        case .bool(let value): writer.bool(value)
        case .null: writer.null()
        }
    }

    var encoded: [UInt8] {
        var writer = CBORWriter()
        encode(into: &writer)
        return writer.bytes
    }
}
