/// Entries of one section for the staging area, kept in one buffer so that a million of them are not two million arrays.
public struct StagedRun: Sendable {
    /// Where an entry lies in `bytes`.
    private struct Place {
        var start: Int
        var keyCount: Int
        var valueCount: Int
    }

    public let section: Section
    private var bytes: [UInt8] = []
    private var places: [Place] = []

    public init(_ section: Section) { self.section = section }

    public var count: Int { places.count }
    /// Of keys and values.
    public var byteCount: Int { bytes.count }

    public mutating func append(_ key: some Collection<UInt8>, _ value: some Collection<UInt8>) {
        let start = bytes.count
        bytes.append(contentsOf: key)
        let keyCount = bytes.count - start
        bytes.append(contentsOf: value)
        places.append(Place(start: start, keyCount: keyCount, valueCount: bytes.count - start - keyCount))
    }

    public mutating func append(_ other: StagedRun) {
        precondition(section == other.section, "one run is of one section")
        let offset = bytes.count
        bytes += other.bytes
        places += other.places.map { Place(start: $0.start + offset, keyCount: $0.keyCount, valueCount: $0.valueCount) }
    }

    /// Brings the entries into the order of keys; of equal keys the later value stays.
    public mutating func sort() { sort { _, _, later in later } }

    /// Brings the entries into the order of keys. Of equal keys `combine` makes one value, earlier entries first.
    public mutating func sort(combining combine: (_ key: [UInt8], _ earlier: [UInt8], _ later: [UInt8]) -> [UInt8]) {
        bytes.withUnsafeBytes { bytes in
            let order = { (left: Place, right: Place) in
                let keys = (bytes[left.start..<(left.start + left.keyCount)], bytes[right.start..<(right.start + right.keyCount)])
                let comparison = Self.compare(keys.0, keys.1)
                return comparison == 0 ? left.start < right.start : comparison < 0
            }
            places.sort(by: order)
        }
        combineEqualKeys(combine)
    }

    private mutating func combineEqualKeys(
        _ combine: (_ key: [UInt8], _ earlier: [UInt8], _ later: [UInt8]) -> [UInt8]
    ) {
        let hasEqualKeys = places.indices.dropFirst().contains { key($0).elementsEqual(key($0 - 1)) }
        guard hasEqualKeys else { return }
        var combined = StagedRun(section)
        var index = 0
        while index < count {
            var value = Array(self.value(index))
            var next = index + 1
            while next < count, key(next).elementsEqual(key(index)) {
                value = combine(Array(key(index)), value, Array(self.value(next)))
                next += 1
            }
            combined.append(key(index), value)
            index = next
        }
        self = combined
    }

    /// As unsigned bytes, eight at a time; negative when `left` comes first.
    private static func compare(_ left: Slice<UnsafeRawBufferPointer>, _ right: Slice<UnsafeRawBufferPointer>) -> Int {
        let (one, two) = (UnsafeRawBufferPointer(rebasing: left), UnsafeRawBufferPointer(rebasing: right))
        let common = min(one.count, two.count)
        var offset = 0
        while offset + 8 <= common {
            let words = (
                UInt64(bigEndian: one.loadUnaligned(fromByteOffset: offset, as: UInt64.self)),
                UInt64(bigEndian: two.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            )
            if words.0 != words.1 { return words.0 < words.1 ? -1 : 1 }
            offset += 8
        }
        while offset < common {
            if one[offset] != two[offset] { return one[offset] < two[offset] ? -1 : 1 }
            offset += 1
        }
        return one.count - two.count
    }

    public func key(_ index: Int) -> ArraySlice<UInt8> {
        let place = places[index]
        return bytes[place.start..<(place.start + place.keyCount)]
    }

    public func value(_ index: Int) -> ArraySlice<UInt8> {
        let place = places[index]
        let start = place.start + place.keyCount
        return bytes[start..<(start + place.valueCount)]
    }

    /// Calls `visit` with each entry, without copies.
    package func forEach<Failure: Error>(
        _ visit: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        try bytes.withUnsafeBufferPointer { buffer throws(Failure) in
            let bytes = UnsafeRawBufferPointer(buffer)
            for place in places {
                let valueStart = place.start + place.keyCount
                try visit(
                    UnsafeRawBufferPointer(rebasing: bytes[place.start..<valueStart]),
                    UnsafeRawBufferPointer(rebasing: bytes[valueStart..<(valueStart + place.valueCount)]))
            }
        }
    }

    /// Whether keys rise strictly, as an engine takes them.
    package var isSorted: Bool {
        places.indices.dropFirst().allSatisfy { key($0 - 1).lexicographicallyPrecedes(key($0)) }
    }
}
