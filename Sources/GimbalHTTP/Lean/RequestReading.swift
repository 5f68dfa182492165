import NIOCore
import NIOHTTP1

/// Reads a request's head into the one form that everybody behind it sees: routes, the lean path, upgrades and what a node
/// has signed. What is wrong here is wrong whatever the request is for.
enum RequestReading {
    /// Brings `head` into its one form; nil, or why it has none.
    static func refusal(of head: inout HTTPRequestHead) -> KeyAnswer? {
        let isOld = head.version == .http1_0
        let hosts = head.headers["host"]
        guard hosts.count == 1 || (hosts.isEmpty && isOld), hosts.allSatisfy(HostSyntax.allows) else { return badHost }
        guard takeTarget(&head) else { return badTarget }
        let codings = head.headers[canonicalForm: "transfer-encoding"]
        guard !codings.isEmpty else { return nil }
        // Before 1.1 there was none, so what stands between the two reads such a length in its own way (RFC 9112 §6.1).
        guard !isOld else { return oldCoding }
        return codings.count == 1 && codings[0].lowercased() == "chunked" ? nil : unknownCoding
    }

    private static let badHost = KeyAnswer.failure(
        400, "bad-host", "a request of HTTP/1.1 has one Host, a name or an address with perhaps a port")
    private static let badTarget = KeyAnswer.failure(400, "bad-request", "the target of a request is a path here")
    private static let oldCoding = KeyAnswer.failure(400, "bad-request", "HTTP/1.0 has no Transfer-Encoding")
    private static let unknownCoding = KeyAnswer.failure(
        501, "transfer-coding", "chunked is the only transfer coding that this server takes")

    /// False for what names no path. A target that names its server as well has the last word on Host (RFC 9112 §3.2.2).
    private static func takeTarget(_ head: inout HTTPRequestHead) -> Bool {
        let uri = head.uri
        guard uri.utf8.first != UInt8(ascii: "/") else {
            if let decoded = TargetSpelling.decoded(uri) { head.uri = decoded }
            return true
        }
        if uri == "*" { return head.method == .OPTIONS }
        guard let (host, target) = TargetSpelling.absolute(uri), HostSyntax.allows(host) else { return false }
        head.headers.replaceOrAdd(name: "host", value: String(host))
        head.uri = TargetSpelling.decoded(target) ?? target
        return true
    }
}

/// How the target of a request is spelled. A path has one spelling here: no escape, no empty segment, no fragment.
enum TargetSpelling {
    /// The target with the escapes of its path undone, once, that stand for a character of paths and patterns: `%2A` is `*`
    /// (RFC 3986 §6.2.2.2). Any other escape stays, and makes the target odd. Nil when there is nothing to undo.
    static func decoded(_ target: String) -> String? {
        let bytes = target.utf8
        let path = bytes.prefix { $0 != UInt8(ascii: "?") }
        guard path.contains(UInt8(ascii: "%")) else { return nil }
        var decoded: [UInt8] = []
        decoded.reserveCapacity(bytes.count)
        var rest = path[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), let value = value(of: rest.prefix(2)), isPlain(value) {
                decoded.append(value)
                rest = rest.dropFirst(2)
            } else {
                decoded.append(byte)
            }
        }
        decoded += bytes[path.endIndex...]
        return String(decoding: decoded, as: UTF8.self)
    }

    /// Whether a path, as it stands before a query, is none that anything here has.
    static func isOdd(_ path: some Collection<UInt8>) -> Bool {
        var previous: UInt8 = 0
        for byte in path {
            if byte == UInt8(ascii: "%") || byte == UInt8(ascii: "#") { return true }
            if byte == UInt8(ascii: "/"), previous == byte { return true }
            previous = byte
        }
        return false
    }

    /// The server and the rest of a target that has both.
    static func absolute(_ target: String) -> (host: Substring, target: String)? {
        let lowercased = target.prefix(8).lowercased()
        guard let scheme = ["http://", "https://"].first(where: lowercased.hasPrefix) else { return nil }
        let rest = target.dropFirst(scheme.count)
        let host = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        guard !host.isEmpty else { return nil }
        let path = rest[host.endIndex...]
        return (host, path.first == "/" ? String(path) : "/" + path)
    }

    private static func value(of digits: Substring.UTF8View) -> UInt8? {
        guard digits.count == 2 else { return nil }
        var value: UInt8 = 0
        for digit in digits {
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | (digit - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "A")...UInt8(ascii: "F"):
                value = value << 4 | ((digit | 0x20) - UInt8(ascii: "a") + 10)
            default: return nil
            }
        }
        return value
    }

    /// What may stand in a path or a pattern, `/` alone excepted: an escaped one separates nothing.
    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "~"),
            UInt8(ascii: "*"):
            true
        default: false
        }
    }
}

/// Reads the bytes of a `Host` one after the other: a name or an address, and perhaps a port (RFC 9110 §7.2). The fast lane and
/// the codec's way ask the same question here.
struct HostSyntax {
    private enum Place {
        case start, name, literal, afterLiteral, port
    }

    private var place = Place.start

    /// False when no host has this byte there.
    mutating func take(_ byte: UInt8) -> Bool {
        switch (place, byte) {
        case (.start, UInt8(ascii: "[")): place = .literal
        case (.literal, UInt8(ascii: "]")): place = .afterLiteral
        case (.literal, UInt8(ascii: ":")): break
        case (.name, UInt8(ascii: ":")), (.afterLiteral, UInt8(ascii: ":")): place = .port
        case (.port, _): return isDigit(byte)
        case (.literal, UInt8(ascii: ".")): break
        case (.literal, _): return isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte | 0x20)
        case (.start, _), (.name, _):
            place = .name
            return isOfName(byte)
        case (.afterLiteral, _): return false
        }
        return true
    }

    /// Whether what was taken is one. Nothing at all is the host of a target that has none.
    var isWhole: Bool { place != .literal }

    /// - Parameter host: may have blanks around it, as headers do.
    static func allows(_ host: some StringProtocol) -> Bool {
        func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
        var syntax = HostSyntax()
        let bytes = Array(host.utf8.drop(while: isBlank))
        for byte in bytes[..<(bytes.lastIndex { !isBlank($0) }.map { $0 + 1 } ?? 0)] {
            guard syntax.take(byte) else { return false }
        }
        return syntax.isWhole
    }

    private func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private func isOfName(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "~"):
            true
        default: false
        }
    }
}
