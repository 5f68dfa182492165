/// The place of a value in a JSON text (RFC 6901).
public struct JSONPointer: Hashable, Sendable {
    /// What the string of the pointer means, as `JSONName` has it: names may have half of a surrogate pair in them.
    let bytes: [UInt8]

    /// The whole text.
    public static let root = JSONPointer(bytes: [])

    private init(bytes: [UInt8]) { self.bytes = bytes }

    /// Nil for anything that is not a pointer.
    public init?(parsing text: JSONString) {
        let bytes = text.name.bytes
        guard bytes.isEmpty || bytes.first == UInt8(ascii: "/") else { return nil }
        var isEscape = false
        for byte in bytes {
            if isEscape, byte != UInt8(ascii: "0"), byte != UInt8(ascii: "1") { return nil }
            isEscape = byte == UInt8(ascii: "~")
        }
        guard !isEscape else { return nil }
        self.bytes = bytes
    }

    /// The steps from the whole text to the place: names of members, indexes of elements.
    public var steps: [JSONName] {
        bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).dropFirst().map(Self.unescaped)
    }

    /// The first step, and the place from there on; nil for the whole text.
    public var split: (first: JSONName, rest: JSONPointer)? {
        guard !bytes.isEmpty else { return nil }
        let inner = bytes.dropFirst()
        let end = inner.firstIndex(of: UInt8(ascii: "/")) ?? inner.endIndex
        return (Self.unescaped(inner[..<end]), JSONPointer(bytes: Array(inner[end...])))
    }

    private static func unescaped(_ bytes: ArraySlice<UInt8>) -> JSONName {
        guard bytes.contains(UInt8(ascii: "~")) else { return JSONName(bytes: Array(bytes)) }
        var plain: [UInt8] = []
        var isEscape = false
        for byte in bytes {
            if isEscape {
                plain.append(byte == UInt8(ascii: "0") ? UInt8(ascii: "~") : UInt8(ascii: "/"))
                isEscape = false
            } else if byte == UInt8(ascii: "~") {
                isEscape = true
            } else {
                plain.append(byte)
            }
        }
        return JSONName(bytes: plain)
    }

    public func appending(_ index: Int) -> JSONPointer { appending(String(index)) }

    public func appending(_ name: String) -> JSONPointer { appending(JSONName(name)) }

    public func appending(_ name: JSONName) -> JSONPointer {
        var bytes = bytes
        bytes.reserveCapacity(bytes.count + name.bytes.count + 1)
        bytes.append(UInt8(ascii: "/"))
        for byte in name.bytes {
            switch byte {
            case UInt8(ascii: "~"): bytes += "~0".utf8
            case UInt8(ascii: "/"): bytes += "~1".utf8
            default: bytes.append(byte)
            }
        }
        return JSONPointer(bytes: bytes)
    }
}

extension JSONName {
    /// The place after the last element of an array (RFC 6901 §4).
    public static let afterLast = JSONName("-")
}
