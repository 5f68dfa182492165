import GimbalCRDT
import GimbalHTTP
import Laws
import NIOCore
import Testing

struct TriggerAddressTests {
    @Test("a network holds exactly the addresses that share its bits")
    func networks() throws {
        let cases: [(network: String, inside: [String], outside: [String])] = [
            ("10.1.0.0/16", ["10.1.0.0", "10.1.255.255", "::ffff:10.1.2.3"], ["10.2.0.0", "10.0.255.255", "::1"]),
            ("10.1.2.128/25", ["10.1.2.128", "10.1.2.255"], ["10.1.2.127", "10.1.3.128"]),
            ("0.0.0.0/0", ["1.2.3.4"], ["::1"]),
            ("192.168.1.7", ["192.168.1.7"], ["192.168.1.6"]),
            ("fd00::/8", ["fd00::1", "fdff::"], ["fe80::1", "10.0.0.1"]),
            ("2001:db8::/33", ["2001:db8:7fff::1"], ["2001:db8:8000::1"]),
        ]
        for (text, inside, outside) in cases {
            let network = try #require(IPNetwork(text))
            for address in inside { #expect(network.contains(address), "\(address) in \(text)") }
            for address in outside + ["localhost", ""] { #expect(!network.contains(address), "\(address) in \(text)") }
        }
        for text in ["", "/8", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8/8", "::/129", "localhost/8", "10.0.0/8/"] {
            #expect(IPNetwork(text) == nil, "\(text)")
        }
    }

    @Test("an address is a scheme, a literal host and a port, and nothing else")
    func addresses() throws {
        #expect(TriggerAddress("http://10.0.0.5:7001")?.url == "http://10.0.0.5:7001")
        #expect(TriggerAddress("https://[fd00::1]:443/")?.url == "https://[fd00::1]:443")
        let refused = [
            "http://localhost:1", "http://10.0.0.5", "ftp://10.0.0.5:1", "http://10.0.0.5:0", "http://10.0.0.5:65536",
            "http://10.0.0.5:1/x", "http://10.0.0.5:1?x", "http://10.0.0.5:1#x", "http://a@10.0.0.5:1", "http://a:b@10.0.0.5:1",
            "http://10.0.0.5:1/\(String(repeating: "/", count: 128))", "",
        ]
        for text in refused { #expect(TriggerAddress(text) == nil, "\(text)") }
    }

    @Test("a pivot calls only where the request came from, or what its operator named")
    func permission() throws {
        let address = try #require(TriggerAddress("http://10.0.0.5:7001"))
        let network = try #require(IPNetwork("10.0.0.0/24"))
        #expect(address.isAllowed(from: try SocketAddress(ipAddress: "10.0.0.5", port: 9), []))
        #expect(address.isAllowed(from: try SocketAddress(ipAddress: "::ffff:10.0.0.5", port: 9), []))
        #expect(!address.isAllowed(from: try SocketAddress(ipAddress: "10.0.0.6", port: 9), []))
        #expect(!address.isAllowed(from: nil, []) && address.isAllowed(from: nil, [network]))
    }
}

/// Nobody is told more often than once a second, and never more than eight at once.
struct TriggerBookTests {
    private func author(_ number: UInt64) -> AuthorID { AuthorID(words: Words32(number, 0, 0, 1)) }

    @Test("whatever answers and whatever does not, pauses and bounds hold")
    func pauses() throws {
        var random = SeededRandom(seed: 5)
        var book = TriggerBook()
        for number in 0..<30 as Range<UInt64> {
            let address = TriggerAddress("http://10.0.0.\(number):7001")
            book.register(author(number), address)
        }
        var now = NIODeadline.uptimeNanoseconds(0)
        var position: UInt64 = 1
        var flying: [TriggerBook.Call] = []
        var lastEnd: [AuthorID: NIODeadline] = [:]
        var told: Set<AuthorID> = []
        for _ in 0..<5_000 {
            now = now + .milliseconds(Int64.random(in: 0...400, using: &random))
            if UInt64.random(in: 0..<3, using: &random) == 0 { position += 1 }
            let (calls, _) = book.take(now, logEnd: position) { $0 != author(0) }
            for call in calls {
                #expect(call.author != author(0), "it is not to be told")
                #expect(!flying.contains { $0.author == call.author }, "told twice at once")
                if let end = lastEnd[call.author] { #expect(now >= end + .seconds(1)) }
                told.insert(call.author)
            }
            flying += calls
            #expect(flying.count <= 8)
            while !flying.isEmpty, UInt64.random(in: 0..<2, using: &random) == 0 {
                let call = flying.remove(at: Int.random(in: 0..<flying.count, using: &random))
                book.finish(call, now, isAnswered: UInt64.random(in: 0..<2, using: &random) == 0)
                lastEnd[call.author] = now
            }
        }
        #expect(told.count == 29)
    }

    @Test(
        "who knows the log's end is left alone until the next commit or the next check; who is silent is asked ever more rarely")
    func rests() throws {
        var book = TriggerBook()
        let node = author(1)
        let address = TriggerAddress("http://10.0.0.1:7001")
        book.register(node, address)
        func calls(_ seconds: Int64, _ end: UInt64) -> [TriggerBook.Call] {
            book.take(.uptimeNanoseconds(0) + .seconds(seconds), logEnd: end) { _ in true }.calls
        }
        func finish(_ call: TriggerBook.Call, _ seconds: Int64, _ isAnswered: Bool) {
            book.finish(call, .uptimeNanoseconds(0) + .seconds(seconds), isAnswered: isAnswered)
        }
        finish(try #require(calls(10, 5).first), 10, true)
        let early = calls(12, 5)
        #expect(early.isEmpty)
        let (_, isAnyIdle) = book.take(.uptimeNanoseconds(0) + .seconds(12), logEnd: 5) { _ in true }
        #expect(isAnyIdle)
        finish(try #require(calls(12, 6).first), 12, true)
        // Thirty seconds later it is asked whether it lives.
        #expect(calls(41, 6).isEmpty)
        finish(try #require(calls(42, 6).first), 42, false)
        var seconds: Int64 = 42
        for pause in [2, 4, 8, 16, 32, 64, 128, 256, 300, 300] as [Int64] {
            #expect(calls(seconds + pause - 1, 7).isEmpty, "\(pause)")
            seconds += pause
            finish(try #require(calls(seconds, 7).first), seconds, false)
        }
        // What was taken back is not told again.
        book.register(node, nil)
        #expect(calls(seconds + 10_000, 9).isEmpty)
    }
}
