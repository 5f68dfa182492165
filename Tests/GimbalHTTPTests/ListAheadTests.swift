import GimbalCRDT
import GimbalHTTP
import Testing

struct ListAheadTests {
    private func question(_ number: UInt64, part: String? = nil) throws -> ListAhead.Question {
        let pattern = try #require(Pattern("things/*"))
        return ListAhead.Question(
            pattern: pattern, part: part, after: KeyPlace(created: number, path: try #require(Path("things/\(number)"))))
    }

    private func keys(_ count: UInt64) throws -> ArraySlice<KeyPlace> {
        try (0..<count).map { KeyPlace(created: $0, path: try #require(Path("things/\($0)"))) }[...]
    }

    @Test("a rest answers its own question alone, and only a page after which it knows how to go on")
    func questions() throws {
        let ahead = ListAhead()
        ahead.keep(ListAhead.Rest(keys: try keys(10), isWhole: false, total: 20), for: try question(1))
        #expect(ahead.find(try question(1), limit: 9)?.keys.count == 10)
        // Asked again, it is still there.
        #expect(ahead.find(try question(1), limit: 9) != nil)
        // With all ten shown nobody could say whether there is an eleventh.
        #expect(ahead.find(try question(1), limit: 10) == nil)
        #expect(ahead.find(try question(2), limit: 1) == nil)
        #expect(ahead.find(try question(1, part: "a"), limit: 1) == nil)
        ahead.keep(ListAhead.Rest(keys: try keys(3), isWhole: true, total: 3), for: try question(1))
        #expect(ahead.find(try question(1), limit: 100)?.keys.count == 3)
    }

    @Test("the oldest rests go first, and memory stays bounded")
    func capacity() throws {
        let ahead = ListAhead()
        for number in 0..<100 as Range<UInt64> {
            ahead.keep(ListAhead.Rest(keys: try keys(2), isWhole: true, total: 2), for: try question(number))
        }
        let kept = try (0..<100 as Range<UInt64>).filter { ahead.find(try question($0), limit: 1) != nil }
        #expect(kept == Array(92..<100))
    }

    @Test("a scan keeps enough to tell whether another page follows", arguments: [1, 2, 100, 512, 513, 100_000, Int.max])
    func depth(limit: Int) {
        #expect(ListAhead.depth(limit) > limit || limit == .max && ListAhead.depth(limit) == .max)
    }
}
