import GimbalCRDT
import GimbalReplication
import GimbalWire
import Testing

/// How much goes in one push.
struct PushWindowTests {
    /// A chain of sealed deltas of such sizes, one operation each.
    private func chain(_ sizes: [Int]) -> [SealedLink] {
        sizes.enumerated().map { index, bytes in
            SealedLink(
                firstSequence: UInt64(index + 1), lastSequence: UInt64(index + 1), headerHash: .zero, bytes: bytes)
        }
    }

    private func bytes(_ links: [SealedLink]) -> Int { links.reduce(0) { $0 + $1.bytes } }

    @Test("the first push is well under what proxies take, and one delta at least goes")
    func first() {
        let window = PushWindow()
        #expect(window.bytes < 1_000_000 && window.deltaBytes <= window.bytes)
        #expect(window.prefix(of: chain([300_000, 300_000, 300_000]), after: 0).count == 2)
        #expect(window.prefix(of: chain([9 << 20, 1]), after: 0).count == 1)
        #expect(window.prefix(of: chain([9 << 20, 1, 1]), after: 1).map(\.firstSequence) == [2, 3])
        #expect(window.prefix(of: [], after: 0).isEmpty)
        #expect(window.prefix(of: chain(Array(repeating: 1, count: 1000)), after: 0).count == PushWindow.greatestDeltas)
    }

    @Test("it grows with what is answered, never beyond what a pivot takes, and small pushes prove nothing")
    func growth() {
        var window = PushWindow()
        window.answered(10)
        #expect(window.bytes == PushWindow.firstBytes)
        let outbox = chain(Array(repeating: 4 << 20, count: 200))
        for _ in 0..<20 { window.answered(window.bytes) }
        #expect(window.bytes == PushWindow.greatestBytes)
        #expect(bytes(window.prefix(of: outbox, after: 0)) < PushRequest.hardMaximumBytes)
        // Of a node that was begun before deltas were small.
        #expect(bytes(window.prefix(of: chain([24 << 20, 24 << 20]), after: 0)) < PushRequest.hardMaximumBytes)
    }

    @Test("what was too large stays too large, for what is sealed from then on too, until what is sent is accepted")
    func tooLarge() {
        var window = PushWindow()
        let limit = 100_000
        var tries = 0
        while window.bytes > limit, tries < 20 {
            window.failed(window.bytes, isTooLarge: true)
            tries += 1
        }
        #expect(tries < 5 && window.bytes <= limit && window.deltaBytes <= limit)
        window.joined()
        for _ in 0..<20 { window.answered(window.bytes) }
        #expect(window.bytes <= limit, "a new connection does not make the way wider")
        for _ in 0..<40 { window.failed(1, isTooLarge: true) }
        #expect(window.bytes > 4096, "not for single operations that are too large")
    }

    @Test("what nobody answered makes it small again, and it grows less far until there is a new connection")
    func unanswered() {
        var window = PushWindow()
        for _ in 0..<20 { window.answered(window.bytes) }
        window.failed(window.bytes, isTooLarge: false)
        #expect(window.bytes == PushWindow.firstBytes)
        for _ in 0..<20 { window.answered(window.bytes) }
        #expect(window.bytes == PushWindow.greatestBytes / 2)
        window.joined()
        for _ in 0..<20 { window.answered(window.bytes) }
        #expect(window.bytes == PushWindow.greatestBytes)
    }
}
