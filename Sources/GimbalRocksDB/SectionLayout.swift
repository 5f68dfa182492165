import CRocksDB
import GimbalStorage

/// Which of the two sets of replaceable sections: one is in use, the other is the staging area.
enum SectionSet: UInt8 {
    case first = 0
    case second = 1

    var other: SectionSet { self == .first ? .second : .first }
}

/// Where a section lies: part of the stored format.
struct SectionPlace {
    let family: Family
    /// Before each key; nil where the family is the section's alone.
    let prefix: UInt8?

    /// The key under which the family has it.
    func stored(_ key: [UInt8]) -> [UInt8] {
        guard let prefix else { return key }
        var stored: [UInt8] = []
        stored.reserveCapacity(key.count + 1)
        stored.append(prefix)
        stored.append(contentsOf: key)
        return stored
    }

    /// The stored key that no stored key of this section reaches; nil where the family ends with the section.
    var storedEnd: [UInt8]? { prefix.map { [$0 + 1] } }

    /// Bytes before the key in a stored key.
    var prefixLength: Int { prefix == nil ? 0 : 1 }
}

extension Section {
    /// Added to a section's number for the second set.
    private static let secondSetOffset: UInt8 = 0x40

    func place(_ set: SectionSet) -> SectionPlace {
        switch (self, set) {
        case (.state, .first): SectionPlace(family: .state, prefix: nil)
        case (.state, .second): SectionPlace(family: .secondState, prefix: nil)
        case (.log, .first): SectionPlace(family: .log, prefix: nil)
        case (.log, .second): SectionPlace(family: .secondLog, prefix: nil)
        case (.checkpoints, .second), (.chain, .second), (.refused, .second), (.subtrees, .second):
            SectionPlace(family: .rest, prefix: rawValue + Self.secondSetOffset)
        default: SectionPlace(family: .rest, prefix: rawValue)
        }
    }
}

extension RocksDBReader {
    /// More keys than this are read in parts, since RocksDB holds all blocks of one call at once.
    static let keysPerRead = 1000

    func load(_ keys: [[UInt8]], from section: Section) throws(StorageError) -> [[UInt8]?] {
        let place = section.place(set)
        let family = handle.pointer(place.family)
        if keys.count == 1 { return [try get(place.stored(keys[0]), from: family)] }
        var values: [[UInt8]?] = []
        values.reserveCapacity(keys.count)
        for start in stride(from: 0, to: keys.count, by: Self.keysPerRead) {
            let part = keys[start..<min(start + Self.keysPerRead, keys.count)]
            values += try get(part.map(place.stored), from: family)
        }
        return values
    }

    func scan(
        _ section: Section, from lower: [UInt8], until upper: [UInt8]?,
        _ visit: (_ key: [UInt8], _ value: [UInt8]) throws(StorageError) -> Bool
    ) throws(StorageError) {
        let place = section.place(set)
        let prefixLength = place.prefixLength
        try scan(
            handle.pointer(place.family), from: place.stored(lower), until: upper.map(place.stored) ?? place.storedEnd,
            // Long reads of the log or of a whole view would push what requests need out of the cache.
            keepsBlocks: section != .log && snapshot == nil
        ) { key, value throws(StorageError) in
            try visit([UInt8](key.dropFirst(prefixLength)), [UInt8](value))
        }
    }

    func last(_ section: Section, below upper: [UInt8]) throws(StorageError) -> (key: [UInt8], value: [UInt8])? {
        let place = section.place(set)
        let found = try last(handle.pointer(place.family), from: place.stored([]), below: place.stored(upper))
        return found.map { ([UInt8]($0.key.dropFirst(place.prefixLength)), $0.value) }
    }
}
