/// What PATCH means, written down a second time over values instead of texts.
extension ReferenceJSON {
    /// As ooo does it; nil where the patch does not fit.
    func merged(with patch: ReferenceJSON) -> ReferenceJSON? {
        guard case .object(let changes) = patch else { return nil }
        switch self {
        case .object(var members):
            for (name, change) in changes {
                guard let value = members[name]?.changed(to: change) ?? (members[name] == nil ? change : nil) else { return nil }
                members[name] = value
            }
            return .object(members)
        case .array(var items):
            for (name, change) in changes {
                let text = String(decoding: name, as: UTF8.self)
                guard let index = Int(text), "\(index)" == text, items.indices.contains(index),
                    let value = items[index].changed(to: change)
                else { return nil }
                items[index] = value
            }
            return .array(items)
        case .string, .word: return nil
        }
    }

    private func changed(to change: ReferenceJSON) -> ReferenceJSON? {
        switch (self, change) {
        case (.object, _), (.array, .object): merged(with: change)
        default: change
        }
    }

    /// RFC 7396 §2, word by word.
    func mergePatched(with patch: ReferenceJSON) -> ReferenceJSON {
        guard case .object(let changes) = patch else { return patch }
        var members: [[UInt8]: ReferenceJSON] = if case .object(let members) = self { members } else { [:] }
        for (name, change) in changes {
            members[name] = change == Self.null ? nil : (members[name] ?? Self.null).mergePatched(with: change)
        }
        return .object(members)
    }

    private static let null = ReferenceJSON.word(Array("null".utf8))

    /// The strings, numbers and words of a valid text, each as it is written.
    static func tokens(_ text: [UInt8]) -> [[UInt8]] {
        var tokens: [[UInt8]] = []
        var rest = text[...]
        while let first = rest.first {
            let marks = " \t\n\r,:[]{}".utf8
            if marks.contains(first) {
                rest.removeFirst()
                continue
            }
            var end = rest.startIndex
            if first == UInt8(ascii: "\"") {
                end += 1
                while rest[end] != UInt8(ascii: "\"") { end += rest[end] == UInt8(ascii: "\\") ? 2 : 1 }
                end += 1
            } else {
                end = rest.firstIndex(where: marks.contains) ?? rest.endIndex
            }
            tokens.append(Array(rest[..<end]))
            rest = rest[end...]
        }
        return tokens
    }
}
