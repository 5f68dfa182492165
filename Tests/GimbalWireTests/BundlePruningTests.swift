import GimbalCRDT
import GimbalSigning
import GimbalWire
import Testing

/// Deltas of which only some operations are shown: what bundles and snapshots are made of.
@Suite struct BundlePruningTests {
    private let primitives = BundleFixture.primitives

    private func delta(_ count: Int) -> VerifiedDelta {
        var fixture = BundleFixture()
        return fixture.seal((0..<count).map { BundleFixture.put("things/\($0)", "\($0)") }, by: fixture.author)
    }

    private func kept(_ mask: Int) -> (Int) -> Bool { { mask >> $0 & 1 == 1 } }

    @Test(arguments: 1...7) func everyChoiceOfOperationsVerifies(_ count: Int) throws {
        let whole = delta(count)
        for mask in 0..<(1 << count) {
            let pruned = whole.pruned(keeping: kept(mask), primitives)
            let decoded = try SealedDelta(decoding: pruned.sealed.bytes).verified(primitives)
            #expect(decoded == pruned)
            for index in 0..<count {
                #expect(decoded.isShown(index) == kept(mask)(index))
                #expect(try decoded.operation(index) == (kept(mask)(index) ? whole.operation(index) : nil))
            }
        }
    }

    @Test(arguments: 1...6) func pruningAgainIsPruningAtOnce(_ count: Int) throws {
        let whole = delta(count)
        for first in 0..<(1 << count) {
            // As a log holds it after refusals: decoded, not sealed here.
            let once = try SealedDelta(decoding: whole.pruned(keeping: kept(first), primitives).sealed.bytes).verified(primitives)
            for second in 0..<(1 << count) {
                let twice = once.pruned(keeping: kept(second), primitives)
                #expect(twice == whole.pruned(keeping: kept(first & second), primitives))
            }
        }
    }

    @Test func aPrunedDeltaIsSmall() throws {
        let whole = delta(4096)
        let pruned = whole.pruned(keeping: { $0 == 1234 }, primitives)
        #expect(pruned.sealed.bytes.count < 900)
        let decoded = try SealedDelta(decoding: pruned.sealed.bytes).verified(primitives)
        #expect(try decoded.operation(1234)?.path.description == "things/1234")
    }
}
