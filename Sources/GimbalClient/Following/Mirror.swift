import GimbalCRDT
import GimbalWire

/// A copy of one key or list, kept by the server's messages, that says what each of them changed.
struct Mirror: Sendable {
    enum Shape: Sendable {
        case key
        case list
    }

    private let shape: Shape
    /// In the server's order: patches name places in it.
    private(set) var items: [Item] = []
    /// False until the first snapshot.
    private(set) var isFilled = false

    init(_ shape: Shape) { self.shape = shape }

    /// Takes one message; when it throws, the copy is what it was and waits for a snapshot.
    mutating func take(isSnapshot: Bool, _ data: JSONValue) throws(Item.Malformed) -> [ItemChange] {
        if isSnapshot { return try replace(data) }
        guard isFilled, let patch = try? JSONPatch(data) else { throw Item.Malformed() }
        var touched = Touched()
        do throws(Item.Malformed) {
            switch shape {
            case .key: try patchKey(patch, &touched)
            case .list: try patchList(patch, &touched)
            }
        } catch {
            // Places are lost, but only a snapshot comes next.
            items.removeAll { touched.before[$0.path] != nil }
            items += touched.paths.compactMap { touched.before[$0] ?? nil }
            throw error
        }
        return touched.changes
    }

    // MARK: Snapshots

    private mutating func replace(_ data: JSONValue) throws(Item.Malformed) -> [ItemChange] {
        var fresh: [Item] = []
        switch shape {
        case .key: if let item = try Item(data) { fresh = [item] }
        case .list:
            guard let array = data.array else { throw Item.Malformed() }
            fresh.reserveCapacity(array.count)
            for element in array {
                guard let item = try Item(element) else { throw Item.Malformed() }
                fresh.append(item)
            }
        }
        guard isFilled else {
            isFilled = true
            items = fresh
            return [.snapshot(fresh)]
        }
        var touched = Touched()
        let present = Set(fresh.map(\.path))
        for item in items where !present.contains(item.path) { touched.note(item.path, before: item, after: nil) }
        let known = Dictionary(items.map { ($0.path, $0) }, uniquingKeysWith: { $1 })
        // The oldest first, as they came to be.
        for item in fresh.reversed() { touched.note(item.path, before: known[item.path], after: item) }
        items = fresh
        return touched.changes
    }

    // MARK: Patches

    private mutating func patchKey(_ patch: JSONPatch, _ touched: inout Touched) throws(Item.Malformed) {
        let before = try items.first?.json() ?? Item.nothing
        guard let after = try? patch.applied(to: before) else { throw Item.Malformed() }
        let item = try Item(after)
        for old in items where old.path != item?.path { touched.note(old.path, before: old, after: nil) }
        if let item { touched.note(item.path, before: items.first { $0.path == item.path }, after: item) }
        items = item.map { [$0] } ?? []
    }

    private mutating func patchList(_ patch: JSONPatch, _ touched: inout Touched) throws(Item.Malformed) {
        // Operations on one item follow each other: it is taken apart and put together once.
        var inner: (index: Int, operations: [JSONPatch.Operation])?
        for operation in patch.operations {
            guard let (index, rest) = operation.place.first(below: items.count) else { throw Item.Malformed() }
            if inner?.index != index || rest == .root {
                try change(inner, &touched)
                inner = nil
            }
            if rest != .root {
                guard let deeper = operation.moved(to: rest) else { throw Item.Malformed() }
                inner = (index, (inner?.operations ?? []) + [deeper])
                continue
            }
            switch operation {
            case .add(_, let value): try insert(value, at: index, &touched)
            case .replace(_, let value): try replace(value, at: index, &touched)
            case .remove:
                guard index < items.count else { throw Item.Malformed() }
                let old = items.remove(at: index)
                touched.note(old.path, before: old, after: nil)
            case .move, .copy, .test: throw Item.Malformed()
            }
        }
        try change(inner, &touched)
    }

    private mutating func insert(_ value: JSONValue, at index: Int, _ touched: inout Touched) throws(Item.Malformed) {
        guard let item = try Item(value) else { throw Item.Malformed() }
        items.insert(item, at: index)
        touched.note(item.path, before: nil, after: item)
    }

    private mutating func replace(_ value: JSONValue, at index: Int, _ touched: inout Touched) throws(Item.Malformed) {
        guard index < items.count, let item = try Item(value) else { throw Item.Malformed() }
        let old = items[index]
        items[index] = item
        if old.path != item.path { touched.note(old.path, before: old, after: nil) }
        touched.note(item.path, before: old.path == item.path ? old : nil, after: item)
    }

    private mutating func change(
        _ inner: (index: Int, operations: [JSONPatch.Operation])?, _ touched: inout Touched
    ) throws(Item.Malformed) {
        guard let inner else { return }
        guard inner.index < items.count, let new = try? JSONPatch(inner.operations).applied(to: items[inner.index].json())
        else { throw Item.Malformed() }
        try replace(new, at: inner.index, &touched)
    }
}

/// What one message did to which paths, however many operations it took.
private struct Touched {
    private(set) var paths: [Path] = []
    private(set) var before: [Path: Item?] = [:]
    private var after: [Path: Item] = [:]

    mutating func note(_ path: Path, before: Item?, after: Item?) {
        if self.before[path] == nil {
            paths.append(path)
            self.before[path] = .some(before)
        }
        self.after[path] = after
    }

    var changes: [ItemChange] {
        paths.compactMap { path in
            switch (before[path] ?? nil, after[path]) {
            case (nil, let new?): .inserted(new)
            case (let old?, let new?): old == new ? nil : .updated(new)
            case (let old?, nil): .removed(old)
            case (nil, nil): nil
            }
        }
    }
}

extension JSONPatch.Operation {
    fileprivate var place: JSONPointer {
        switch self {
        case .add(let place, _), .remove(let place), .replace(let place, _), .move(_, let place), .copy(_, let place),
            .test(let place, _):
            place
        }
    }

    /// The same at another place; nil for what reaches from one place to another.
    fileprivate func moved(to place: JSONPointer) -> Self? {
        switch self {
        case .add(_, let value): .add(place, value)
        case .remove: .remove(place)
        case .replace(_, let value): .replace(place, value)
        case .test(_, let value): .test(place, value)
        case .move, .copy: nil
        }
    }
}

extension JSONPointer {
    /// The index in a list of this many elements that the pointer begins with (or that of a new last element), and what
    /// follows.
    fileprivate func first(below count: Int) -> (index: Int, rest: JSONPointer)? {
        guard let (step, rest) = split else { return nil }
        if step == .afterLast { return (count, rest) }
        guard let index = step.index, index <= count else { return nil }
        return (index, rest)
    }
}
