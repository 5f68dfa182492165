/// Where the parts of a JSON text begin and end: one flat list in the order of the text, so that what nobody changes can be
/// copied as it was written. Takes memory in proportion to the number of parts alone.
struct JSONOutline {
    let bytes: [UInt8]
    private var parts: [Part] = []

    private struct Part {
        var start: Int
        var end: Int
        /// The part behind this one and all that is in it.
        var next: Int
    }

    /// A value, or a member's name, by its number.
    typealias Index = Int

    struct Member {
        var name: Index
        var value: Index
    }

    /// The whole value.
    static let root: Index = 0

    /// Throws what `JSONText.validate` throws.
    init(parsing bytes: [UInt8]) throws(JSONError) {
        try JSONText.validate(bytes.span)
        self.bytes = bytes
        var scanner = JSONScanner()
        var open: [Index] = []
        while scanner.offset < bytes.count {
            let start = scanner.offset
            switch bytes[start] {
            case let byte where JSONScanner.isSpace(byte): scanner.offset += 1
            case UInt8(ascii: ","), UInt8(ascii: ":"): scanner.offset += 1
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                scanner.offset += 1
                open.append(parts.count)
                parts.append(Part(start: start, end: start, next: 0))
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                scanner.offset += 1
                let index = open.removeLast()
                parts[index].end = scanner.offset
                parts[index].next = parts.count
            case UInt8(ascii: "\""):
                scanner.skipString(bytes)
                parts.append(Part(start: start, end: scanner.offset, next: parts.count + 1))
            default:
                while scanner.offset < bytes.count, !JSONScanner.endsWord(bytes[scanner.offset]) { scanner.offset += 1 }
                parts.append(Part(start: start, end: scanner.offset, next: parts.count + 1))
            }
        }
    }

    func isObject(_ index: Index) -> Bool { bytes[parts[index].start] == UInt8(ascii: "{") }
    func isArray(_ index: Index) -> Bool { bytes[parts[index].start] == UInt8(ascii: "[") }
    func isNull(_ index: Index) -> Bool { bytes[parts[index].start] == UInt8(ascii: "n") }

    func start(of index: Index) -> Int { parts[index].start }
    func end(of index: Index) -> Int { parts[index].end }

    /// As it was written.
    func text(of index: Index) -> ArraySlice<UInt8> { bytes[parts[index].start..<parts[index].end] }

    /// What the name of a member means.
    func name(_ index: Index) -> JSONName { JSONName(literal: text(of: index).dropFirst().dropLast()) }

    func items(of array: Index) -> [Index] {
        var items: [Index] = []
        var index = array + 1
        while index < parts[array].next {
            items.append(index)
            index = parts[index].next
        }
        return items
    }

    func members(of object: Index) -> [Member] {
        var members: [Member] = []
        var index = object + 1
        while index < parts[object].next {
            let value = parts[index].next
            members.append(Member(name: index, value: value))
            index = parts[value].next
        }
        return members
    }
}
