import GimbalCRDT
import Testing

struct PathTests {
    @Test(arguments: ["a", "settings", "things/42", "a/b/c", "A-b_c.d/0", "_members/ab", "_settings"])
    func valid(text: String) throws {
        #expect(try #require(Path(text)).description == text)
    }

    @Test(arguments: ["", "/", "/a", "a/", "a//b", "-a", "a-", "a/.b", "a b", "é", "a/_b", "__a", "_", "a/*", "a?b", "a/\u{0}"])
    func invalid(text: String) { #expect(Path(text) == nil) }

    @Test func length() {
        #expect(Path(String(repeating: "a", count: 512)) != nil)
        #expect(Path(String(repeating: "a", count: 513)) == nil)
    }

    @Test(arguments: [
        ("things/*", "things/1", true), ("things/*", "things/1/2", false), ("things/*", "things", false),
        ("*", "settings", true), ("*", "_settings", false), ("**", "a/b/c", true), ("**", "_members/x", false),
        ("a/*/c", "a/b/c", true), ("a/*/c", "a/b/d", false), ("a/**", "a", false), ("a/**", "a/b/c", true),
        ("a/b", "a/bc", false), ("a/b", "a", false), ("a/*", "ab/c", false), ("a", "a/b", false), ("a/b/*", "a/b", false),
        ("*/*", "a/b", true), ("**", "a", true),
    ])
    func matching(pattern: String, path: String, matches: Bool) throws {
        #expect(try #require(Pattern(pattern)).matches(try #require(Path(path))) == matches)
    }

    @Test(arguments: [
        ("things/*", "things/1", true), ("things/*", "users/*", false), ("**", "settings", true), ("a/**", "a", false),
        ("a/*", "a/b/c", false), ("*/b", "a/*", true),
    ])
    func overlap(one: String, two: String, overlaps: Bool) throws {
        let (left, right) = (try #require(Pattern(one)), try #require(Pattern(two)))
        #expect(left.overlaps(right) == overlaps)
        #expect(right.overlaps(left) == overlaps)
    }

    @Test("paths order as their bytes do, wherever they differ")
    func order() throws {
        let texts = ["a", "a-b/c", "a/b", "aaaaaaa", "aaaaaaaa", "aaaaaaaaZ", "aaaaaaaab", "aaaaaaaaba", "aaaaaaab", "b"]
        #expect(texts == texts.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) })
        let paths = try texts.map { try #require(Path($0)) }
        for (index, one) in paths.enumerated() {
            for (place, other) in paths.enumerated() { #expect((one < other) == (index < place), "\(one), \(other)") }
        }
    }

    @Test(arguments: ["", "a/**/b", "_members/*", "a*", "a//b"])
    func invalidPattern(text: String) { #expect(Pattern(text) == nil) }
}
