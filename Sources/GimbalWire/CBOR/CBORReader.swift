import GimbalCRDT

/// Reads deterministic CBOR and refuses everything else, with the place: longer integers than needed, indefinite lengths,
/// lengths beyond the bytes that are left, deeper nesting than the limit. Allocates nothing but what it returns.
public struct CBORReader: Sendable {
    public let bytes: [UInt8]
    /// The next byte to read.
    public private(set) var offset: Int
    private let end: Int

    public init(_ bytes: [UInt8]) {
        self.bytes = bytes
        offset = 0
        end = bytes.count
    }

    /// Reads only `range`; offsets in errors stay those of `bytes`.
    public init(_ bytes: [UInt8], in range: Range<Int>) {
        self.bytes = bytes
        offset = range.lowerBound
        end = range.upperBound
    }

    public var isAtEnd: Bool { offset == end }

    public var bytesLeft: Int { end - offset }

    public func expectEnd() throws(WireError) {
        guard isAtEnd else { throw WireError(.trailingBytes, at: offset) }
    }

    public mutating func unsigned() throws(WireError) -> UInt64 { try argument(of: 0) }

    /// A position, sequence, count, epoch number or time: whatever is added to, or counted from. Below `Limits.ordinalLimit`,
    /// so that sums of what came from outside stay in 64 bits wherever they are made.
    ///
    /// - Parameter limit: twice the usual one for what a program stored itself, which may be such a sum.
    public mutating func ordinal(below limit: UInt64 = Limits.ordinalLimit) throws(WireError) -> UInt64 {
        let start = offset
        let value = try unsigned()
        guard value < limit else {
            throw WireError(.tooLarge, at: start, "a number: below 2^\(limit.trailingZeroBitCount)")
        }
        return value
    }

    public mutating func negative() throws(WireError) -> UInt64 { try argument(of: 1) }

    /// A number that must fit, at most `limit`.
    public mutating func count(upTo limit: Int, _ what: String) throws(WireError) -> Int {
        let start = offset
        let value = try unsigned()
        guard value <= UInt64(limit) else { throw WireError(.tooLarge, at: start, "\(what): at most \(limit)") }
        return Int(value)
    }

    public mutating func byteStringRange() throws(WireError) -> Range<Int> { try content(of: 2) }

    public mutating func byteString() throws(WireError) -> [UInt8] { Array(bytes[try byteStringRange()]) }

    public mutating func textRange() throws(WireError) -> Range<Int> { try content(of: 3) }

    /// A short text: reasons, type texts, nonces of people.
    public mutating func text(upTo limit: Int = Limits.textBytes) throws(WireError) -> String {
        let range = try textRange()
        guard range.count <= limit else {
            throw WireError(.tooLarge, at: range.lowerBound, "text: at most \(limit) bytes")
        }
        guard let text = String(validating: bytes[range], as: UTF8.self) else {
            throw WireError(.badValue, at: range.lowerBound, "not UTF-8")
        }
        return text
    }

    /// The type text that every signed payload begins with.
    public mutating func type(_ expected: String) throws(WireError) {
        let start = offset
        let found = try textRange()
        guard bytes[found].elementsEqual(expected.utf8) else {
            throw WireError(.unknownType, at: start, "expected \(expected)")
        }
    }

    @inlinable
    public mutating func fixed<Value: Bytes32>(_: Value.Type) throws(WireError) -> Value { Value(words: try words()) }

    /// A byte string of 32 bytes.
    public mutating func words() throws(WireError) -> Words32 {
        let start = offset
        let range = try byteStringRange()
        guard range.count == 32 else { throw WireError(.unexpected, at: start, "32 bytes expected") }
        return Words32(bytes, at: range.lowerBound)
    }

    public mutating func stamp() throws(WireError) -> HybridTimestamp {
        let start = offset
        let stamp = HybridTimestamp(rawValue: try unsigned())
        guard stamp.isWellFormed else { throw WireError(.badStamp, at: start, "beyond the range of stamps") }
        return stamp
    }

    /// The head of an array of any length up to `limit`. Every item takes a byte at least, so a count beyond the bytes
    /// that are left is refused before anything is reserved for it.
    public mutating func arrayCount(upTo limit: Int, _ what: String) throws(WireError) -> Int {
        let start = offset
        let count = try argument(of: 4)
        guard count <= UInt64(end - offset) else { throw WireError(.truncated, at: start) }
        guard count <= UInt64(limit) else { throw WireError(.tooLarge, at: start, "\(what): at most \(limit)") }
        return Int(count)
    }

    public mutating func array(of count: Int) throws(WireError) {
        let start = offset
        guard try argument(of: 4) == UInt64(count) else {
            throw WireError(.unexpected, at: start, "an array of \(count) expected")
        }
    }

    public mutating func emptyMap() throws(WireError) {
        let start = offset
        guard try argument(of: 5) == 0 else { throw WireError(.unexpected, at: start, "an empty map expected") }
    }

    public mutating func tag(_ number: UInt64) throws(WireError) {
        let start = offset
        guard try argument(of: 6) == number else { throw WireError(.unexpected, at: start, "tag \(number) expected") }
    }

    public mutating func bool() throws(WireError) -> Bool {
        switch try simple() {
        case 0xf4: return false
        case 0xf5: return true
        default: throw WireError(.unexpected, at: offset - 1, "true or false expected")
        }
    }

    /// Whether the next item is null; takes it if so.
    public mutating func takeNull() -> Bool {
        guard offset < end, bytes[offset] == 0xf6 else { return false }
        offset += 1
        return true
    }

    /// The major type of the next item, not taken.
    public func nextMajorType() throws(WireError) -> UInt8 {
        guard offset < end else { throw WireError(.truncated, at: offset) }
        return bytes[offset] >> 5
    }

    /// Takes one item of any kind, checked in full, and returns where it is.
    public mutating func skip() throws(WireError) -> Range<Int> {
        let start = offset
        // How many items are still to come on each open level; at most `cborNesting` levels.
        var open: [UInt64] = []
        repeat {
            let itemStart = offset
            guard offset < end else { throw WireError(.truncated, at: offset) }
            let major = bytes[offset] >> 5
            switch major {
            case 0, 1: _ = try argument(of: major)
            case 2, 3: _ = try content(of: major)
            case 4:
                let count = try argument(of: major)
                guard count <= UInt64(end - offset) else { throw WireError(.truncated, at: itemStart) }
                guard open.count < Limits.cborNesting else { throw WireError(.nesting, at: itemStart) }
                if count > 0 {
                    open.append(count)
                    continue
                }
            case 7: _ = try simple()
            default: throw WireError(.unexpected, at: itemStart, "maps and tags have no place here")
            }
            while let last = open.indices.last {
                open[last] -= 1
                if open[last] > 0 { break }
                open.removeLast()
            }
        } while !open.isEmpty
        return start..<offset
    }

    private mutating func simple() throws(WireError) -> UInt8 {
        guard offset < end else { throw WireError(.truncated, at: offset) }
        let byte = bytes[offset]
        guard (0xf4...0xf6).contains(byte) else { throw WireError(.unexpected, at: offset) }
        offset += 1
        return byte
    }

    private mutating func content(of major: UInt8) throws(WireError) -> Range<Int> {
        let start = offset
        let length = try argument(of: major)
        guard length <= UInt64(end - offset) else { throw WireError(.truncated, at: start) }
        let range = offset..<(offset + Int(length))
        offset = range.upperBound
        return range
    }

    private mutating func argument(of major: UInt8) throws(WireError) -> UInt64 {
        guard offset < end else { throw WireError(.truncated, at: offset) }
        let start = offset
        let byte = bytes[offset]
        guard byte >> 5 == major else { throw WireError(.unexpected, at: start, "another kind of item expected") }
        let information = byte & 31
        offset += 1
        guard information >= 24 else { return UInt64(information) }
        guard information <= 27 else { throw WireError(.notCanonical, at: start, "indefinite or reserved length") }
        let size = 1 << Int(information - 24)
        guard end - offset >= size else { throw WireError(.truncated, at: start) }
        var value: UInt64 = 0
        for index in offset..<(offset + size) { value = value << 8 | UInt64(bytes[index]) }
        offset += size
        let least: UInt64 = [24, 1 << 8, 1 << 16, 1 << 32][Int(information - 24)]
        guard value >= least else { throw WireError(.notCanonical, at: start, "longer than needed") }
        return value
    }
}
