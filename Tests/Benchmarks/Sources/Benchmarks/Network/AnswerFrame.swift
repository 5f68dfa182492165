import Glibc

/// Which protocol a server answers in.
enum AnswerFormat {
    case http
    case redis

    /// The first answer in `bytes`, or nil while it is not there as a whole.
    func firstAnswer(in bytes: UnsafeRawBufferPointer) throws -> AnswerFrame? {
        switch self {
        case .http: try AnswerFrame(http: bytes)
        case .redis: try AnswerFrame(redis: bytes)
        }
    }
}

/// Where an answer ends and whether it is a good one; no more is looked at while a load runs.
struct AnswerFrame {
    /// HTTP's status; 200 and 500 stand for Redis's good answers and errors.
    let status: Int
    let headLength: Int
    let length: Int
}

private let newline = Int32(UInt8(ascii: "\n"))

/// The offset of the next "\n" at or after `start`.
private func endOfLine(in bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
    guard start < bytes.count, let base = bytes.baseAddress else { return nil }
    guard let found = memchr(base.advanced(by: start), newline, bytes.count - start) else { return nil }
    return UnsafeRawPointer(found) - base
}

/// The decimal number that begins at `start`, spaces before it skipped.
private func decimal(in bytes: UnsafeRawBufferPointer, from start: Int, to end: Int) -> Int? {
    var index = start
    while index < end, bytes[index] == UInt8(ascii: " ") { index += 1 }
    var number: Int?
    while index < end, number ?? 0 < 1 << 40 {
        let digit = Int(bytes[index]) - 48
        guard (0...9).contains(digit) else { break }
        number = (number ?? 0) * 10 + digit
        index += 1
    }
    return number
}

extension AnswerFrame {
    fileprivate init?(http bytes: UnsafeRawBufferPointer) throws {
        guard let endOfStatus = endOfLine(in: bytes, from: 0) else { return nil }
        guard endOfStatus > 12, let status = decimal(in: bytes, from: 9, to: 12) else {
            throw BenchmarkFailure("an answer that is not HTTP/1.1")
        }
        var bodyLength: Int? = status == 204 ? 0 : nil
        var line = endOfStatus + 1
        while let end = endOfLine(in: bytes, from: line) {
            if end - line <= 1 {
                guard let bodyLength else { throw BenchmarkFailure("an answer without content-length") }
                guard bytes.count >= end + 1 + bodyLength else { return nil }
                self.init(status: status, headLength: end + 1, length: end + 1 + bodyLength)
                return
            }
            let name: StaticString = "content-length:"
            if Self.line(UnsafeRawBufferPointer(rebasing: bytes[line..<end]), startsWith: name) {
                bodyLength = decimal(in: bytes, from: line + name.utf8CodeUnitCount, to: end)
            }
            line = end + 1
        }
        return nil
    }

    fileprivate init?(redis bytes: UnsafeRawBufferPointer) throws {
        guard let end = endOfLine(in: bytes, from: 0) else { return nil }
        switch bytes[0] {
        case UInt8(ascii: "+"), UInt8(ascii: ":"):
            self.init(status: 200, headLength: end + 1, length: end + 1)
        default:
            self.init(status: 500, headLength: end + 1, length: end + 1)
        }
    }

    /// Whether the head has exactly this line, in any case of its letters.
    static func head(_ head: UnsafeRawBufferPointer, hasLine expected: [UInt8]) -> Bool {
        var line = 0
        while let end = endOfLine(in: head, from: line) {
            let length = end - line - 1
            if length == expected.count, let base = head.baseAddress,
                areEqualIgnoringCase(base.advanced(by: line).assumingMemoryBound(to: CChar.self), expected, length)
            {
                return true
            }
            line = end + 1
        }
        return false
    }

    private static func line(_ line: UnsafeRawBufferPointer, startsWith name: StaticString) -> Bool {
        guard line.count > name.utf8CodeUnitCount, let base = line.baseAddress else { return false }
        return areEqualIgnoringCase(base.assumingMemoryBound(to: CChar.self), name.utf8Start, name.utf8CodeUnitCount)
    }
}

/// Whether both begin with the same `length` bytes, letters compared without their case.
private func areEqualIgnoringCase(_ bytes: UnsafePointer<CChar>, _ expected: UnsafePointer<UInt8>, _ length: Int) -> Bool {
    expected.withMemoryRebound(to: CChar.self, capacity: length) { strncasecmp(bytes, $0, length) == 0 }
}
