import GimbalClient
import GimbalWire
import Testing

/// How the URL of a server is read.
struct ServerAddressTests {
    @Test(
        "what is honoured, in its one spelling",
        arguments: [
            ("http://10.0.0.1:7000", "http://10.0.0.1:7000"), ("HTTP://Example.ORG", "http://example.org"),
            ("http://h:80/", "http://h"), ("https://h:443", "https://h"), ("https://h:80", "https://h:80"),
            ("http://h:/", "http://h"), ("http://[::1]:7000", "http://[::1]:7000"), ("http://[::1]", "http://[::1]"),
            ("http://h/gimbal/", "http://h/gimbal"), ("http://h:1/a/b%20c//", "http://h:1/a/b%20c"),
            ("10.0.0.1:7000", "http://10.0.0.1:7000"), ("[::1]:7000", "http://[::1]:7000"), ("http://h:65535", "http://h:65535"),
        ])
    func honoured(_ text: String, _ base: String) throws {
        let address = try ServerAddress(text)
        #expect(address.base == base)
        #expect(try ServerAddress(address.base) == address)
    }

    @Test("the parts of an address")
    func parts() throws {
        let address = try ServerAddress("https://[FD00::5]:8443/pivot")
        #expect(address.isSecure && address.host == "fd00::5" && address.port == 8443 && address.prefix == "/pivot")
        #expect(address.authority == "[fd00::5]:8443")
    }

    @Test(
        "what cannot be honoured is refused with a reason",
        arguments: [
            "", "http://", "http:///x", "ftp://h", "http://u@h", "http://u:p@h", "http://h?x", "http://h/?x=1", "http://h#f",
            "http://h:0", "http://h:65536", "http://h:70000", "http://h:99999999999999999999", "http://h:-1", "http://h:1x",
            "http://h:٣", "http://::1", "http://::1:7000", "http://[::1", "http://[h]", "http://[127.0.0.1]", "http://[::1]x",
            "http://h h", "http://h%41", "http://h/a b", "http://h/%4", "http://h/%zz", "http://h/../x", "http://h/./x", "://h",
            "http://h\n", "http://ä",
        ])
    func refused(_ text: String) {
        #expect(throws: ServerAddress.Malformed.self) { try ServerAddress(text) }
        #expect(throws: GimbalError.self) { _ = try GimbalClient(url: text) }
    }

    @Test("waits grow to their greatest, scattered between the half and the whole, and begin anew")
    func backoff() {
        let policy = Reconnect(firstDelay: .milliseconds(100), greatestDelay: .seconds(1))
        for _ in 0..<20 {
            var backoff = Backoff(policy)
            for whole in [100, 200, 400, 800, 1000, 1000] {
                #expect((.milliseconds(whole / 2) ... .milliseconds(whole)).contains(backoff.next()))
            }
            #expect(backoff.failures == 6)
        }
        let draws = Set(
            (0..<20).map { _ in
                var backoff = Backoff(policy)
                return backoff.next()
            })
        #expect(draws.count > 1)
    }
}
