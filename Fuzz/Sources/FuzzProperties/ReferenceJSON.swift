/// The grammar of RFC 8259 written down a second time, recursively, over bytes; and the one meaning that Gimbal gives to a
/// text: objects without repeated names (the last one counts) and in the order of names, strings as bytes, numbers as text.
indirect enum ReferenceJSON: Hashable {
    case object([[UInt8]: ReferenceJSON])
    case array([ReferenceJSON])
    case string([UInt8])
    /// A number, true, false or null.
    case word([UInt8])

    /// Nil for what is not a text, or nested deeper.
    init?(_ bytes: [UInt8], nesting: Int = 128) {
        guard String(validating: bytes, as: UTF8.self) != nil else { return nil }
        var reader = Reader(rest: bytes[...])
        reader.skipSpace()
        guard let value = reader.value(nesting) else { return nil }
        reader.skipSpace()
        guard reader.rest.isEmpty else { return nil }
        self = value
    }

    private struct Reader {
        var rest: ArraySlice<UInt8>

        mutating func skipSpace() { rest = rest.drop { [0x20, 0x09, 0x0a, 0x0d].contains($0) } }

        mutating func take(_ character: Character) -> Bool {
            skipSpace()
            guard let byte = character.asciiValue, rest.first == byte else { return false }
            rest.removeFirst()
            return true
        }

        mutating func value(_ nesting: Int) -> ReferenceJSON? {
            skipSpace()
            switch rest.first {
            case UInt8(ascii: "{"): return nesting > 0 ? object(nesting - 1) : nil
            case UInt8(ascii: "["): return nesting > 0 ? array(nesting - 1) : nil
            case UInt8(ascii: "\""): return string().map { .string($0) }
            default: return word()
            }
        }

        private mutating func object(_ nesting: Int) -> ReferenceJSON? {
            var members: [[UInt8]: ReferenceJSON] = [:]
            guard take("{") else { return nil }
            if take("}") { return .object(members) }
            repeat {
                skipSpace()
                guard let name = string(), take(":"), let value = value(nesting) else { return nil }
                members[name] = value
            } while take(",")
            return take("}") ? .object(members) : nil
        }

        private mutating func array(_ nesting: Int) -> ReferenceJSON? {
            var items: [ReferenceJSON] = []
            guard take("[") else { return nil }
            if take("]") { return .array(items) }
            repeat {
                guard let value = value(nesting) else { return nil }
                items.append(value)
            } while take(",")
            return take("]") ? .array(items) : nil
        }

        private mutating func word() -> ReferenceJSON? {
            let word = Array(rest.prefix { !", \t\n\r]}".utf8.contains($0) })
            rest = rest.dropFirst(word.count)
            let isName = ["true", "false", "null"].contains { word.elementsEqual($0.utf8) }
            return isName || Self.isNumber(word[...]) ? .word(word) : nil
        }

        private static func isNumber(_ word: ArraySlice<UInt8>) -> Bool {
            var rest = word.first == UInt8(ascii: "-") ? word.dropFirst() : word
            func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
            let whole = rest.prefix(while: isDigit)
            guard !whole.isEmpty, whole.count == 1 || whole.first != 0x30 else { return false }
            rest = rest.dropFirst(whole.count)
            if rest.first == UInt8(ascii: ".") {
                let fraction = rest.dropFirst().prefix(while: isDigit)
                guard !fraction.isEmpty else { return false }
                rest = rest.dropFirst(1 + fraction.count)
            }
            if rest.first == UInt8(ascii: "e") || rest.first == UInt8(ascii: "E") {
                rest = rest.dropFirst()
                if rest.first == UInt8(ascii: "+") || rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
                guard !rest.isEmpty else { return false }
                rest = rest.drop(while: isDigit)
            }
            return rest.isEmpty
        }

        /// As UTF-8, with half of a surrogate pair as the three bytes that its number would have: no two strings that differ
        /// become one.
        private mutating func string() -> [UInt8]? {
            guard rest.first == UInt8(ascii: "\"") else { return nil }
            rest.removeFirst()
            var units: [UInt16] = []
            while let byte = rest.first, byte != UInt8(ascii: "\"") {
                guard byte >= 0x20 else { return nil }
                if byte == UInt8(ascii: "\\") {
                    guard let unit = escape() else { return nil }
                    units.append(unit)
                } else {
                    let run = rest.prefix { $0 >= 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
                    units += String(decoding: run, as: UTF8.self).utf16
                    rest = rest.dropFirst(run.count)
                }
            }
            guard rest.popFirst() != nil else { return nil }
            var bytes: [UInt8] = []
            var index = 0
            while index < units.count {
                let isFollowed = index + 1 < units.count && UTF16.isTrailSurrogate(units[index + 1])
                let isPair = isFollowed && UTF16.isLeadSurrogate(units[index])
                if !isPair, UTF16.isSurrogate(units[index]) {
                    bytes += [0xed, UInt8(0x80 | units[index] >> 6 & 0x3f), UInt8(0x80 | units[index] & 0x3f)]
                } else {
                    bytes += String(decoding: units[index..<index + (isPair ? 2 : 1)], as: UTF16.self).utf8
                }
                index += isPair ? 2 : 1
            }
            return bytes
        }

        private mutating func escape() -> UInt16? {
            let names: [UInt8: UInt16] = [
                0x22: 0x22, 0x5c: 0x5c, 0x2f: 0x2f, 0x62: 0x08, 0x66: 0x0c, 0x6e: 0x0a, 0x72: 0x0d, 0x74: 0x09,
            ]
            rest.removeFirst()
            guard let kind = rest.popFirst() else { return nil }
            guard kind == UInt8(ascii: "u") else { return names[kind] }
            let digits = rest.prefix(4)
            rest = rest.dropFirst(4)
            guard digits.count == 4, digits.allSatisfy({ $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "-") }) else { return nil }
            return UInt16(String(decoding: digits, as: UTF8.self), radix: 16)
        }
    }

    /// What a JSON Patch of `add`, `replace` and `remove` makes of this value (RFC 6902); nil if it does not apply.
    func applying(_ patch: ReferenceJSON) -> ReferenceJSON? {
        guard case .array(let operations) = patch else { return nil }
        var value = self
        for operation in operations {
            guard case .object(let fields) = operation, case .string(let kind) = fields[Array("op".utf8)],
                case .string(let pointer) = fields[Array("path".utf8)],
                let next = value.changed(
                    pointer.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)[...],
                    String(decoding: kind, as: UTF8.self), fields[Array("value".utf8)])
            else { return nil }
            value = next
        }
        return value
    }

    /// - Parameter tokens: of the pointer, with the empty one before the first slash.
    private func changed(
        _ tokens: ArraySlice<ArraySlice<UInt8>>, _ kind: String, _ new: ReferenceJSON?
    ) -> ReferenceJSON? {
        guard let escaped = tokens.dropFirst().first else { return kind == "replace" ? new : nil }
        let token = Self.unescaped(escaped)
        let isLast = tokens.count == 2
        switch self {
        case .object(var members):
            if !isLast { members[token] = members[token]?.changed(tokens.dropFirst(), kind, new) } else { members[token] = new }
            let isFound = (members[token] != nil) == (kind != "remove" || !isLast)
            let isKnown = object(has: token) == (kind != "add" || !isLast)
            return isFound && isKnown ? .object(members) : nil
        case .array(var items):
            guard let index = Int(String(decoding: token, as: UTF8.self)) else { return nil }
            if isLast, kind == "add" {
                guard let new, index <= items.count else { return nil }
                items.insert(new, at: index)
                return .array(items)
            }
            guard items.indices.contains(index) else { return nil }
            if isLast, kind == "remove" {
                items.remove(at: index)
                return .array(items)
            }
            guard let item = isLast ? new : items[index].changed(tokens.dropFirst(), kind, new) else { return nil }
            items[index] = item
            return .array(items)
        case .string, .word: return nil
        }
    }

    private func object(has name: [UInt8]) -> Bool {
        if case .object(let members) = self { members[name] != nil } else { false }
    }

    private static func unescaped(_ token: ArraySlice<UInt8>) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = token
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "~") else {
                bytes.append(byte)
                continue
            }
            bytes.append(rest.popFirst() == UInt8(ascii: "1") ? UInt8(ascii: "/") : UInt8(ascii: "~"))
        }
        return bytes
    }
}
