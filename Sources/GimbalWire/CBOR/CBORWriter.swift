import GimbalCRDT

/// Writes deterministic CBOR (RFC 8949 §4.2.1): each value has one encoding, because each call has one.
public struct CBORWriter: Sendable {
    public var bytes: [UInt8] { buffer }
    @usableFromInline var buffer: [UInt8] = []

    public init(reserving capacity: Int = 0) {
        buffer.reserveCapacity(capacity)
    }

    public mutating func unsigned(_ value: UInt64) { head(0, value) }

    public mutating func unsigned(_ value: Int) {
        precondition(value >= 0, "a count is not negative")
        head(0, UInt64(value))
    }

    /// A negative integer, −1 − `value`.
    public mutating func negative(_ value: UInt64) { head(1, value) }

    @inlinable
    public mutating func byteString(_ value: some Collection<UInt8>) {
        head(2, UInt64(value.count))
        buffer.append(contentsOf: value)
    }

    @inlinable
    public mutating func byteString(_ value: some Bytes32) {
        head(2, 32)
        value.withBytes { buffer.append(contentsOf: $0) }
    }

    /// UTF-8 that the caller has validated.
    @inlinable
    public mutating func text(utf8 value: some Collection<UInt8>) {
        head(3, UInt64(value.count))
        buffer.append(contentsOf: value)
    }

    public mutating func text(_ value: String) { text(utf8: value.utf8) }

    /// The items follow.
    public mutating func array(count: Int) { head(4, UInt64(count)) }

    /// The entries follow, sorted by the bytes of their keys.
    public mutating func map(count: Int) { head(5, UInt64(count)) }

    /// The tagged item follows.
    public mutating func tag(_ number: UInt64) { head(6, number) }

    public mutating func bool(_ value: Bool) { buffer.append(value ? 0xf5 : 0xf4) }

    public mutating func null() { buffer.append(0xf6) }

    /// One item that is encoded already.
    @inlinable
    public mutating func encoded(_ item: some Collection<UInt8>) { buffer.append(contentsOf: item) }

    public mutating func stamp(_ stamp: HybridTimestamp) { unsigned(stamp.rawValue) }

    @usableFromInline
    mutating func head(_ major: UInt8, _ argument: UInt64) {
        let type = major << 5
        if argument < 24 {
            buffer.append(type | UInt8(argument))
        } else if argument <= 0xff {
            buffer.append(type | 24)
            buffer.append(UInt8(argument))
        } else if argument <= 0xffff {
            buffer.append(type | 25)
            bigEndian(argument, byteCount: 2)
        } else if argument <= 0xffff_ffff {
            buffer.append(type | 26)
            bigEndian(argument, byteCount: 4)
        } else {
            buffer.append(type | 27)
            bigEndian(argument, byteCount: 8)
        }
    }

    private mutating func bigEndian(_ value: UInt64, byteCount: Int) {
        withUnsafeBytes(of: value.bigEndian) { buffer.append(contentsOf: $0.suffix(byteCount)) }
    }
}
