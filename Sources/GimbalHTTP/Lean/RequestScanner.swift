import GimbalWire
import NIOCore
import NIOHTTP1

/// Recognises a whole request on a single key in the bytes of a connection: one method, one path, headers that change nothing
/// or little, a body of stated length. What it does not know to the byte it leaves to the HTTP decoder, so it has nothing to
/// refuse and no two readings of one request are possible.
struct RequestScanner {
    struct Found {
        var request: KeyRequest
        var isHead: Bool
        var method: HTTPMethod { isHead ? .HEAD : request.method.inHTTP }
        /// Bytes of the whole request.
        var length: Int
        /// Where in the buffer `Host` is, if somebody has to look whether this server answers under it.
        var namedHost: Range<Int>?
    }

    private var offset = 0
    private var contentLength: Int?
    private var preference = ReadPreference.fresh
    private var hasHost = false
    private var namedHost: Range<Int>?
    /// Whether a patch can be of another kind than ooo's.
    private var hasPatchType = false

    /// Nil for whatever else the bytes are, a request that is not whole yet among them.
    static func scan(_ buffer: ByteBuffer) -> Found? {
        let span = buffer.readableBytesUInt8Span
        var scanner = RequestScanner()
        guard let (method, isHead) = scanner.method(span), let target = scanner.target(span, isPost: method == .post),
            scanner.skip("HTTP/1.1\r\n", in: span), scanner.headers(span)
        else { return nil }
        let takesBody = method == .post || method == .patch
        guard takesBody == (scanner.contentLength != nil), method != .patch || !scanner.hasPatchType else { return nil }
        let bodyLength = scanner.contentLength ?? 0
        guard bodyLength <= span.count - scanner.offset else { return nil }
        guard !Self.isEqual(span, target, "metrics") else { return nil }
        let start = buffer.readerIndex
        var request = KeyRequest(
            method: method, target: buffer.getBytes(at: start + target.lowerBound, length: target.count) ?? [],
            preference: scanner.preference)
        if takesBody { request.body = buffer.getSlice(at: start + scanner.offset, length: bodyLength) }
        let host = scanner.namedHost.map { start + $0.lowerBound..<start + $0.upperBound }
        return Found(request: request, isHead: isHead, length: scanner.offset + bodyLength, namedHost: host)
    }

    private mutating func method(_ bytes: Span<UInt8>) -> (KeyRequest.Method, isHead: Bool)? {
        if skip("GET /", in: bytes) { return (.get, false) }
        if skip("POST /", in: bytes) { return (.post, false) }
        if skip("DELETE /", in: bytes) { return (.delete, false) }
        if skip("PATCH /", in: bytes) { return (.patch, false) }
        return skip("HEAD /", in: bytes) ? (.get, true) : nil
    }

    /// The path without the slash before it, up to the space behind it: characters of paths alone, and `/*` at the end of a push.
    private mutating func target(_ bytes: Span<UInt8>, isPost: Bool) -> Range<Int>? {
        let start = offset
        guard start < bytes.count, bytes[start] != UInt8(ascii: "_"), bytes[start] != UInt8(ascii: "/") else { return nil }
        while offset < bytes.count {
            switch bytes[offset] {
            case UInt8(ascii: "/") where bytes[offset - 1] == UInt8(ascii: "/"): return nil
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "-")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                offset += 1
            case UInt8(ascii: "*") where isPost && offset > start + 1 && bytes[offset - 1] == UInt8(ascii: "/"):
                offset += 1
                return skip(" ", in: bytes) ? start..<offset - 1 : nil
            case UInt8(ascii: " ") where offset > start:
                offset += 1
                return start..<offset - 1
            default: return nil
            }
        }
        return nil
    }

    /// False unless every header is known and the empty line is there.
    private mutating func headers(_ bytes: Span<UInt8>) -> Bool {
        while !skip("\r\n", in: bytes) {
            let name = offset
            while offset < bytes.count, bytes[offset] != UInt8(ascii: ":") {
                guard bytes[offset] > UInt8(ascii: " ") else { return false }
                offset += 1
            }
            let nameEnd = offset
            offset += 1
            while offset < bytes.count, bytes[offset] == UInt8(ascii: " ") { offset += 1 }
            let value = offset
            while offset < bytes.count, bytes[offset] >= UInt8(ascii: " "), bytes[offset] < 0x7f { offset += 1 }
            let valueEnd = offset
            guard skip("\r\n", in: bytes), header(name..<nameEnd, value..<valueEnd, bytes) else { return false }
        }
        return hasHost
    }

    private mutating func header(_ name: Range<Int>, _ value: Range<Int>, _ bytes: Span<UInt8>) -> Bool {
        func isNamed(_ expected: StaticString) -> Bool { Self.isEqual(bytes, name, expected) }
        switch name.count {
        case 4 where isNamed("host"):
            defer { hasHost = true }
            if !Self.isPlainHost(bytes, value) { namedHost = value }
            return !hasHost && Self.isHost(bytes, value)
        case 6: return isNamed("accept")
        case 10 where isNamed("connection"): return Self.isEqual(bytes, value, "keep-alive")
        case 10: return isNamed("user-agent")
        case 11 where isNamed("gimbal-read"):
            guard value.count <= 8 else { return false }
            let text = String(decoding: value.map { bytes[$0] | 0x20 }, as: UTF8.self)
            preference = ReadPreference(rawValue: text) ?? .fresh
            return true
        case 12 where isNamed("content-type"):
            hasPatchType = hasPatchType || !Self.isEqual(bytes, value, "application/json")
            return true
        case 14 where isNamed("content-length"): return takeLength(value, bytes)
        // Answers on single keys are never compressed, and say nothing in a language.
        case 15: return isNamed("accept-encoding") || isNamed("accept-language")
        default: return false
        }
    }

    /// Whether a host is an address or a name without a dot: nobody can make those point here (`AllowedHosts`).
    private static func isPlainHost(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        guard !range.isEmpty else { return false }
        // No name begins so: it is an address of IPv6.
        if bytes[range.lowerBound] == UInt8(ascii: "[") { return true }
        var (hasDot, hasLetter) = (false, false)
        for index in range {
            switch bytes[index] {
            case UInt8(ascii: "0")...UInt8(ascii: ":"): break
            case UInt8(ascii: "."): hasDot = true
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "-"),
                UInt8(ascii: "_"):
                hasLetter = true
            default: return false
            }
        }
        return !(hasDot && hasLetter)
    }

    private mutating func takeLength(_ value: Range<Int>, _ bytes: Span<UInt8>) -> Bool {
        guard contentLength == nil, (1...8).contains(value.count) else { return false }
        var length = 0
        for index in value {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[index]) else { return false }
            length = length * 10 + Int(bytes[index] - UInt8(ascii: "0"))
        }
        contentLength = length
        return length <= KeyService.maximumBodyBytes
    }

    // MARK: Bytes

    private mutating func skip(_ expected: StaticString, in bytes: Span<UInt8>) -> Bool {
        let end = offset + expected.utf8CodeUnitCount
        guard end <= bytes.count else { return false }
        for index in 0..<expected.utf8CodeUnitCount where bytes[offset + index] != expected.utf8Start[index] { return false }
        offset = end
        return true
    }

    private static func isHost(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        var syntax = HostSyntax()
        for index in range where !syntax.take(bytes[index]) { return false }
        return syntax.isWhole
    }

    /// Whether letters are the same in any case; `expected` is in lower case and has letters and hyphens alone.
    private static func isEqual(_ bytes: Span<UInt8>, _ range: Range<Int>, _ expected: StaticString) -> Bool {
        guard range.count == expected.utf8CodeUnitCount else { return false }
        for index in 0..<range.count {
            let byte = bytes[range.lowerBound + index]
            let isUpper = (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
            guard (isUpper ? byte | 0x20 : byte) == expected.utf8Start[index] else { return false }
        }
        return true
    }
}
