import Foundation
import NIOCore

/// A range of IP addresses, such as `10.1.0.0/16` or `fd00::/8`; a single one without a length.
public struct IPNetwork: Hashable, Sendable {
    private let bytes: [UInt8]
    private let bits: Int

    /// Nil for anything else.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard let address = parts.first, parts.count <= 2, let bytes = Self.bytes(String(address)) else { return nil }
        guard let bits = parts.count == 2 ? Int(parts[1]) : bytes.count * 8, (0...bytes.count * 8).contains(bits) else {
            return nil
        }
        self.bytes = bytes
        self.bits = bits
    }

    package func contains(_ address: String) -> Bool {
        guard let other = Self.bytes(address), other.count == bytes.count else { return false }
        let (whole, rest) = bits.quotientAndRemainder(dividingBy: 8)
        guard bytes.prefix(whole) == other.prefix(whole) else { return false }
        return rest == 0 || (bytes[whole] ^ other[whole]) >> UInt8(8 - rest) == 0
    }

    /// Literal addresses alone: a name could mean another host tomorrow. An IPv4 address that is written as an IPv6 one is
    /// the former.
    static func bytes(_ text: String) -> [UInt8]? {
        guard let address = try? SocketAddress(ipAddress: text, port: 0) else { return nil }
        switch address {
        case .v4(let four): return withUnsafeBytes(of: four.address.sin_addr) { Array($0) }
        case .v6(let six):
            let bytes = withUnsafeBytes(of: six.address.sin6_addr) { Array($0) }
            let mapped: [UInt8] = Array(repeating: 0, count: 10) + [0xff, 0xff]
            return bytes.starts(with: mapped) ? Array(bytes.suffix(4)) : bytes
        case .unixDomainSocket: return nil
        }
    }
}

/// Where a node wants to be told to pull: scheme, literal address and port, and nothing else.
package struct TriggerAddress: Hashable, Sendable {
    package let url: String
    let host: String

    package init?(_ text: String) {
        guard text.utf8.count <= 128, let parts = URLComponents(string: text), let scheme = parts.scheme?.lowercased(),
            ["http", "https"].contains(scheme), let host = parts.host, let port = parts.port, (1...65535).contains(port),
            parts.path.isEmpty || parts.path == "/", parts.query == nil, parts.fragment == nil, parts.user == nil,
            parts.password == nil
        else { return nil }
        let bare = host.trimmingCharacters(in: CharacterSet(charactersIn: "[]"))
        guard IPNetwork.bytes(bare) != nil else { return nil }
        self.host = bare
        url = "\(scheme)://\(bare.contains(":") ? "[\(bare)]" : bare):\(port)"
    }

    /// Whether the pivot may call it: the member's own signed request came from that very address, or the pivot's operator
    /// named its network. So nobody makes a pivot call a third party.
    package func isAllowed(from source: SocketAddress?, _ networks: [IPNetwork]) -> Bool {
        if let source = source?.ipAddress.flatMap(IPNetwork.bytes), source == IPNetwork.bytes(host) { return true }
        return networks.contains { $0.contains(host) }
    }
}
