/// A value of exactly 32 bytes, kept inline. Orders as its bytes do.
///
/// Keys and hashes are types of their own so that one is never taken for another; what they share is here.
public protocol Bytes32: Hashable, Comparable, Sendable, CustomStringConvertible {
    var words: Words32 { get }
    init(words: Words32)
}

/// Four big-endian words: comparing them is comparing the bytes.
public struct Words32: Hashable, Comparable, Sendable {
    public var first: UInt64
    public var second: UInt64
    public var third: UInt64
    public var fourth: UInt64

    @inlinable
    public init(_ first: UInt64, _ second: UInt64, _ third: UInt64, _ fourth: UInt64) {
        self.first = first
        self.second = second
        self.third = third
        self.fourth = fourth
    }

    @inlinable
    public static func < (left: Self, right: Self) -> Bool {
        if left.first != right.first { return left.first < right.first }
        if left.second != right.second { return left.second < right.second }
        if left.third != right.third { return left.third < right.third }
        return left.fourth < right.fourth
    }

    /// The 32 bytes from `offset` on, which must be there.
    public init(_ bytes: [UInt8], at offset: Int) {
        precondition(offset >= 0 && offset + 32 <= bytes.count, "32 bytes are there")
        self = bytes.withUnsafeBytes { bytes in
            func word(_ index: Int) -> UInt64 {
                UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset + 8 * index, as: UInt64.self))
            }
            return Words32(word(0), word(1), word(2), word(3))
        }
    }
}

extension Bytes32 {
    /// Nil unless `bytes` holds exactly 32.
    @inlinable
    public init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == 32 else { return nil }
        self.init(words: Words32(Array(bytes), at: 0))
    }

    /// Nil unless `hex` is 64 lower-case hexadecimal digits.
    public init?(hex: some StringProtocol) {
        guard let bytes = Hex.decode(hex) else { return nil }
        self.init(bytes)
    }

    public static var zero: Self { Self(words: Words32(0, 0, 0, 0)) }

    public var bytes: [UInt8] { withBytes { Array($0) } }

    /// The bytes where they lie, for the call alone: hashes and keys are written out on every hot path, and an array each
    /// would be most of the cost.
    @inlinable
    public func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        let bigEndian = (
            words.first.bigEndian, words.second.bigEndian, words.third.bigEndian, words.fourth.bigEndian
        )
        return try withUnsafeBytes(of: bigEndian, body)
    }

    @inlinable
    public static func < (left: Self, right: Self) -> Bool { left.words < right.words }

    /// 64 lower-case hexadecimal digits.
    public var hex: String { Hex.encode(bytes) }

    public var description: String { hex }
}

/// An Ed25519 public key: who signed.
public struct AuthorID: Bytes32 {
    public var words: Words32
    @inlinable public init(words: Words32) { self.words = words }
}

/// The Ed25519 root public key that founded a space: which space.
public struct SpaceID: Bytes32 {
    public var words: Words32
    @inlinable public init(words: Words32) { self.words = words }
}

/// A BLAKE2b-256 hash.
public struct Digest: Bytes32 {
    public var words: Words32
    @inlinable public init(words: Words32) { self.words = words }
}

/// Lower-case hexadecimal, the one spelling used for keys, hashes and indexes.
public enum Hex {
    private static let digits = Array("0123456789abcdef".utf8)

    public static func encode(_ bytes: some Collection<UInt8>) -> String {
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count * 2)
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Nil for an odd length or any other character.
    public static func decode(_ text: some StringProtocol) -> [UInt8]? {
        var bytes: [UInt8] = []
        var high: UInt8?
        for character in text.utf8 {
            let digit: UInt8
            switch character {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = character - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = character - UInt8(ascii: "a") + 10
            default: return nil
            }
            if let known = high {
                bytes.append(known << 4 | digit)
                high = nil
            } else {
                high = digit
            }
        }
        return high == nil ? bytes : nil
    }
}
