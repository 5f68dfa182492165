import CRocksDB
import GimbalStorage

extension Section {
    var family: Family {
        switch self {
        case .state: .state
        case .log: .log
        default: .rest
        }
    }

    /// The key under which the family has it.
    func stored(_ key: [UInt8]) -> [UInt8] {
        if family != .rest { return key }
        var stored: [UInt8] = []
        stored.reserveCapacity(key.count + 1)
        stored.append(rawValue)
        stored.append(contentsOf: key)
        return stored
    }

    /// The stored key that no stored key of this section reaches; nil where the family ends with the section.
    var storedEnd: [UInt8]? {
        family == .rest ? [rawValue + 1] : nil
    }

    /// Bytes before the key in a stored key.
    var prefixLength: Int {
        family == .rest ? 1 : 0
    }
}

extension RocksDBReader {
    /// More keys than this are read in parts, since RocksDB holds all blocks of one call at once.
    static let keysPerRead = 1000

    func load(_ keys: [[UInt8]], from section: Section) throws(StorageError) -> [[UInt8]?] {
        let family = handle.pointer(section.family)
        if keys.count == 1 { return [try get(section.stored(keys[0]), from: family)] }
        var values: [[UInt8]?] = []
        values.reserveCapacity(keys.count)
        for start in stride(from: 0, to: keys.count, by: Self.keysPerRead) {
            let part = keys[start..<min(start + Self.keysPerRead, keys.count)]
            values += try get(part.map(section.stored), from: family)
        }
        return values
    }

    func scan(
        _ section: Section, from lower: [UInt8], until upper: [UInt8]?,
        _ visit: (_ key: [UInt8], _ value: [UInt8]) throws(StorageError) -> Bool
    ) throws(StorageError) {
        let prefixLength = section.prefixLength
        try scan(
            handle.pointer(section.family), from: section.stored(lower),
            until: upper.map(section.stored) ?? section.storedEnd,
            // Long reads of the log or of a whole view would push what requests need out of the cache.
            keepsBlocks: section != .log && snapshot == nil
        ) { key, value throws(StorageError) in
            try visit([UInt8](key.dropFirst(prefixLength)), [UInt8](value))
        }
    }

    func last(_ section: Section, below upper: [UInt8]) throws(StorageError) -> (key: [UInt8], value: [UInt8])? {
        let found = try last(
            handle.pointer(section.family), from: section.stored([]), below: section.stored(upper))
        return found.map { ([UInt8]($0.key.dropFirst(section.prefixLength)), $0.value) }
    }
}
