/// Why an operation was refused, by its place in its delta.
public struct Refusal: Hashable, Sendable {
    public var index: Int
    /// A stable code, see docs/wire-format.md.
    public var reason: String

    public init(index: Int, reason: String) {
        self.index = index
        self.reason = reason
    }
}

/// The refusals of one log entry, rising by index. Kept as their bytes and read one at a time: thousands of short reasons
/// would take many times the memory of their encoding.
public struct Refusals: Collection, Hashable, Sendable, ExpressibleByArrayLiteral {
    /// Pairs of index and reason, without the head of their array.
    private let pairs: [UInt8]
    public let count: Int

    /// - Parameter refusals: rising by index.
    public init(_ refusals: some Collection<Refusal>) {
        if let same = refusals as? Refusals {
            self = same
            return
        }
        var writer = CBORWriter()
        for refusal in refusals {
            writer.unsigned(refusal.index)
            writer.text(refusal.reason)
        }
        pairs = writer.bytes
        count = refusals.count
    }

    public init(arrayLiteral refusals: Refusal...) { self.init(refusals) }

    public var startIndex: Int { 0 }
    public var endIndex: Int { pairs.count }
    public func index(after place: Int) -> Int { read(at: place).end }
    public subscript(place: Int) -> Refusal { read(at: place).refusal }

    private func read(at place: Int) -> (refusal: Refusal, end: Int) {
        var reader = CBORReader(pairs, in: place..<pairs.count)
        do {
            return (try Self.pair(&reader), reader.offset)
        } catch {
            preconditionFailure("refusals are checked when they are taken in: \(error)")
        }
    }

    private static func pair(_ reader: inout CBORReader) throws(WireError) -> Refusal {
        let index = try reader.count(upTo: Limits.hardMaximumOperationsPerDelta - 1, "index")
        return Refusal(index: index, reason: try reader.text(upTo: Limits.reasonBytes))
    }

    func encode(into writer: inout CBORWriter) {
        writer.array(count: count * 2)
        writer.encoded(pairs)
    }

    init(from reader: inout CBORReader) throws(WireError) {
        let start = reader.offset
        let items = try reader.arrayCount(upTo: Limits.hardMaximumOperationsPerDelta * 2, "refusals")
        guard items.isMultiple(of: 2) else { throw WireError(.inconsistent, at: start, "pairs expected") }
        let first = reader.offset
        var previous = -1
        for _ in 0..<(items / 2) {
            let place = reader.offset
            let refusal = try Self.pair(&reader)
            guard refusal.index > previous else { throw WireError(.inconsistent, at: place, "rising indexes expected") }
            previous = refusal.index
        }
        pairs = Array(reader.bytes[first..<reader.offset])
        count = items / 2
    }
}
