import GimbalCRDT
import GimbalStore
import Laws
import Testing

/// The cache holds a subset of what is stored, and never anything else.
struct StateCacheTests {
    private func state(_ number: UInt64, bytes: Int = 8) -> PathState {
        let replica = ReplicaID(author: AuthorID(words: Words32(1, 2, 3, 4)), incarnation: 5)
        let stamp = HybridTimestamp(milliseconds: number)
        let value = [UInt8](repeating: UInt8(ascii: "1"), count: bytes)
        return .register(
            Register(
                Write(
                    dot: Dot(replica: replica, sequence: number), stamp: stamp, created: stamp, operationHash: .zero, value: value
                )))
    }

    @Test("whatever reads and commits do to it, it answers what is stored or nothing")
    func model() throws {
        var random = SeededRandom(seed: 7)
        for limit in [0, 4_000, 60_000, 1 << 20] {
            let cache = StateCache(byteLimit: limit, shardCount: 4)
            var stored: [Path: PathState] = [:]
            var reads: [(path: Path, state: PathState?, ticket: StateCache.Ticket)] = []
            for step in 1...20_000 {
                let key = try path("things/\(UInt64.random(in: 0..<300, using: &random))")
                switch UInt64.random(in: 0..<100, using: &random) {
                case ..<50:
                    switch cache.lookUp(key) {
                    case .hit(let found): #expect(found == stored[key])
                    // Some reads end at once, others after commits that they did not see.
                    case .miss(let ticket): reads.append((key, stored[key], ticket))
                    }
                case ..<75:
                    if let read = reads.popLast() { cache.fill(read.path, read.state, read.ticket) }
                case ..<90:
                    let next = state(UInt64(step), bytes: Int.random(in: 1...2_000, using: &random))
                    stored[key] = next
                    cache.update(key, .some(next))
                case ..<99:
                    stored[key] = step.isMultiple(of: 2) ? state(UInt64(step)) : nil
                    cache.update(key, nil)
                default:
                    cache.removeAll()
                }
            }
        }
    }

    @Test("it forgets rather than grow over its bound, first of all what nobody asks for")
    func bound() throws {
        let cache = StateCache(byteLimit: 100_000, shardCount: 1)
        let asked = try path("asked")
        cache.update(asked, .some(state(1)))
        for number in 0..<2_000 {
            cache.update(try path("things/\(number)"), .some(state(2, bytes: 500)))
            if case .miss = cache.lookUp(asked) { Issue.record("lost at \(number)") }
        }
        var kept = 0
        for number in 0..<2_000 {
            if case .hit = cache.lookUp(try path("things/\(number)")) { kept += 1 }
        }
        // Each takes some 750 bytes.
        #expect((50...200).contains(kept))
    }
}
