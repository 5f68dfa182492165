import GimbalCRDT
import GimbalWire

/// One key as the server shows it, the value still as JSON text.
struct Item: Hashable, Sendable {
    var path: Path
    /// Nanoseconds since 1970.
    var created: UInt64
    /// 0 for the first write.
    var updated: UInt64
    /// JSON text.
    var value: [UInt8]

    /// Nil for the object that stands where nothing is.
    ///
    /// - Throws: for anything that is no such object.
    init?(_ json: JSONValue) throws(Malformed) {
        guard case .number(let createdText)? = json["created"], let created = UInt64(createdText),
            case .number(let updatedText)? = json["updated"], let updated = UInt64(updatedText), let data = json["data"]
        else { throw Malformed() }
        if created == 0, json["path"]?.string ?? "" == "" { return nil }
        guard let path = json["path"]?.string.flatMap({ Path($0) }) else { throw Malformed() }
        self.path = path
        self.created = created
        self.updated = updated
        value = data.write()
    }

    /// Not what the protocol has at this place.
    struct Malformed: Error {}

    /// What patches of the server apply to.
    func json() throws(Malformed) -> JSONValue {
        guard let data = try? JSONValue(parsing: value) else { throw Malformed() }
        return .object([
            ("created", .number(String(created))), ("updated", .number(String(updated))), ("index", .string(path.index)),
            ("path", .string(path.description)), (JSONString("data"), data),
        ])
    }

    /// The same where nothing is.
    static let nothing = JSONValue.object([
        ("created", .number("0")), ("updated", .number("0")), ("index", .string("")), ("data", .object([])),
    ])
}

enum ItemChange: Hashable, Sendable {
    case snapshot([Item])
    case inserted(Item)
    case updated(Item)
    case removed(Item)
}
