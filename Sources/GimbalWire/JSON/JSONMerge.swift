/// What PATCH does to a document. Whatever a patch does not name stays byte for byte, and what it names takes the patch's own
/// text; of members with one name the last counts, in the document and in the patch.
public enum JSONMerge {
    public enum Rule: Sendable {
        /// As ooo servers do it: objects merge member by member; null sets null and removes nothing; a member that is an
        /// object takes an object alone; for an array an object with indexes as names replaces those elements.
        case objects
        /// JSON Merge Patch (RFC 7396): null removes a member, and what is no object is replaced.
        case mergePatch
    }

    /// Why there is no result.
    public enum Failure: Error, Hashable, Sendable, CustomStringConvertible {
        case notJSON(JSONError)
        case notAnObject
        /// The document holds an object at this place, and the patch something else.
        case objectExpected(at: String)
        /// The document holds an array at this place, and the patch names what is not in it.
        case noElement(at: String)
        /// The document is neither an object nor an array.
        case nothingToMerge

        public var description: String {
            switch self {
            case .notJSON(let error): error.description
            case .notAnObject: "json: a patch must be an object"
            case .objectExpected(let place): "merge: patch value must be object for key \"\(place)\""
            case .noElement(let place): "merge: the array has no element \"\(place)\""
            case .nothingToMerge: "merge: the value is neither an object nor an array"
            }
        }
    }

    public static func merge(
        document: [UInt8], patch: [UInt8], rule: Rule = .objects
    ) throws(Failure) -> [UInt8] {
        var merger = Merger(document: try outline(document), patch: try outline(patch), rule: rule)
        try merger.run()
        return merger.result
    }

    private static func outline(_ bytes: [UInt8]) throws(Failure) -> JSONOutline {
        do throws(JSONError) { return try JSONOutline(parsing: bytes) } catch { throw .notJSON(error) }
    }
}

/// Goes through both texts once and writes the result. Nesting is bounded, and with it the recursion.
private struct Merger {
    private let document: JSONOutline
    private let patch: JSONOutline
    private let rule: JSONMerge.Rule
    private(set) var result: [UInt8] = []
    /// The names that lead to where it is.
    private var place: [JSONName] = []

    init(document: JSONOutline, patch: JSONOutline, rule: JSONMerge.Rule) {
        self.document = document
        self.patch = patch
        self.rule = rule
        result.reserveCapacity(document.bytes.count + patch.bytes.count)
    }

    mutating func run() throws(JSONMerge.Failure) {
        let root = JSONOutline.root
        if rule == .objects {
            guard patch.isObject(root) else { throw .notAnObject }
            guard document.isObject(root) || document.isArray(root) else { throw .nothingToMerge }
        }
        copy(0..<document.start(of: root))
        try change(root, to: root)
        copy(document.end(of: root)..<document.bytes.count)
    }

    private mutating func copy(_ range: Range<Int>) { result += document.bytes[range] }

    private var placeText: String { place.map(\.text).joined(separator: ".") }

    /// Writes what becomes of a value of the document for which the patch has one.
    private mutating func change(_ old: JSONOutline.Index, to new: JSONOutline.Index) throws(JSONMerge.Failure) {
        switch (document.isObject(old), patch.isObject(new)) {
        case (true, true): try mergeObject(old, new)
        case (true, false) where rule == .objects: throw .objectExpected(at: placeText)
        case (false, true) where rule == .objects && document.isArray(old): try mergeArray(old, new)
        default: add(new)
        }
    }

    /// Writes a value of the patch for which the document has none.
    private mutating func add(_ new: JSONOutline.Index) {
        if rule == .mergePatch, patch.isObject(new) { addWithoutNulls(new) } else { result += patch.text(of: new) }
    }

    /// The members of an object of the patch, of each name the last one.
    private struct Changes {
        private(set) var inOrder: [(name: JSONName, member: JSONOutline.Member)] = []
        private(set) var values: [JSONName: JSONOutline.Index] = [:]

        init(_ patch: JSONOutline, _ object: JSONOutline.Index) {
            for member in patch.members(of: object).reversed() {
                let name = patch.name(member.name)
                guard values[name] == nil else { continue }
                values[name] = member.value
                inOrder.append((name, member))
            }
            inOrder.reverse()
        }
    }

    private func isRemoval(_ value: JSONOutline.Index?) -> Bool {
        rule == .mergePatch && value.map(patch.isNull) ?? false
    }

    private mutating func mergeObject(_ old: JSONOutline.Index, _ new: JSONOutline.Index) throws(JSONMerge.Failure) {
        let changes = Changes(patch, new)
        let members = document.members(of: old)
        let names = members.map { document.name($0.name) }
        var last: [JSONName: Int] = [:]
        for (index, name) in names.enumerated() where changes.values[name] != nil { last[name] = index }
        copy(document.start(of: old)..<(members.first.map { document.start(of: $0.name) } ?? document.start(of: old) + 1))
        var isFirst = true
        for (index, member) in members.enumerated() {
            let name = names[index]
            // All of them: an earlier one would come to light.
            if isRemoval(changes.values[name]) { continue }
            if !isFirst { copy(document.end(of: members[index - 1].value)..<document.start(of: member.name)) }
            isFirst = false
            guard let change = changes.values[name], last[name] == index else {
                copy(document.start(of: member.name)..<document.end(of: member.value))
                continue
            }
            copy(document.start(of: member.name)..<document.start(of: member.value))
            place.append(name)
            try self.change(member.value, to: change)
            place.removeLast()
        }
        for (name, member) in changes.inOrder where last[name] == nil && !isRemoval(member.value) {
            if !isFirst { result.append(UInt8(ascii: ",")) }
            isFirst = false
            result += patch.text(of: member.name)
            result.append(UInt8(ascii: ":"))
            add(member.value)
        }
        copy((members.last.map { document.end(of: $0.value) } ?? document.start(of: old) + 1)..<document.end(of: old))
    }

    private mutating func mergeArray(_ old: JSONOutline.Index, _ new: JSONOutline.Index) throws(JSONMerge.Failure) {
        let items = document.items(of: old)
        var changes: [Int: JSONOutline.Index] = [:]
        for (name, member) in Changes(patch, new).inOrder {
            guard let index = name.index, index < items.count else {
                place.append(name)
                throw .noElement(at: placeText)
            }
            changes[index] = member.value
        }
        var copied = document.start(of: old)
        for (index, change) in changes.sorted(by: { $0.key < $1.key }) {
            copy(copied..<document.start(of: items[index]))
            place.append(JSONName(String(index)))
            try self.change(items[index], to: change)
            place.removeLast()
            copied = document.end(of: items[index])
        }
        copy(copied..<document.end(of: old))
    }

    /// As it was written, but for the members that are null.
    private mutating func addWithoutNulls(_ object: JSONOutline.Index) {
        let last = Changes(patch, object).values
        let members = patch.members(of: object)
        let start = patch.start(of: object)
        result += patch.bytes[start..<(members.first.map { patch.start(of: $0.name) } ?? start + 1)]
        var isFirst = true
        for (index, member) in members.enumerated() {
            if patch.isNull(member.value) || isRemoval(last[patch.name(member.name)]) { continue }
            if !isFirst { result += patch.bytes[patch.end(of: members[index - 1].value)..<patch.start(of: member.name)] }
            isFirst = false
            result += patch.bytes[patch.start(of: member.name)..<patch.start(of: member.value)]
            add(member.value)
        }
        result += patch.bytes[(members.last.map { patch.end(of: $0.value) } ?? start + 1)..<patch.end(of: object)]
    }
}
