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
        switch document {
        case .object(var members):
            for change in changes {
                if let index = members.lastIndex(where: { $0.name == change.name }) {
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

    private static func merged(member: JSONValue, with change: JSONValue) -> JSONValue {
        switch (member, change) {
        case (.object, .object(let changes)), (.array, .object(let changes)): merged(member, changes)
        case (.object, .null): .null
        case (.object, _): member
        default: change
        }
    }
}
