/// Checks JSON texts without building anything: values are carried as they were written.
public enum JSONText {
    /// Returns for exactly the texts of RFC 8259 in valid UTF-8, white space around them allowed, with at most
    /// `maximumNesting` arrays and objects inside one another. Neither recurses nor allocates with the input.
    public static func validate(_ bytes: Span<UInt8>, maximumNesting: Int = Limits.jsonNesting) throws(JSONError) {
        var scanner = JSONScanner()
        try scanner.validate(bytes, maximumNesting: maximumNesting)
    }

    public static func validate(_ bytes: [UInt8], maximumNesting: Int = Limits.jsonNesting) throws(JSONError) {
        try validate(bytes.span, maximumNesting: maximumNesting)
    }
}

/// A place in a text, and the steps that move it over one token.
struct JSONScanner {
    var offset = 0

    /// One bit a level, set for an object: nesting without a growing stack.
    private struct Levels {
        var bits: (UInt64, UInt64) = (0, 0)
        var depth = 0

        mutating func push(isObject: Bool) {
            bits = (bits.0 << 1 | bits.1 >> 63, bits.1 << 1 | (isObject ? 1 : 0))
            depth += 1
        }

        mutating func pop() {
            bits = (bits.0 >> 1, bits.1 >> 1 | bits.0 << 63)
            depth -= 1
        }

        var isInObject: Bool { bits.1 & 1 == 1 }
    }

    mutating func validate(_ bytes: Span<UInt8>, maximumNesting: Int) throws(JSONError) {
        precondition(maximumNesting <= 128, "levels are kept in 128 bits")
        var levels = Levels()
        while true {
            // A value begins here.
            switch try skipSpace(bytes) {
            case UInt8(ascii: "{"):
                try open(&levels, isObject: true, maximumNesting)
                if try skipSpace(bytes) == UInt8(ascii: "}") {
                    offset += 1
                    levels.pop()
                } else {
                    try key(bytes)
                    continue
                }
            case UInt8(ascii: "["):
                try open(&levels, isObject: false, maximumNesting)
                guard try skipSpace(bytes) == UInt8(ascii: "]") else { continue }
                offset += 1
                levels.pop()
            default: try scalar(bytes)
            }
            guard try closeOrContinue(bytes, &levels) else { return }
        }
    }

    private mutating func open(_ levels: inout Levels, isObject: Bool, _ maximumNesting: Int) throws(JSONError) {
        guard levels.depth < maximumNesting else { throw JSONError(.nesting, at: offset) }
        levels.push(isObject: isObject)
        offset += 1
    }

    /// After a value: closes what ends here. True when another value follows, false at the end of the text.
    private mutating func closeOrContinue(_ bytes: Span<UInt8>, _ levels: inout Levels) throws(JSONError) -> Bool {
        while levels.depth > 0 {
            switch (try skipSpace(bytes), levels.isInObject) {
            case (UInt8(ascii: ","), let isObject):
                offset += 1
                if isObject {
                    _ = try skipSpace(bytes)
                    try key(bytes)
                }
                return true
            case (UInt8(ascii: "}"), true), (UInt8(ascii: "]"), false):
                offset += 1
                levels.pop()
            default: throw JSONError(.syntax, at: offset)
            }
        }
        while offset < bytes.count {
            guard Self.isSpace(bytes[offset]) else { throw JSONError(.syntax, at: offset) }
            offset += 1
        }
        return false
    }

    /// Moves to the next byte that is not white space and returns it.
    mutating func skipSpace(_ bytes: Span<UInt8>) throws(JSONError) -> UInt8 {
        while offset < bytes.count {
            let byte = bytes[offset]
            if !Self.isSpace(byte) { return byte }
            offset += 1
        }
        throw JSONError(.end, at: offset)
    }

    static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09
    }

    /// Whether a number, `true`, `false` or `null` is over where this stands.
    static func endsWord(_ byte: UInt8) -> Bool {
        isSpace(byte) || byte == UInt8(ascii: ",") || byte == UInt8(ascii: "]") || byte == UInt8(ascii: "}")
    }

    /// `"key" :`
    private mutating func key(_ bytes: Span<UInt8>) throws(JSONError) {
        try string(bytes)
        guard try skipSpace(bytes) == UInt8(ascii: ":") else { throw JSONError(.syntax, at: offset) }
        offset += 1
    }

    mutating func scalar(_ bytes: Span<UInt8>) throws(JSONError) {
        guard offset < bytes.count else { throw JSONError(.end, at: offset) }
        switch bytes[offset] {
        case UInt8(ascii: "\""): try string(bytes)
        case UInt8(ascii: "t"): try literal("true", bytes)
        case UInt8(ascii: "f"): try literal("false", bytes)
        case UInt8(ascii: "n"): try literal("null", bytes)
        default: try number(bytes)
        }
    }

    private mutating func literal(_ text: StaticString, _ bytes: Span<UInt8>) throws(JSONError) {
        let length = text.utf8CodeUnitCount
        for index in 0..<length {
            guard offset + index < bytes.count else { throw JSONError(.end, at: bytes.count) }
            guard bytes[offset + index] == text.utf8Start[index] else { throw JSONError(.syntax, at: offset + index) }
        }
        offset += length
    }

    private mutating func number(_ bytes: Span<UInt8>) throws(JSONError) {
        if bytes[offset] == UInt8(ascii: "-") { offset += 1 }
        guard offset < bytes.count else { throw JSONError(.end, at: offset) }
        if bytes[offset] == UInt8(ascii: "0") {
            offset += 1
        } else {
            try digits(bytes)
        }
        if offset < bytes.count, bytes[offset] == UInt8(ascii: ".") {
            offset += 1
            try digits(bytes)
        }
        if offset < bytes.count, bytes[offset] | 0x20 == UInt8(ascii: "e") {
            offset += 1
            if offset < bytes.count, bytes[offset] == UInt8(ascii: "+") || bytes[offset] == UInt8(ascii: "-") { offset += 1 }
            try digits(bytes)
        }
    }

    private mutating func digits(_ bytes: Span<UInt8>) throws(JSONError) {
        let start = offset
        while offset < bytes.count, bytes[offset] &- UInt8(ascii: "0") < 10 { offset += 1 }
        guard offset > start else { throw JSONError(offset < bytes.count ? .syntax : .end, at: offset) }
    }

    mutating func string(_ bytes: Span<UInt8>) throws(JSONError) {
        guard offset < bytes.count, bytes[offset] == UInt8(ascii: "\"") else {
            throw JSONError(offset < bytes.count ? .syntax : .end, at: offset)
        }
        offset += 1
        while offset < bytes.count {
            skipPlain(bytes)
            guard offset < bytes.count else { break }
            let byte = bytes[offset]
            if byte == UInt8(ascii: "\"") {
                offset += 1
                return
            }
            if byte == UInt8(ascii: "\\") {
                try escape(bytes)
            } else if byte < 0x20 {
                throw JSONError(.syntax, at: offset)
            } else if byte < 0x80 {
                offset += 1
            } else {
                try multibyte(bytes)
            }
        }
        throw JSONError(.end, at: offset)
    }

    /// Moves over whole words of ASCII without quotes, escapes and controls, which is what long strings are made of.
    private mutating func skipPlain(_ bytes: Span<UInt8>) {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highs: UInt64 = 0x8080_8080_8080_8080
        // Whether some byte is zero: A. Mycroft, see H. S. Warren, "Hacker's Delight", §6-1.
        func hasZero(_ word: UInt64) -> Bool { (word &- ones) & ~word & highs != 0 }
        let raw = bytes.bytes
        while offset + 8 <= bytes.count {
            // In bounds by the line above; any eight bytes are a number.
            let word = raw.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
            let isPlain =
                word & highs == 0 && !hasZero(word ^ (ones &* 0x22)) && !hasZero(word ^ (ones &* 0x5c))
                && !hasZero(word & (ones &* 0xe0))
            guard isPlain else { return }
            offset += 8
        }
    }

    private mutating func escape(_ bytes: Span<UInt8>) throws(JSONError) {
        guard offset + 1 < bytes.count else { throw JSONError(.end, at: bytes.count) }
        switch bytes[offset + 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            offset += 2
        case UInt8(ascii: "u"):
            guard offset + 6 <= bytes.count else { throw JSONError(.end, at: bytes.count) }
            for index in (offset + 2)..<(offset + 6) where JSONScanner.hexDigit(bytes[index]) == nil {
                throw JSONError(.syntax, at: index)
            }
            offset += 6
        default: throw JSONError(.syntax, at: offset)
        }
    }

    /// Moves over a string of a text that is known to be valid.
    mutating func skipString(_ bytes: [UInt8]) {
        offset += 1
        while bytes[offset] != UInt8(ascii: "\"") { offset += bytes[offset] == UInt8(ascii: "\\") ? 2 : 1 }
        offset += 1
    }

    static func hexDigit(_ byte: UInt8) -> UInt16? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt16(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt16(byte - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt16(byte - UInt8(ascii: "A") + 10)
        default: nil
        }
    }

    /// One scalar of two to four bytes: shortest form, no surrogate, at most U+10FFFF (RFC 3629 §4).
    private mutating func multibyte(_ bytes: Span<UInt8>) throws(JSONError) {
        let first = bytes[offset]
        let length: Int
        let second: ClosedRange<UInt8>
        switch first {
        case 0xc2...0xdf: (length, second) = (2, 0x80...0xbf)
        case 0xe0: (length, second) = (3, 0xa0...0xbf)
        case 0xed: (length, second) = (3, 0x80...0x9f)
        case 0xe1...0xef: (length, second) = (3, 0x80...0xbf)
        case 0xf0: (length, second) = (4, 0x90...0xbf)
        case 0xf1...0xf3: (length, second) = (4, 0x80...0xbf)
        case 0xf4: (length, second) = (4, 0x80...0x8f)
        default: throw JSONError(.utf8, at: offset)
        }
        guard offset + length <= bytes.count, second.contains(bytes[offset + 1]) else { throw JSONError(.utf8, at: offset) }
        for index in 2..<max(length, 2) where bytes[offset + index] & 0xc0 != 0x80 { throw JSONError(.utf8, at: offset) }
        offset += length
    }
}
