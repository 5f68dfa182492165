import GimbalCRDT
import Testing

struct OrderTests {
    @Test("lesson 13: equal stamps have one winner, whoever is asked")
    func ties() throws {
        let one = TruthTableTests.write(try TruthTableTests.dot("a1"), stamp: 5, value: "1")
        let two = TruthTableTests.write(try TruthTableTests.dot("b1"), stamp: 5, value: "2")
        var left = Register(one)
        left.apply(two)
        var right = Register(two)
        right.apply(one)
        #expect(left == right)
        #expect(left.write == two)
        #expect(Member(live: [one, two]).winner == two)
        #expect(Member(live: [two, one]).winner == two)
    }

    @Test("stamp, author, incarnation, sequence, operation hash decide, in this order")
    func order() {
        let greater: [(inout Write) -> Void] = [
            { $0.stamp = HybridTimestamp(rawValue: 2) },
            { $0.dot.replica.author = AuthorID(words: Words32(0, 0, 0, 2)) },
            { $0.dot.replica.incarnation = 2 },
            { $0.dot.sequence = 2 },
            { $0.operationHash = Digest(words: Words32(0, 0, 0, 2)) },
        ]
        let one = AuthorID(words: Words32(0, 0, 0, 1))
        let plain = Write(
            dot: Dot(replica: ReplicaID(author: one, incarnation: 1), sequence: 1), stamp: HybridTimestamp(rawValue: 1),
            created: .zero, operationHash: Digest(words: Words32(0, 0, 0, 1)), value: nil)
        #expect(!plain.precedes(plain))
        for deciding in greater.indices {
            // What decides makes one greater; everything after it makes the other greater.
            var (left, right) = (plain, plain)
            greater[deciding](&right)
            for change in greater[(deciding + 1)...] { change(&left) }
            #expect(left.precedes(right), "\(deciding)")
            #expect(!right.precedes(left), "\(deciding)")
        }
    }

    @Test("clocks rise whatever the wall clock does, and follow what they see")
    func clock() {
        var clock = HybridClock()
        var last = HybridTimestamp.zero
        for wall: UInt64 in [1000, 1000, 5, 0, 2000, 1999, .max, 0] {
            let stamp = clock.tick(wallMilliseconds: wall)
            #expect(stamp > last || last == .greatest)
            last = stamp
        }
        var follower = HybridClock()
        follower.observe(HybridTimestamp(milliseconds: 77, counter: 0xffff))
        #expect(follower.tick(wallMilliseconds: 1) == HybridTimestamp(milliseconds: 78, counter: 0))
        #expect(HybridTimestamp.greatest.nanoseconds <= UInt64(Int64.max))
    }
}
