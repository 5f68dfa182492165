import GimbalCRDT
import Testing

/// Joins that drawn histories seldom or never make, spelled out (docs/decisions/0002-what-a-register-join-keeps.md).
struct JoinTests {
    private static func dot(_ letter: UInt64, _ sequence: UInt64 = 1) -> Dot {
        Dot(replica: ReplicaID(author: AuthorID(words: Words32(letter, 0, 0, 0)), incarnation: 1), sequence: sequence)
    }

    private static func write(_ dot: Dot, at milliseconds: UInt64, _ value: String? = "1") -> Write {
        let stamp = HybridTimestamp(milliseconds: milliseconds)
        return Write(dot: dot, stamp: stamp, created: stamp, operationHash: .zero, value: value.map { Array($0.utf8) })
    }

    private let register: Path
    private let member: Path
    private let d = dot(0xd)
    private let e = dot(0xe)
    private let f = dot(0xf)

    init() throws {
        register = try #require(Path("settings"))
        member = try #require(Path("things/1"))
    }

    /// A log that took these register writes, each at its effective stamp.
    private func log(_ writes: (dot: Dot, stamp: UInt64)...) -> SpaceState {
        var state = SpaceState()
        for (dot, stamp) in writes { state.apply(.write(Self.write(dot, at: stamp)), to: register) }
        return state
    }

    private func winner(_ state: SpaceState) -> Dot? { state.paths[register]?.writes.first?.dot }

    @Test("what was replaced or deleted does not come back under a later cap")
    func laterCap() {
        let (replacing, repeated) = (log((d, 5), (e, 6)), log((d, 7)))
        #expect(winner(replacing.joined(repeated)) == e)
        #expect(winner(repeated.joined(replacing)) == e)
    }

    @Test("if each side replaced the other's write, the smaller stays: the greater owes its place to a later cap")
    func eachReplaced() {
        let (one, other) = (log((d, 5), (e, 6)), log((e, 6), (d, 7)))
        #expect(winner(one.joined(other)) == e)
        #expect(winner(other.joined(one)) == e)
    }

    @Test("one dot under two caps keeps the smaller stamp")
    func twoCaps() {
        let joined = log((d, 7)).joined(log((d, 5)))
        #expect(joined.paths[register]?.writes.first?.stamp == HybridTimestamp(milliseconds: 5))
        #expect(joined == log((d, 5)))
    }

    @Test("three caps can order three writes in a circle: there the order of joins decides, and nothing else differs")
    func circle() {
        let (a, b, c) = (log((d, 5), (e, 60)), log((d, 70)), log((f, 65)))
        #expect(winner(a.joined(b)) == e)
        #expect(winner(b.joined(c)) == d)
        #expect(winner(a.joined(c)) == f)
        #expect(winner(a.joined(b).joined(c)) == f)
        #expect(winner(b.joined(c).joined(a)) == e)
        #expect(a.joined(b).joined(c).versionVector == b.joined(c).joined(a).versionVector)
    }

    @Test("a dot refused on one side and accepted on the other counts as accepted, one that was observed is only covered")
    func refused() {
        var refusing = SpaceState()
        refusing.refuse(d, reason: "forbidden")
        var accepting = SpaceState()
        accepting.apply(.put(Self.write(d, at: 5), observed: []), to: member)
        #expect(refusing.joined(accepting) == accepting)
        #expect(accepting.joined(refusing) == accepting)

        var observing = refusing
        observing.apply(.remove(e, observed: [d]), to: member)
        #expect(observing.refused.isEmpty)
        #expect(observing.joined(accepting).paths[member] == nil)
        #expect(observing.joined(refusing) == observing)

        var otherwise = SpaceState()
        otherwise.refuse(d, reason: "too-large")
        #expect(refusing.joined(otherwise).refused == [d: "forbidden"])
        #expect(otherwise.joined(refusing).refused == [d: "forbidden"])
    }

    @Test("an element removed on one side stays removed, one added there stays, and concurrent dots are both kept")
    func members() {
        var common = SpaceState()
        common.apply(.put(Self.write(d, at: 5), observed: []), to: member)
        var (one, other) = (common, common)
        one.apply(.remove(e, observed: [d]), to: member)
        other.apply(.put(Self.write(f, at: 6), observed: []), to: member)
        #expect(one.joined(other).paths[member]?.writes.map(\.dot) == [f])
        #expect(one.joined(common).paths[member] == nil)
        #expect(other.joined(common) == other)
    }
}
