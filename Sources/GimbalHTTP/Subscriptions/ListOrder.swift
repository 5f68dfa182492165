import GimbalCRDT

/// The order of a list, newest first, in which a key's index is found, and a key added or removed, in time that hardly grows
/// with the list: chunks of some hundred keys, searched by halves.
package struct ListOrder: Sendable {
    private var chunks: [[KeyPlace]] = []
    package private(set) var count = 0

    private static let chunkLimit = 512

    package init() {}

    package init(_ keys: [KeyPlace]) {
        let sorted = keys.sorted()
        count = sorted.count
        chunks = stride(from: 0, to: sorted.count, by: Self.chunkLimit / 2).map {
            Array(sorted[$0..<min($0 + Self.chunkLimit / 2, sorted.count)])
        }
    }

    /// First to last.
    package var keys: some Sequence<KeyPlace> { chunks.lazy.joined() }

    /// The index that the key has from now on.
    package mutating func insert(_ key: KeyPlace) -> Int {
        guard let chunk = chunk(of: key) else {
            chunks = [[key]]
            count = 1
            return 0
        }
        let offset = Self.lowerBound(of: key, in: chunks[chunk])
        let index = start(of: chunk) + offset
        chunks[chunk].insert(key, at: offset)
        count += 1
        if chunks[chunk].count > Self.chunkLimit {
            let half = chunks[chunk].count / 2
            chunks.insert(Array(chunks[chunk][half...]), at: chunk + 1)
            chunks[chunk].removeSubrange(half...)
        }
        return index
    }

    package func index(of key: KeyPlace) -> Int? {
        guard let (chunk, offset) = find(key) else { return nil }
        return start(of: chunk) + offset
    }

    /// The index that the key had.
    package mutating func remove(_ key: KeyPlace) -> Int? {
        guard let (chunk, offset) = find(key) else { return nil }
        let index = start(of: chunk) + offset
        remove(chunk, offset)
        return index
    }

    /// The same for one whose index nobody asks for.
    mutating func discard(_ key: KeyPlace) {
        if let (chunk, offset) = find(key) { remove(chunk, offset) }
    }

    private mutating func remove(_ chunk: Int, _ offset: Int) {
        chunks[chunk].remove(at: offset)
        if chunks[chunk].isEmpty { chunks.remove(at: chunk) }
        count -= 1
    }

    private func find(_ key: KeyPlace) -> (chunk: Int, offset: Int)? {
        guard let chunk = chunk(of: key) else { return nil }
        let offset = Self.lowerBound(of: key, in: chunks[chunk])
        guard offset < chunks[chunk].count, chunks[chunk][offset] == key else { return nil }
        return (chunk, offset)
    }

    /// The last chunk that does not begin after the key, or the first.
    private func chunk(of key: KeyPlace) -> Int? {
        guard !chunks.isEmpty else { return nil }
        var low = 0
        var high = chunks.count
        while low + 1 < high {
            let middle = (low + high) / 2
            if key < chunks[middle][0] { high = middle } else { low = middle }
        }
        return low
    }

    private func start(of chunk: Int) -> Int { chunks[..<chunk].reduce(0) { $0 + $1.count } }

    private static func lowerBound(of key: KeyPlace, in chunk: [KeyPlace]) -> Int {
        var low = 0
        var high = chunk.count
        while low < high {
            let middle = (low + high) / 2
            if chunk[middle] < key { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
