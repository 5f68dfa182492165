import Foundation

/// Where a server is, from the URL that a program gave.
struct ServerAddress: Sendable {
    let isSecure: Bool
    let host: String
    let port: Int
    /// What stands before every path, for servers behind a proxy; empty or `/…` without a slash at its end.
    let prefix: String

    init(_ text: String) throws(GimbalError) {
        guard let url = URL(string: text), let scheme = url.scheme?.lowercased(), ["http", "https"].contains(scheme),
            let host = url.host(), !host.isEmpty, url.query == nil, url.fragment == nil
        else { throw .invalidURL(text) }
        isSecure = scheme == "https"
        self.host = host
        port = url.port ?? (isSecure ? 443 : 80)
        prefix = url.path.hasSuffix("/") ? String(url.path.dropLast()) : url.path
    }

    /// As in the header `Host`.
    var authority: String {
        let bracketed = host.contains(":") ? "[\(host)]" : host
        return port == (isSecure ? 443 : 80) ? bracketed : "\(bracketed):\(port)"
    }

    var base: String { "\(isSecure ? "https" : "http")://\(authority)\(prefix)" }
}
