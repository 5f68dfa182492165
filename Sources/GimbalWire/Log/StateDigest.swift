import GimbalCRDT

/// A fingerprint of a whole space's state that is kept up to date item by item, in any order.
///
/// 256 buckets by the first byte of BLAKE2b(path or replica); a bucket is the sum modulo 2^512 of the BLAKE2b-512 of its
/// items; the digest hashes the hashes of 32 groups of 8 buckets, so that a change costs its group and not all of them
/// (docs/decisions/0008-the-digest-hashes-groups.md). The sum as set hash: M. Bellare, D. Micciancio, "A New Paradigm for
/// Collision-Free Hashing: Incrementality at Reduced Cost", 1997 (AdHash).
public struct StateDigest: Hashable, Sendable {
    public static let bucketCount = 256
    public static let wordsPerBucket = 8
    private static let bucketsPerGroup = 8

    /// Little-endian words, eight a bucket.
    private var words: [UInt64]
    /// Buckets that changed since `takeChanged`, a bit each.
    private var changed = SIMD4<UInt64>()
    private var groupHashes: [Digest]
    /// Groups whose hash is not known, a bit each.
    private var staleGroups = UInt32.max

    public init() {
        words = Array(repeating: 0, count: Self.bucketCount * Self.wordsPerBucket)
        groupHashes = Array(repeating: .zero, count: Self.bucketCount / Self.bucketsPerGroup)
    }

    public static func == (left: Self, right: Self) -> Bool { left.words == right.words }

    public func hash(into hasher: inout Hasher) { hasher.combine(words) }

    public enum Sign { case adding, removing }

    /// Counts a path's writes (a register's, or a member's live dots) out and others in. The operation's hash stands for
    /// its value.
    public mutating func replace(_ old: [Write], with new: [Write], on path: Path, _ primitives: any Primitives) {
        let bucket = Self.bucket(path.bytes, primitives)
        for write in old where !new.contains(write) { fold(Self.item(write, path), bucket: bucket, .removing, primitives) }
        for write in new where !old.contains(write) { fold(Self.item(write, path), bucket: bucket, .adding, primitives) }
    }

    /// Counts in all that another digest counts: of another part of the same state.
    public mutating func add(_ other: StateDigest) {
        for bucket in 0..<Self.bucketCount {
            let start = bucket * Self.wordsPerBucket
            let sum = SIMD8(other.words[start..<(start + Self.wordsPerBucket)])
            if sum != .zero { add(sum, to: bucket, .adding) }
        }
    }

    private static func item(_ write: Write, _ path: Path) -> [UInt8] {
        var writer = CBORWriter(reserving: path.bytes.count + 120)
        writer.array(count: 8)
        writer.unsigned(1)
        writer.text(utf8: path.bytes)
        writer.byteString(write.dot.replica.author)
        writer.unsigned(write.dot.replica.incarnation)
        writer.unsigned(write.dot.sequence)
        writer.stamp(write.stamp)
        writer.stamp(write.created)
        writer.byteString(write.operationHash)
        return writer.bytes
    }

    public mutating func count(refused dot: Dot, reason: String, _ sign: Sign, _ primitives: any Primitives) {
        var writer = CBORWriter(reserving: 80)
        writer.array(count: 5)
        writer.unsigned(2)
        writer.byteString(dot.replica.author)
        writer.unsigned(dot.replica.incarnation)
        writer.unsigned(dot.sequence)
        writer.text(reason)
        fold(writer.bytes, bucket: Self.bucket(dot.replica, primitives), sign, primitives)
    }

    public mutating func count(_ head: Head, of replica: ReplicaID, _ sign: Sign, _ primitives: any Primitives) {
        guard head.sequence > 0 else { return }
        var writer = CBORWriter(reserving: 96)
        writer.array(count: 5)
        writer.unsigned(3)
        writer.byteString(replica.author)
        writer.unsigned(replica.incarnation)
        writer.unsigned(head.sequence)
        writer.byteString(head.headerHash)
        fold(writer.bytes, bucket: Self.bucket(replica, primitives), sign, primitives)
    }

    /// The digest itself. Hashes what changed since it was last asked for.
    public mutating func value(_ primitives: any Primitives) -> Digest {
        let wordsPerGroup = Self.bucketsPerGroup * Self.wordsPerBucket
        for group in groupHashes.indices where staleGroups >> UInt32(group) & 1 == 1 {
            groupHashes[group] = primitives.hash(bytes(of: (group * wordsPerGroup)..<((group + 1) * wordsPerGroup)))
        }
        staleGroups = 0
        var bytes: [UInt8] = []
        bytes.reserveCapacity(groupHashes.count * 32)
        for hash in groupHashes { hash.withBytes { bytes.append(contentsOf: $0) } }
        return primitives.hash(bytes)
    }

    /// All buckets, 64 bytes each.
    public var allBytes: [UInt8] { bytes(of: 0..<words.count) }

    /// False unless `bytes` holds all buckets.
    public mutating func restoreAll(from bytes: [UInt8]) -> Bool {
        guard bytes.count == words.count * 8 else { return false }
        for index in 0..<Self.bucketCount {
            _ = restoreBucket(index, from: Array(bytes[(index * 64)..<(index * 64 + 64)]))
        }
        return true
    }

    /// 64 bytes, as stored.
    public func bucket(_ index: Int) -> [UInt8] { bytes(of: (index * Self.wordsPerBucket)..<((index + 1) * Self.wordsPerBucket)) }

    /// Copied as a whole: many of them are, once a commit.
    private func bytes(of range: Range<Int>) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: range.count * 8) { buffer, count in
            let raw = UnsafeMutableRawBufferPointer(buffer)
            for (place, index) in range.enumerated() {
                raw.storeBytes(of: words[index].littleEndian, toByteOffset: place * 8, as: UInt64.self)
            }
            count = range.count * 8
        }
    }

    /// False unless `bytes` holds 64.
    public mutating func restoreBucket(_ index: Int, from bytes: [UInt8]) -> Bool {
        guard bytes.count == 64, (0..<Self.bucketCount).contains(index) else { return false }
        for word in 0..<Self.wordsPerBucket {
            words[index * Self.wordsPerBucket + word] = bytes[(word * 8)..<(word * 8 + 8)].reversed()
                .reduce(0) { $0 << 8 | UInt64($1) }
        }
        markStale(index)
        return true
    }

    private mutating func markStale(_ bucket: Int) { staleGroups |= 1 << UInt32(bucket / Self.bucketsPerGroup) }

    /// The buckets that changed since the last call, in order.
    public mutating func takeChanged() -> [Int] {
        defer { changed = SIMD4() }
        return (0..<Self.bucketCount).filter { changed[$0 >> 6] >> UInt64($0 & 63) & 1 == 1 }
    }

    private static func bucket(_ bytes: [UInt8], _ primitives: any Primitives) -> Int {
        Int(truncatingIfNeeded: primitives.hash(bytes).words.first >> 56)
    }

    private static func bucket(_ replica: ReplicaID, _ primitives: any Primitives) -> Int {
        var bytes = replica.author.bytes
        for shift in stride(from: 56, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: replica.incarnation >> UInt64(shift)))
        }
        return bucket(bytes, primitives)
    }

    private mutating func fold(_ item: [UInt8], bucket: Int, _ sign: Sign, _ primitives: any Primitives) {
        add(primitives.wideHash(item.span), to: bucket, sign)
    }

    private mutating func add(_ hash: SIMD8<UInt64>, to bucket: Int, _ sign: Sign) {
        changed[bucket >> 6] |= 1 << UInt64(bucket & 63)
        markStale(bucket)
        var carry = false
        for word in 0..<Self.wordsPerBucket {
            let index = bucket * Self.wordsPerBucket + word
            let (partial, first) =
                sign == .adding
                ? words[index].addingReportingOverflow(hash[word]) : words[index].subtractingReportingOverflow(hash[word])
            let (sum, second) =
                sign == .adding
                ? partial.addingReportingOverflow(carry ? 1 : 0) : partial.subtractingReportingOverflow(carry ? 1 : 0)
            words[index] = sum
            carry = first || second
        }
    }
}
