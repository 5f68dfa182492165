/// A JSON Patch (RFC 6902), ready to be applied.
public struct JSONPatch: Sendable {
    public enum Operation: Sendable {
        case add(JSONPointer, JSONValue)
        case remove(JSONPointer)
        case replace(JSONPointer, JSONValue)
        case move(from: JSONPointer, to: JSONPointer)
        case copy(from: JSONPointer, to: JSONPointer)
        case test(JSONPointer, JSONValue)
    }

    /// Why a patch is none, or does not fit the document.
    public enum Failure: String, Error, Sendable {
        /// Not an array of operations as RFC 6902 has them.
        case malformed = "patch-malformed"
        /// There is nothing at the place that an operation names.
        case missing = "patch-target-missing"
        /// A `test` found something else.
        case untrue = "patch-test-failed"
    }

    public let operations: [Operation]

    public init(_ operations: [Operation]) { self.operations = operations }

    public init(_ json: JSONValue) throws(Failure) {
        guard let items = json.array else { throw .malformed }
        operations = try items.map { item throws(Failure) in try Operation(item) }
    }

    /// Applies the operations one after the other.
    ///
    /// - Throws: and gives no document, when one of them does not fit.
    public func applied(to document: JSONValue) throws(Failure) -> JSONValue {
        var result = document
        for operation in operations { try operation.apply(to: &result) }
        return result
    }
}

extension JSONPatch.Operation {
    init(_ json: JSONValue) throws(JSONPatch.Failure) {
        func pointer(_ name: String) throws(JSONPatch.Failure) -> JSONPointer {
            guard let text = json[name]?.text, let pointer = JSONPointer(parsing: text) else { throw .malformed }
            return pointer
        }
        func value() throws(JSONPatch.Failure) -> JSONValue {
            guard let value = json["value"] else { throw .malformed }
            return value
        }
        self =
            switch json["op"]?.string {
            case "add": .add(try pointer("path"), try value())
            case "remove": .remove(try pointer("path"))
            case "replace": .replace(try pointer("path"), try value())
            case "move": .move(from: try pointer("from"), to: try pointer("path"))
            case "copy": .copy(from: try pointer("from"), to: try pointer("path"))
            case "test": .test(try pointer("path"), try value())
            default: throw .malformed
            }
    }

    func apply(to document: inout JSONValue) throws(JSONPatch.Failure) {
        switch self {
        case .add(let place, let value): try document.edit(place.steps[...], .add(value))
        case .remove(let place): try document.edit(place.steps[...], .remove)
        case .replace(let place, let value): try document.edit(place.steps[...], .replace(value))
        case .move(let from, let to):
            let value = try document.value(at: from)
            try document.edit(from.steps[...], .remove)
            try document.edit(to.steps[...], .add(value))
        case .copy(let from, let to): try document.edit(to.steps[...], .add(try document.value(at: from)))
        case .test(let place, let value):
            guard try document.value(at: place).means(value) else { throw .untrue }
        }
    }
}

private enum Edit {
    case add(JSONValue)
    case replace(JSONValue)
    case remove
}

extension JSONValue {
    /// The value at a place.
    fileprivate func value(at pointer: JSONPointer) throws(JSONPatch.Failure) -> JSONValue {
        var value = self
        for step in pointer.steps {
            let next: JSONValue? =
                switch value {
                case .object: value[step]
                case .array(let items): Self.index(step, below: items.count).map { items[$0] }
                default: nil
                }
            guard let next else { throw .missing }
            value = next
        }
        return value
    }

    /// Each step goes into one level of the document, so its depth bounds the recursion. What it leaves when it throws is
    /// of no use.
    fileprivate mutating func edit(_ steps: ArraySlice<JSONName>, _ edit: Edit) throws(JSONPatch.Failure) {
        guard let step = steps.first else {
            switch edit {
            case .add(let value), .replace(let value): self = value
            case .remove: throw .missing
            }
            return
        }
        switch self {
        case .object(var members):
            // Nothing else holds the members while they change: they are not copied.
            self = .null
            let index = members.lastIndex { $0.name.means(step) }
            if steps.count > 1 {
                guard let index else { throw .missing }
                try members[index].value.edit(steps.dropFirst(), edit)
            } else {
                try Self.edit(&members, step, index, edit)
            }
            self = .object(members)
        case .array(var items):
            self = .null
            if steps.count > 1 {
                guard let index = Self.index(step, below: items.count) else { throw .missing }
                try items[index].edit(steps.dropFirst(), edit)
            } else {
                try Self.edit(&items, step, edit)
            }
            self = .array(items)
        case .text, .number, .bool, .null: throw .missing
        }
    }

    private static func edit(
        _ members: inout [Member], _ name: JSONName, _ index: Int?, _ edit: Edit
    ) throws(JSONPatch.Failure) {
        switch (edit, index) {
        case (.add(let value), let index?), (.replace(let value), let index?): members[index].value = value
        case (.add(let value), nil): members.append((JSONString(name: name), value))
        case (.remove, _?): members.removeAll { $0.name.means(name) }
        case (.replace, nil), (.remove, nil): throw .missing
        }
    }

    private static func edit(_ items: inout [JSONValue], _ step: JSONName, _ edit: Edit) throws(JSONPatch.Failure) {
        switch edit {
        case .add(let value):
            guard let index = step == .afterLast ? items.count : Self.index(step, below: items.count + 1) else { throw .missing }
            items.insert(value, at: index)
        case .replace(let value):
            guard let index = Self.index(step, below: items.count) else { throw .missing }
            items[index] = value
        case .remove:
            guard let index = Self.index(step, below: items.count) else { throw .missing }
            items.remove(at: index)
        }
    }

    private static func index(_ step: JSONName, below count: Int) -> Int? {
        step.index.flatMap { $0 < count ? $0 : nil }
    }

    /// Equal as RFC 6902 §4.6 has it: numbers by value, members in any order.
    fileprivate func means(_ other: JSONValue) -> Bool {
        switch (self, other) {
        case (.number(let one), .number(let two)): one == two || Self.areEqual(Double(one), Double(two))
        case (.text(let one), .text(let two)): one.name == two.name
        case (.array(let one), .array(let two)): one.count == two.count && zip(one, two).allSatisfy { $0.means($1) }
        case (.object(let one), .object(let two)):
            Set(one.map(\.name.name)) == Set(two.map(\.name.name))
                && one.allSatisfy { member in
                    let name = member.name.name
                    return self[name].flatMap { mine in other[name].map(mine.means) } ?? false
                }
        default: self == other
        }
    }

    /// What is too large for a number here is equal to nothing else.
    private static func areEqual(_ one: Double?, _ two: Double?) -> Bool {
        guard let one, let two, one.isFinite else { return false }
        return one == two
    }
}
