import Foundation
import GimbalWire
import NIOCore
import NIOHTTP1

/// Who may come in: what a page in somebody's browser can make that browser send is kept out here, for every route and every
/// upgrade alike.
///
/// A page is known by `Origin`, which no page can forge; a page whose name was made to point to this machine ("DNS
/// rebinding") looks like the server's own, and is known by the name in `Host`. docs/decisions/0013 says which names are
/// trusted and why.
struct Door: Sendable {
    enum Verdict: Equatable {
        /// No page sent it, or one of this server's own.
        case open
        /// A page of an origin that the operator named: it may use the client API and gets this origin back.
        case granted(origin: String)
        case refused(Refusal)
    }

    enum Refusal: Equatable {
        case unknownHost, foreignOrigin

        var answer: KeyAnswer {
            switch self {
            case .unknownHost:
                .failure(
                    421, "unknown-host",
                    "this server does not answer under that name: its operator can name it with --allow-host")
            case .foreignOrigin:
                .failure(
                    403, "foreign-origin",
                    "a page of another origin may not use this: its operator can name the origin with --allow-origin")
            }
        }
    }

    let hosts: AllowedHosts
    let origins: Set<String>

    init(hosts: AllowedHosts, origins: [AllowedOrigin]) {
        self.hosts = hosts
        self.origins = Set(origins.map(\.text))
    }

    func judge(_ head: HTTPRequestHead) -> Verdict {
        // Blanks around a value are none of it (RFC 9110 §5.5).
        let hosts = head.headers["host"].map { $0.trimmingCharacters(in: .whitespaces) }
        let isTrusted = hosts.allSatisfy { self.hosts.allow($0) }
        // What nodes say is signed, and what they ask without a signature is no secret: they reach their pivot by whatever name
        // they were given.
        guard isTrusted || Route.isReplication(head.uri) else { return .refused(.unknownHost) }
        let origins = head.headers["origin"]
        guard let origin = origins.first else { return .open }
        guard origins.count == 1 else { return .refused(.foreignOrigin) }
        if isTrusted, hosts.count == 1, AllowedOrigin(origin)?.isOf(host: hosts[0]) == true { return .open }
        guard let named = AllowedOrigin(origin), self.origins.contains(named.text), Route.isForPages(head.uri) else {
            return .refused(.foreignOrigin)
        }
        return .granted(origin: origin)
    }

    /// What a request is for, by its target alone.
    private enum Route {
        static func isReplication(_ uri: String) -> Bool { path(uri).hasPrefix("/_pivot/v1/") }

        /// Whether pages of origins that were named may use it: the client API, and nothing of the operator's.
        static func isForPages(_ uri: String) -> Bool {
            guard let path = path(uri).removingPercentEncoding else { return false }
            if path == "/" { return !uri.contains("?") }
            guard path.hasPrefix("/_") else { return path.hasPrefix("/") && !path.hasPrefix("//") && path != "/metrics" }
            return ["/_health/live", "/_health/ready", "/_pivot/version"].contains(path)
        }

        private static func path(_ uri: String) -> Substring { uri.prefix { $0 != "?" } }
    }
}

/// The scheme, name and port of a page, as browsers write it.
struct AllowedOrigin: Hashable, Sendable {
    /// In lower case, without a port that the scheme implies.
    let text: String
    private let authority: Substring
    /// Nil for schemes that are no server's: an app's own, for one.
    private let usualPort: String?

    /// Nil for what is no origin of a page, `null` and `*` among it.
    init?(_ text: String) {
        var text = text.lowercased()
        guard let scheme = text.prefixMatch(of: /[a-z][a-z0-9+.-]*:\/\//)?.output else { return nil }
        usualPort = scheme == "http://" ? ":80" : scheme == "https://" ? ":443" : nil
        let start = scheme.utf8.count
        if let usualPort, text.hasSuffix(usualPort), text.utf8.count > start + usualPort.utf8.count {
            text.removeLast(usualPort.count)
        }
        let authority = text.dropFirst(start)
        let isPlain = authority.utf8.allSatisfy { byte in
            byte > 0x20 && byte < 0x7f && !"/?#@\\*".utf8.contains(byte)
        }
        guard !authority.isEmpty, isPlain else { return nil }
        self.text = text
        self.authority = authority
    }

    /// Whether the page came from the server that a request names in `Host`.
    func isOf(host: String) -> Bool {
        guard let usualPort else { return false }
        let host = host.lowercased()
        return host == authority || host == authority + usualPort
    }
}
