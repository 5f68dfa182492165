import NIOCore

/// Where a server is, from the URL that a program or a person gave: the one reading of such a URL for clients, nodes and
/// tools. Everything in it is honoured or refused with the reason, nothing is left out in silence.
package struct ServerAddress: Hashable, Sendable {
    package let isSecure: Bool
    /// A name, or a literal address without brackets.
    package let host: String
    package let port: Int
    /// What stands before every path, for servers behind a proxy; empty or `/…` without a slash at its end.
    package let prefix: String

    /// Why a text is no server's URL: a sentence that goes on after the text.
    package struct Malformed: Error, Hashable, CustomStringConvertible {
        package let text: String
        package let reason: String

        package var description: String { "\"\(text)\" \(reason)" }
    }

    /// - Parameter text: `http://HOST[:PORT][/PREFIX]`, or https; `HOST:PORT` alone is taken for http.
    package init(_ text: String) throws(Malformed) {
        func malformed(_ reason: String) -> Malformed { Malformed(text: text, reason: reason) }
        var rest = text[...]
        var isSecure = false
        if let colon = text.firstRange(of: "://") {
            switch text[..<colon.lowerBound].lowercased() {
            case "http": break
            case "https": isSecure = true
            default: throw malformed("does not begin with http:// or https://")
            }
            rest = text[colon.upperBound...]
        }
        guard !rest.contains("?"), !rest.contains("#") else {
            throw malformed("has a query or a fragment: the URL of a server ends with its path")
        }
        let end = rest.firstIndex(of: "/") ?? rest.endIndex
        guard !rest[..<end].contains("@") else {
            throw malformed("has a user's name or password, which is sent nowhere: leave them out")
        }
        self.isSecure = isSecure
        let host: Substring
        let port: Substring?
        do {
            (host, port) = try Self.split(rest[..<end])
        } catch { throw malformed(error.sentence) }
        self.host = host.lowercased()
        switch port {
        case nil, "": self.port = Self.usualPort(isSecure)
        case .some(let digits):
            guard digits.utf8.count <= 5, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(digits),
                (1...65535).contains(number)
            else { throw malformed("has no port from 1 to 65535 after its last colon") }
            self.port = number
        }
        var path = rest[end...]
        while path.last == "/" { path.removeLast() }
        guard Self.isPath(path) else { throw malformed("has a path that is none: letters, digits and -._~!$&'()*+,;=:@%") }
        prefix = String(path)
    }

    /// What is wrong with a part.
    private struct Flaw: Error { let sentence: String }

    private static func split(_ authority: Substring) throws(Flaw) -> (host: Substring, port: Substring?) {
        if authority.first == "[" {
            guard let close = authority.firstIndex(of: "]") else { throw Flaw(sentence: "opens a bracket and does not close it") }
            let host = authority[authority.index(after: authority.startIndex)..<close]
            let after = authority[authority.index(after: close)...]
            guard case .v6 = try? SocketAddress(ipAddress: String(host), port: 0) else {
                throw Flaw(sentence: "has brackets around what is no IPv6 address")
            }
            guard after.isEmpty || after.first == ":" else { throw Flaw(sentence: "goes on behind its bracket without a colon") }
            return (host, after.isEmpty ? nil : after.dropFirst())
        }
        let parts = authority.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count <= 2 else { throw Flaw(sentence: "has several colons: an IPv6 address stands in brackets") }
        guard let host = parts.first, !host.isEmpty, host.utf8.count <= 253,
            host.utf8.allSatisfy({ isLetterOrDigit($0) || "-._".utf8.contains($0) })
        else { throw Flaw(sentence: "names no host: letters, digits and -._, or an address") }
        return (host, parts.count == 2 ? parts[1] : nil)
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte & 0xdf)
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x46).contains(byte & 0xdf)
    }

    /// As RFC 3986 §3.3 has it; dots that lead elsewhere are nobody's prefix.
    private static func isPath(_ path: Substring) -> Bool {
        guard path.split(separator: "/").allSatisfy({ $0 != "." && $0 != ".." }) else { return false }
        var rest = path.utf8[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%") {
                guard rest.prefix(2).count == 2, rest.prefix(2).allSatisfy(isHexDigit) else { return false }
                rest = rest.dropFirst(2)
            } else if !isLetterOrDigit(byte), !"/-._~!$&'()*+,;=:@".utf8.contains(byte) {
                return false
            }
        }
        return true
    }

    private static func usualPort(_ isSecure: Bool) -> Int { isSecure ? 443 : 80 }

    /// As in the header `Host`.
    package var authority: String {
        let bracketed = host.contains(":") ? "[\(host)]" : host
        return port == Self.usualPort(isSecure) ? bracketed : "\(bracketed):\(port)"
    }

    /// The one spelling of the URL; paths of requests are put behind it.
    package var base: String { "\(isSecure ? "https" : "http")://\(authority)\(prefix)" }
}
