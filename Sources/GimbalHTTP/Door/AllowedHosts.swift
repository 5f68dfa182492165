import Foundation
import NIOCore

/// Names under which a server answers.
///
/// A literal address cannot be made to point elsewhere, and a name without a dot is nobody's on the internet: it is resolved by
/// the machine, its network or its containers. Any other name has to be the machine's own or one that the operator named.
struct AllowedHosts: Sendable {
    private let names: Set<String>

    /// - Parameter names: without ports.
    init(_ names: [String]) {
        self.names = Set(names.map { $0.lowercased() }.filter { !$0.isEmpty })
    }

    /// What this machine calls itself, on its own and, by RFC 6762, on its link.
    static var ownNames: [String] {
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return [] }
        let name = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return name.contains(".") ? [name] : [name, name + ".local"]
    }

    /// Of one `Host`, with or without a port.
    func allow(_ host: String) -> Bool { Self.isPlain(host) || allow(whole: host) }

    /// Whether it is an address of IPv4 or a name without a dot, as nearly all are: seen at a glance.
    private static func isPlain(_ host: String) -> Bool {
        var (hasDot, hasLetter) = (false, false)
        for byte in host.utf8 {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: ":"): break
            case UInt8(ascii: "."): hasDot = true
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "-"): hasLetter = true
            default: return false
            }
        }
        return !host.isEmpty && !(hasDot && hasLetter)
    }

    private func allow(whole host: String) -> Bool {
        guard let name = Self.name(of: host) else { return false }
        if name.hasPrefix("[") {
            guard name.hasSuffix("]") else { return false }
            return (try? SocketAddress(ipAddress: String(name.dropFirst().dropLast()), port: 0)) != nil
        }
        let isNumber = name.utf8.allSatisfy { ($0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9")) || $0 == UInt8(ascii: ".") }
        return isNumber || Self.isLocal(name) || names.contains(name)
    }

    /// The same for `Host` of a request's bytes that `RequestScanner` does not know for good.
    func allow(_ host: ByteBufferView) -> Bool { allow(String(decoding: host, as: UTF8.self)) }

    /// In lower case, without the port and the dot that ends a whole name.
    static func name(of host: String) -> String? {
        var name = host.lowercased()[...]
        if let colon = name.lastIndex(of: ":"), !name.hasSuffix("]") {
            let port = name[name.index(after: colon)...]
            guard port.utf8.allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }) else { return nil }
            name = name[..<colon]
        }
        if name.hasSuffix("."), name.count > 1 { name.removeLast() }
        return name.isEmpty ? nil : String(name)
    }

    private static func isLocal(_ name: String) -> Bool {
        name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
                UInt8(ascii: "_"):
                true
            default: false
            }
        }
    }
}
