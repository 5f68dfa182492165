/// A fuzzer's bytes read as choices. Past the end every choice is 0, so every input means something.
struct Script {
    private let bytes: [UInt8]
    private var offset = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { offset >= bytes.count }

    mutating func byte() -> UInt8 {
        guard offset < bytes.count else { return 0 }
        defer { offset += 1 }
        return bytes[offset]
    }

    mutating func flag() -> Bool { byte() & 1 == 1 }

    /// 0 up to `limit`, which is at most 65,536.
    mutating func below(_ limit: Int) -> Int {
        guard limit > 1 else { return 0 }
        if limit <= 256 { return Int(byte()) % limit }
        return (Int(byte()) << 8 | Int(byte())) % limit
    }

    /// Where a sum, or a number of another width, ends.
    private static let extremes: [UInt64] = [
        (1 << 62) - 1, 1 << 62, (1 << 62) + 1, (1 << 63) - 1, 1 << 63, (1 << 63) + 1, .max - 1, .max,
    ]

    /// Small most of the time; now and then an extreme one, or any 64 bits.
    mutating func number() -> UInt64 {
        let first = byte()
        guard first >= 0xe8 else { return UInt64(first) }
        if first < 0xf0 { return Self.extremes[Int(first & 7)] }
        return (0..<8).reduce(0) { value, _ in value << 8 | UInt64(byte()) }
    }

    mutating func element<Element>(of list: [Element]) -> Element { list[below(list.count)] }

    /// As many as are left, at most `count`.
    mutating func take(_ count: Int) -> [UInt8] {
        let end = min(offset + count, bytes.count)
        defer { offset = end }
        return offset < end ? Array(bytes[offset..<end]) : []
    }
}

/// The same numbers in every run.
struct ScriptRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state
    }
}
