/// Writes a JSON Patch (RFC 6902) of `add`, `replace` and `remove`, operation by operation.
public struct JSONPatchWriter: Sendable {
    /// The operations with commas between them, without the brackets.
    public private(set) var operations: [UInt8] = []

    public init() {}

    public var isEmpty: Bool { operations.isEmpty }

    public mutating func add(_ pointer: JSONPointer, _ json: [UInt8]) { append("add", pointer, json) }
    public mutating func replace(_ pointer: JSONPointer, _ json: [UInt8]) { append("replace", pointer, json) }
    public mutating func remove(_ pointer: JSONPointer) { append("remove", pointer, nil) }

    public mutating func append(_ other: JSONPatchWriter) {
        guard !other.isEmpty else { return }
        if !isEmpty { operations.append(UInt8(ascii: ",")) }
        operations += other.operations
    }

    private mutating func append(_ operation: StaticString, _ pointer: JSONPointer, _ json: [UInt8]?) {
        if !isEmpty { operations.append(UInt8(ascii: ",")) }
        operations += "{\"op\":\"".utf8
        operation.withUTF8Buffer { operations += $0 }
        operations += "\",\"path\":".utf8
        operations.append(UInt8(ascii: "\""))
        JSONString.writeEscaped(pointer.bytes, to: &operations)
        operations.append(UInt8(ascii: "\""))
        if let json {
            operations += ",\"value\":".utf8
            operations += json
        }
        operations.append(UInt8(ascii: "}"))
    }

    /// Adds what turns `old` into `new` at `pointer`: member by member where both are objects, element by element where both
    /// are arrays, else as a whole.
    public mutating func change(_ old: JSONValue, to new: JSONValue, at pointer: JSONPointer) {
        switch (old, new) {
        case (.object(let before), .object(let after)): change(before, to: after, at: pointer)
        case (.array(let before), .array(let after)): change(before, to: after, at: pointer)
        default: if old != new { replace(pointer, new.write()) }
        }
    }

    private mutating func change(_ old: [JSONValue.Member], to new: [JSONValue.Member], at pointer: JSONPointer) {
        // Readers of JSON take the last of several members with one name.
        let before = Dictionary(old.map { ($0.name.name, $0.value) }, uniquingKeysWith: { $1 })
        let after = Dictionary(new.map { ($0.name.name, $0.value) }, uniquingKeysWith: { $1 })
        for name in before.keys.sorted() where after[name] == nil { remove(pointer.appending(name)) }
        for (name, value) in after.sorted(by: { $0.key < $1.key }) {
            if let previous = before[name] {
                change(previous, to: value, at: pointer.appending(name))
            } else {
                add(pointer.appending(name), value.write())
            }
        }
    }

    private mutating func change(_ old: [JSONValue], to new: [JSONValue], at pointer: JSONPointer) {
        for index in 0..<min(old.count, new.count) { change(old[index], to: new[index], at: pointer.appending(index)) }
        for index in stride(from: old.count - 1, through: new.count, by: -1) { remove(pointer.appending(index)) }
        for index in stride(from: old.count, to: new.count, by: 1) { add(pointer.appending(index), new[index].write()) }
    }
}
