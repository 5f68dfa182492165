import GimbalCRDT
import GimbalStore
import Laws
import Testing

/// No path has two owners, whatever is claimed and released in which order.
struct SpaceClaimsTests {
    @Test("the first to claim a path keeps it until it releases it")
    func owners() throws {
        let texts = ["things/*", "things/**", "users/*", "users/1", "settings", "*", "**", "*/1", "other/*/x"]
        let patterns = try texts.map { try #require(Pattern($0)) }
        let paths = try ["things/1", "things/a/b", "users/1", "users/2", "settings", "x", "other/a/x"].map { try path($0) }
        let spaces = ["a", "b", "c"]
        var random = SeededRandom(seed: 11)
        for _ in 0..<400 {
            var claims = SpaceClaims()
            for _ in 0..<12 {
                guard let space = spaces.randomElement(using: &random) else { continue }
                if UInt64.random(in: 0..<5, using: &random) == 0 {
                    claims.release(space)
                    #expect(claims.patterns[space] == nil)
                    continue
                }
                let wanted = Array(patterns.shuffled(using: &random).prefix(2))
                let before = claims.patterns
                let refused = claims.claim(wanted, for: space)
                // Nobody loses anything, and what is refused is owned by another.
                for (owner, owned) in before { #expect(claims.patterns[owner]?.starts(with: owned) == true) }
                for overlap in refused {
                    #expect(overlap.space == space && overlap.owner != space)
                    #expect(before[overlap.owner]?.contains(overlap.owned) == true && overlap.pattern.overlaps(overlap.owned))
                }
                let contested = Set(refused.map(\.pattern))
                for pattern in wanted {
                    #expect(
                        claims.patterns[space]?.contains(pattern)
                            == (before[space]?.contains(pattern) ?? false || !contested.contains(pattern)))
                }
                for path in paths {
                    let owners = claims.patterns.filter { $0.value.contains { $0.matches(path) } }
                    #expect(owners.count <= 1, "\(path) has \(owners.keys.sorted())")
                }
            }
        }
    }
}
