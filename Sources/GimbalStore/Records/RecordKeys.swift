import GimbalCRDT
import GimbalStorage
import GimbalWire

/// Where each record lies: the keys of docs/storage-format.md. Numbers are big-endian, so that keys order as they do.
enum RecordKey {
    static let format = Array("format".utf8)
    static let space = Array("space".utf8)
    static let record = Array("record".utf8)
    static let author = Array("author".utf8)
    static let certificate = Array("certificate".utf8)
    static let base = Array("base".utf8)
    static let epochPrefix = Array("epoch/".utf8)
    static let digest = Array("digest".utf8)
    static let retention = Array("retention".utf8)
    static let intake = Array("intake".utf8)
    static let proofs = Array("proofs".utf8)
    static let followerPrefix = Array("follower/".utf8)

    static func number(_ value: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: value >> UInt64(56 - $0 * 8)) }
    }

    static func number(from bytes: some Collection<UInt8>) -> UInt64 {
        bytes.suffix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// The number at the end of a key that this program may not have written itself.
    static func ordinal(from bytes: some Collection<UInt8>) throws(WireError) -> UInt64 {
        let number = number(from: bytes)
        guard number < Limits.ordinalLimit else { throw WireError(.tooLarge, at: 0, "a number in a key: below 2^62") }
        return number
    }

    static func replica(_ replica: ReplicaID) -> [UInt8] { replica.author.bytes + number(replica.incarnation) }

    static func replica(from bytes: some Collection<UInt8>) -> ReplicaID? {
        guard bytes.count == 40, let author = AuthorID(bytes.prefix(32)) else { return nil }
        return ReplicaID(author: author, incarnation: number(from: bytes))
    }

    static func epoch(_ number: UInt64) -> [UInt8] { epochPrefix + Self.number(number) }
    static func follower(_ author: AuthorID) -> [UInt8] { followerPrefix + author.bytes }
    static func digestRing(_ index: UInt64) -> [UInt8] { digest + [UInt8(ascii: "/"), UInt8(index)] }
    static func dot(_ dot: Dot) -> [UInt8] { replica(dot.replica) + number(dot.sequence) }
    static func link(_ replica: ReplicaID, lastSequence: UInt64) -> [UInt8] {
        Self.replica(replica) + number(lastSequence)
    }

    /// The least key that does not begin with `prefix`; nil when every later key does.
    static func end(of prefix: [UInt8]) -> [UInt8]? {
        var end = prefix
        while let last = end.popLast() {
            if last < 0xff { return end + [last + 1] }
        }
        return nil
    }
}
