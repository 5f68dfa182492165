/// What PATCH does to a document, as ooo servers do it.
///
/// Objects merge member by member; null sets null and removes nothing; for a member that is an object the patch's value must
/// be an object, else it is ignored; for an array an object with numbers as names replaces those elements; a document that is
/// a scalar stays as it is.
public enum JSONMerge {
    /// - Throws: when a text is not JSON, or the patch is no object.
    public static func merge(document: [UInt8], patch: [UInt8]) throws(JSONError) -> [UInt8] {
        let patch = try JSONValue(parsing: patch)
        guard case .object(let changes) = patch else { throw JSONError(.patchNotObject, at: 0) }
        return merged(try JSONValue(parsing: document), changes).write()
    }

    private static func merged(_ document: JSONValue, _ changes: [(name: String, value: JSONValue)]) -> JSONValue {
        let changes = lastOfEachName(changes)
        switch document {
        case .object(var members):
            let places = Dictionary(members.indices.map { (JSONName(members[$0].name), $0) }, uniquingKeysWith: { $1 })
            for change in changes {
                if let index = places[JSONName(change.name)] {
                    members[index].value = merged(member: members[index].value, with: change.value)
                } else {
                    members.append(change)
                }
            }
            return .object(members)
        case .array(var items):
            for change in changes {
                guard let index = Int(change.name), items.indices.contains(index) else { continue }
                items[index] = merged(member: items[index], with: change.value)
            }
            return .array(items)
        case .string, .number, .bool, .null:
            return document
        }
    }

    /// Readers of JSON take the last of several members with one name.
    private static func lastOfEachName(_ members: [(name: String, value: JSONValue)]) -> [(name: String, value: JSONValue)] {
        var names: Set<JSONName> = []
        return members.reversed().filter { names.insert(JSONName($0.name)).inserted }.reversed()
    }

    private static func merged(member: JSONValue, with change: JSONValue) -> JSONValue {
        switch (member, change) {
        case (.object, .object(let changes)), (.array, .object(let changes)): merged(member, changes)
        case (.object, .null): .null
        case (.object, _): member
        default: change
        }
    }
}
