/// What happened to the entries of a subscription.
public enum Change<Value> {
    /// Everything that matches, newest first. Comes first and once: what changed while a connection was away comes as the
    /// changes below.
    case snapshot([Entry<Value>])
    /// A path that had nothing has something now.
    case inserted(Entry<Value>)
    /// A path was written. When it was deleted and written again while nobody looked, `created` is another one.
    case updated(Entry<Value>)
    /// A path has nothing any more; what was last seen there.
    case removed(Entry<Value>)
}

extension Change: Sendable where Value: Sendable {}
extension Change: Equatable where Value: Equatable {}

extension Array {
    /// Follows a subscription: applied to an empty array change by change, this is what a list answers, newest first.
    public mutating func apply<Value>(_ change: Change<Value>) where Element == Entry<Value> {
        switch change {
        case .snapshot(let entries): self = entries
        case .inserted(let entry): insert(entry, at: place(of: entry))
        case .updated(let entry):
            if let index = firstIndex(where: { $0.path == entry.path }) {
                if self[index].created == entry.created {
                    self[index] = entry
                    return
                }
                remove(at: index)
            }
            insert(entry, at: place(of: entry))
        case .removed(let entry): removeAll { $0.path == entry.path }
        }
    }

    /// Lists are ordered by `created`, newest first, then by the bytes of the path.
    private func place<Value>(of entry: Entry<Value>) -> Int where Element == Entry<Value> {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            let other = self[middle]
            let isBefore =
                other.created != entry.created
                ? other.created > entry.created : other.path.utf8.lexicographicallyPrecedes(entry.path.utf8)
            if isBefore { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
