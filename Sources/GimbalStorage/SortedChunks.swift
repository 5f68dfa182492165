/// An ordered map of byte strings as a value: a copy is made in constant time and stays as it was.
///
/// A sorted array of sorted chunks. A change moves at most one chunk; the first change after a copy also copies
/// the outer array and the chunks it touches, never the whole map.
struct SortedChunks: Sendable {
    private struct Chunk: Sendable {
        var keys: [[UInt8]]
        var values: [[UInt8]]
    }

    /// Where an entry is, or would be inserted.
    private struct Place {
        var chunk: Int
        var index: Int
    }

    /// Chunks split when they grow past this: large enough for few chunks, small enough to shift and copy.
    static let chunkLimit = 256

    /// None is empty, and all keys rise through them.
    private var chunks: [Chunk] = []

    private(set) var count = 0
    /// Keys and values, without what the arrays themselves need.
    private(set) var bytes = 0

    func value(for key: [UInt8]) -> [UInt8]? {
        let place = place(for: key)
        return holds(key, at: place) ? chunks[place.chunk].values[place.index] : nil
    }

    mutating func put(_ value: [UInt8], at key: [UInt8]) {
        let place = place(for: key)
        if holds(key, at: place) {
            bytes += value.count - chunks[place.chunk].values[place.index].count
            chunks[place.chunk].values[place.index] = value
            return
        }
        count += 1
        bytes += key.count + value.count
        guard place.chunk < chunks.count else {
            chunks.append(Chunk(keys: [key], values: [value]))
            return
        }
        chunks[place.chunk].keys.insert(key, at: place.index)
        chunks[place.chunk].values.insert(value, at: place.index)
        if chunks[place.chunk].keys.count > Self.chunkLimit { split(place.chunk, after: place.index) }
    }

    mutating func remove(_ key: [UInt8]) {
        let place = place(for: key)
        guard holds(key, at: place) else { return }
        count -= 1
        chunks[place.chunk].keys.remove(at: place.index)
        let value = chunks[place.chunk].values.remove(at: place.index)
        bytes -= key.count + value.count
        if chunks[place.chunk].keys.isEmpty {
            chunks.remove(at: place.chunk)
        } else {
            mergeWithNext(place.chunk)
        }
    }

    /// Calls `visit` for the entries with `lower <= key < upper` in rising order until it returns false.
    func scan<Failure: Error>(
        from lower: [UInt8], until upper: [UInt8]?,
        _ visit: (_ key: [UInt8], _ value: [UInt8]) throws(Failure) -> Bool
    ) throws(Failure) {
        var place = place(for: lower)
        while place.chunk < chunks.count {
            let chunk = chunks[place.chunk]
            for index in place.index..<chunk.keys.count {
                if let upper, !precedes(chunk.keys[index], upper) { return }
                guard try visit(chunk.keys[index], chunk.values[index]) else { return }
            }
            place = Place(chunk: place.chunk + 1, index: 0)
        }
    }

    /// The entry with the greatest key below `upper`.
    func last(below upper: [UInt8]) -> (key: [UInt8], value: [UInt8])? {
        var place = place(for: upper)
        if place.index == 0 {
            guard place.chunk > 0 else { return nil }
            place.chunk -= 1
            place.index = chunks[place.chunk].keys.count
        }
        let chunk = chunks[place.chunk]
        return (chunk.keys[place.index - 1], chunk.values[place.index - 1])
    }

    // MARK: - Places

    /// The place of the first key that is not below `key`, in the chunk that such a key would join.
    private func place(for key: [UInt8]) -> Place {
        guard !chunks.isEmpty else { return Place(chunk: 0, index: 0) }
        let following = firstIndex(below: chunks.count) { !precedes(key, chunks[$0].keys[0]) }
        let chunk = max(following - 1, 0)
        let index = firstIndex(below: chunks[chunk].keys.count) { precedes(chunks[chunk].keys[$0], key) }
        return Place(chunk: chunk, index: index)
    }

    private func holds(_ key: [UInt8], at place: Place) -> Bool {
        place.chunk < chunks.count && place.index < chunks[place.chunk].keys.count
            && chunks[place.chunk].keys[place.index] == key
    }

    /// Splits in the middle, or near the end for keys that only rise: appended logs then fill their chunks.
    private mutating func split(_ chunk: Int, after inserted: Int) {
        let count = chunks[chunk].keys.count
        let middle = inserted == count - 1 ? count - 1 : count / 2
        let right = Chunk(keys: Array(chunks[chunk].keys[middle...]), values: Array(chunks[chunk].values[middle...]))
        chunks[chunk].keys.removeSubrange(middle...)
        chunks[chunk].values.removeSubrange(middle...)
        chunks.insert(right, at: chunk + 1)
    }

    private mutating func mergeWithNext(_ chunk: Int) {
        guard chunk + 1 < chunks.count,
            chunks[chunk].keys.count + chunks[chunk + 1].keys.count <= Self.chunkLimit / 2
        else { return }
        let next = chunks.remove(at: chunk + 1)
        chunks[chunk].keys += next.keys
        chunks[chunk].values += next.values
    }
}

/// The first index for which `isBefore` is false, when it is true up to there and false from there on.
private func firstIndex(below count: Int, where isBefore: (Int) -> Bool) -> Int {
    var low = 0
    var high = count
    while low < high {
        let middle = low + (high - low) / 2
        if isBefore(middle) { low = middle + 1 } else { high = middle }
    }
    return low
}

/// The order of keys: unsigned bytes, a prefix before what it begins.
func precedes(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    let (leftSpan, rightSpan) = (left.span, right.span)
    let common = min(leftSpan.count, rightSpan.count)
    var index = 0
    while index < common {
        if leftSpan[index] != rightSpan[index] { return leftSpan[index] < rightSpan[index] }
        index += 1
    }
    return leftSpan.count < rightSpan.count
}
