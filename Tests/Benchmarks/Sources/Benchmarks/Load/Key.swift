/// The keys of every benchmark: `things/` and eight digits, the same bytes for Gimbal and for its peers.
enum Key {
    static let prefix = "things/"
    static let digitCount = 8
    static let length = prefix.utf8.count + digitCount

    static func name(_ number: Int) -> String {
        let digits = String(number)
        return prefix + String(repeating: "0", count: digitCount - digits.count) + digits
    }
}

/// Which existing or new keys a load touches.
enum KeyOrder {
    case uniform(below: Int)
    case ascending(from: Int)
}
