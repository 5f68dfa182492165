/// The place of a value in a JSON text (RFC 6901).
public struct JSONPointer: Hashable, Sendable {
    public let text: String

    /// The whole text.
    public static let root = JSONPointer(text: "")

    private init(text: String) { self.text = text }

    /// Nil for anything that is not a pointer.
    public init?(parsing text: String) {
        guard text.isEmpty || text.utf8.first == UInt8(ascii: "/") else { return nil }
        var isEscape = false
        for byte in text.utf8 {
            if isEscape, byte != UInt8(ascii: "0"), byte != UInt8(ascii: "1") { return nil }
            isEscape = byte == UInt8(ascii: "~")
        }
        guard !isEscape else { return nil }
        self.text = text
    }

    /// The steps from the whole text to the place: names of members, indexes of elements.
    public var steps: [String] {
        text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).dropFirst().map(Self.unescaped)
    }

    /// The first step, and the place from there on; nil for the whole text.
    public var split: (first: String, rest: JSONPointer)? {
        let bytes = text.utf8.dropFirst()
        guard !text.isEmpty else { return nil }
        let end = bytes.firstIndex(of: UInt8(ascii: "/")) ?? bytes.endIndex
        return (Self.unescaped(Substring(text[..<end]).utf8.dropFirst()), JSONPointer(text: String(text[end...])))
    }

    private static func unescaped(_ bytes: Substring.UTF8View) -> String {
        guard bytes.contains(UInt8(ascii: "~")) else { return String(Substring(bytes)) }
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
        return String(decoding: plain, as: UTF8.self)
    }

    public func appending(_ index: Int) -> JSONPointer { JSONPointer(text: "\(text)/\(index)") }

    public func appending(_ name: String) -> JSONPointer {
        guard name.utf8.contains(where: { $0 == UInt8(ascii: "~") || $0 == UInt8(ascii: "/") }) else {
            return JSONPointer(text: "\(text)/\(name)")
        }
        let escaped = name.utf8.flatMap { byte -> [UInt8] in
            switch byte {
            case UInt8(ascii: "~"): Array("~0".utf8)
            case UInt8(ascii: "/"): Array("~1".utf8)
            default: [byte]
            }
        }
        return JSONPointer(text: "\(text)/\(String(decoding: escaped, as: UTF8.self))")
    }
}
