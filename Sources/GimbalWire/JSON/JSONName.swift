/// A member's name as JSON compares it.
struct JSONName: Hashable, Comparable {
    let text: String

    init(_ text: String) { self.text = text }

    static func == (left: Self, right: Self) -> Bool { left.text.hasSameBytes(as: right.text) }

    static func < (left: Self, right: Self) -> Bool { left.text.utf8.lexicographicallyPrecedes(right.text.utf8) }

    func hash(into hasher: inout Hasher) {
        for byte in text.utf8 { hasher.combine(byte) }
    }
}

extension String {
    /// Whether JSON takes both for the same string. Swift's `==` also does so with "é" and "e" with an accent after it.
    func hasSameBytes(as other: String) -> Bool { utf8.elementsEqual(other.utf8) }
}
