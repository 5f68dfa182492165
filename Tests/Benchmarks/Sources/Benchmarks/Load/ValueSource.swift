/// JSON values of 200 bytes, each different from all before it: a store that skips writes which change nothing, or one that
/// compresses well, must not look faster than it is. So a value holds a number that only rises and text without a pattern.
struct ValueSource {
    static let length = 200

    private static let opening = Array(#"{"number":"#.utf8)
    private static let middle = Array(#","text":""#.utf8)
    private static let closing = Array(#""}"#.utf8)
    private static let numberDigits = opening.count..<opening.count + 16
    private static let textBytes = numberDigits.upperBound + middle.count..<length - closing.count

    private let noise: [UInt8]
    private var number: Int
    private var random: SplitMix64

    init(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        noise = (0..<1 << 18).map { _ in letters[random.below(letters.count)] }
        // The steady clock's nanoseconds outrun any rate of writes, so a later source never repeats an earlier one's number.
        // The first digit is set, since a JSON number must not begin with a zero.
        number = Int(steadyNanoseconds()) % 1_000_000_000_000_000 + 1_000_000_000_000_000
        self.random = random
    }

    /// 200 bytes that hold the constant parts of every value.
    static var blank: [UInt8] {
        var bytes = [UInt8](repeating: UInt8(ascii: "0"), count: length)
        bytes.replaceSubrange(0..<opening.count, with: opening)
        bytes.replaceSubrange(numberDigits.upperBound..<textBytes.lowerBound, with: middle)
        bytes.replaceSubrange(textBytes.upperBound..<length, with: closing)
        return bytes
    }

    /// Makes the blank value at `offset` the next one.
    mutating func write(to bytes: inout [UInt8], at offset: Int) {
        number += 1
        let digits = Self.numberDigits
        writeDecimal(number, over: offset + digits.lowerBound..<offset + digits.upperBound, of: &bytes)
        let text = Self.textBytes
        let start = random.below(noise.count - text.count)
        noise.withUnsafeBytes { noise in
            bytes.withUnsafeMutableBytes { bytes in
                UnsafeMutableRawBufferPointer(rebasing: bytes[offset + text.lowerBound..<offset + text.upperBound])
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: noise[start..<start + text.count]))
            }
        }
    }

    mutating func next() -> String {
        var bytes = Self.blank
        write(to: &bytes, at: 0)
        return String(decoding: bytes, as: UTF8.self)
    }
}
