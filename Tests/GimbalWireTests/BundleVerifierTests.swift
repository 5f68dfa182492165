import GimbalCRDT
import GimbalSigning
import GimbalWire
import Testing

private typealias Fixture = BundleFixture

@Suite struct BundleVerifierTests {
    private func small() -> BundleFixture {
        var fixture = Fixture.founded()
        fixture.append([Fixture.put("things/1", "1"), Fixture.put("things/2", "2")], by: fixture.author)
        return fixture
    }

    @Test func aWholeBundleHoldsAndSaysWhoWroteWhat() throws {
        let fixture = small()
        let (report, proven) = verify(fixture.file, space: fixture.space)
        #expect(report.findings.isEmpty)
        #expect(report.isValid)
        #expect(report.entryCount == 3)
        #expect(report.operationCount == 4)
        #expect(report.authors == [fixture.pivot.author, fixture.author.author])
        #expect(report.pivot == fixture.pivot.author)
        #expect(report.checkpoint?.position == 3)
        let last = try #require(proven.last)
        #expect(last.path == Fixture.path("things/2"))
        #expect(last.dot == Dot(replica: ReplicaID(author: fixture.author.author, incarnation: 7), sequence: 2))
        #expect(last.stamp == HybridTimestamp(milliseconds: 1_000, counter: 1))
        #expect(last.position == 3)
        #expect(last.value == Array("2".utf8))
    }

    @Test(arguments: [1, 7, 64]) func chunksMayBeOfAnySize(_ chunk: Int) {
        let fixture = small()
        #expect(verify(fixture.file, chunk: chunk).report == verify(fixture.file).report)
    }

    @Test func everyChangedByteIsSeen() {
        let fixture = small()
        let file = fixture.file
        for place in file.indices {
            for mask in [0x01, 0x80] as [UInt8] {
                var changed = file
                changed[place] ^= mask
                let (report, _) = verify(changed, space: fixture.space)
                let first = report.findings.first { $0.severity == .error }
                #expect(!report.isValid, "byte \(place) ^ \(mask)")
                #expect(first.map { $0.offset <= file.count } ?? false, "byte \(place) ^ \(mask) has no place")
            }
        }
    }

    @Test func everyCutAndEveryAdditionIsSeen() {
        let fixture = small()
        let file = fixture.file
        for length in file.indices {
            let (report, _) = verify(Array(file.prefix(length)), space: fixture.space)
            #expect(!report.isValid && !report.isComplete, "cut at \(length)")
            #expect(report.findings.last?.severity == .error, "cut at \(length)")
        }
        #expect(errorCodes(file + [0]) == ["trailing-bytes"])
        #expect(errorCodes(file + file) == ["trailing-bytes"])
    }

    @Test func anotherSpaceIsRefused() {
        let fixture = small()
        let other = SpaceID(words: fixture.stranger.author.words)
        #expect(errorCodes(fixture.file, space: other) == ["wrong-space"])
        var forged = small()
        forged.certificates = []
        forged.certify(forged.pivot, serial: 1, by: forged.stranger)
        #expect(errorCodes(forged.file) == ["bad-signature"])
        forged.certificates = []
        forged.certify(forged.pivot, serial: 1, of: other, by: forged.stranger)
        #expect(errorCodes(forged.file) == ["wrong-space"])
    }

    @Test func aCheckpointOfAnotherKeyProvesNothing() {
        var fixture = small()
        let items = fixture.items
        fixture.pivot = fixture.stranger
        let file = Fixture.file([fixture.head] + items)
        #expect(errorCodes(file) == ["bad-signature"])
    }

    @Test(arguments: [(0, 0), (UInt64.max, 0), (0, 1), (2, 3), (UInt64.max, 1)] as [(UInt64, UInt64)])
    func impossibleCheckpointsAreErrors(_ position: UInt64, _ firstPosition: UInt64) {
        let fixture = small()
        let checkpoint = fixture.checkpoint(position: position, firstPosition: firstPosition)
        let head = BundleItem.head(space: fixture.space, certificates: fixture.certificates, checkpoints: [checkpoint])
        #expect(!verify(Fixture.file([head] + fixture.items)).report.isValid)
    }

    @Test func aForgedInclusionPathIsRefused() {
        let fixture = small()
        func codes(_ change: (inout BundleEntry) -> Void) -> [String] {
            var entry = fixture.item(3)
            change(&entry)
            return errorCodes(Fixture.file([fixture.head] + fixture.items.prefix(2) + [.entry(entry)]))
        }
        #expect(codes { _ in }.isEmpty)
        #expect(codes { $0.inclusionPath[0] = fixture.leaves[0] } == ["not-in-log"])
        #expect(codes { $0.inclusionPath.append(.zero) } == ["not-in-log"])
        #expect(codes { $0.inclusionPath = [] } == ["not-in-log"])
        #expect(codes { $0.entry.cap = $0.entry.cap.successor } == ["not-in-log"])
        #expect(codes { $0.entry.refusals = [Refusal(index: 1, reason: "forbidden")] } == ["not-in-log"])
    }

    @Test func entriesComeInTheOrderOfTheLog() {
        let fixture = small()
        let items = fixture.items
        #expect(errorCodes(Fixture.file([fixture.head, items[0], items[1], items[1]])) == ["bad-position"])
        #expect(errorCodes(Fixture.file([fixture.head, items[1], items[0]])).contains("bad-position"))
        #expect(errorCodes(Fixture.file([fixture.head, .entry(fixture.item(1, tree: 1))])) == ["bad-position"])
    }

    @Test func aStrangersEntryIsAnError() {
        var fixture = Fixture.founded()
        fixture.append([Fixture.put("things/1", "1")], by: fixture.stranger)
        let (report, proven) = verify(fixture.file)
        #expect(report.findings.map(\.code) == ["not-a-member"])
        #expect(proven.allSatisfy { $0.path.isReserved })
        let start = ([fixture.head] + fixture.items.prefix(2)).reduce(0) { $0 + $1.encoded.count }
        #expect(report.findings.first?.offset == start)
    }

    @Test func grantsAreJudgedAtTheirPlace() {
        var fixture = Fixture.founded()
        fixture.append([Fixture.put("things/1", "1"), Fixture.put("other/1", "1")], by: fixture.author)
        fixture.append([fixture.member(fixture.author, writes: "other/*")], by: fixture.pivot)
        fixture.append([Fixture.put("things/2", "1"), Fixture.put("other/2", "1")], by: fixture.author)
        fixture.append([fixture.member(fixture.author, revoked: true)], by: fixture.pivot)
        fixture.append([Fixture.put("other/3", "1")], by: fixture.author)
        fixture.append([Fixture.put("_x/1", "1")], by: fixture.author)
        let (report, proven) = verify(fixture.file)
        #expect(report.findings.map(\.code) == ["forbidden", "forbidden", "not-a-member", "not-a-member"])
        #expect(proven.filter { !$0.path.isReserved }.map(\.path.description) == ["things/1", "other/2"])
    }

    @Test func pathsOutsideTheSpaceAreErrors() {
        var fixture = BundleFixture()
        let settings = Array(#"{"patterns":["things/*"]}"#.utf8)
        fixture.append([("_settings", .assign(value: settings, created: .zero))], by: fixture.pivot)
        fixture.append([Fixture.put("things/1", "1"), Fixture.put("other/1", "1")], by: fixture.pivot)
        #expect(errorCodes(fixture.file) == ["outside-space"])
    }

    @Test func aRefusedOperationIsNotShown() {
        var fixture = Fixture.founded()
        let delta = fixture.seal([Fixture.put("things/1", "1"), Fixture.put("other/1", "2")], by: fixture.author)
        fixture.append(delta, refusals: [Refusal(index: 1, reason: "forbidden")])
        #expect(verify(fixture.file).report.isValid)
        // The whole delta has the same signature and the same leaf of the log.
        var entry = fixture.item(3)
        entry.entry.body = .delta(delta.sealed)
        let file = Fixture.file([fixture.head, .entry(fixture.item(1)), .entry(fixture.item(2)), .entry(entry)])
        #expect(errorCodes(file) == ["refused-shown"])
    }

    @Test func leftOutDeltasAreNamedAndBrokenChainsAreErrors() {
        var fixture = Fixture.founded()
        for number in 1...4 { fixture.append([Fixture.put("things/\(number)", "1")], by: fixture.author) }
        var items = fixture.items
        items.remove(at: 3)
        let (report, proven) = verify(Fixture.file([fixture.head] + items))
        #expect(report.isValid)
        #expect(report.findings.map(\.code) == ["gap"])
        #expect(proven.count == 5)
        // A pivot that put two histories of one replica into its log.
        var forked = Fixture.founded()
        let before = forked
        forked.append([Fixture.put("things/1", "1")], by: forked.author)
        var copy = before
        _ = copy.seal([Fixture.put("things/9", "9")], by: copy.author)
        forked.append(copy.seal([Fixture.put("things/2", "2")], by: copy.author))
        #expect(errorCodes(forked.file) == ["broken-chain"])
        var repeated = Fixture.founded()
        var twin = repeated
        repeated.append([Fixture.put("things/1", "1")], by: repeated.author)
        repeated.append(twin.seal([Fixture.put("things/2", "2")], by: twin.author))
        #expect(errorCodes(repeated.file) == ["repeated-dot"])
    }

    @Test func unplacedDeltasAreShownWithoutAPlace() {
        var fixture = small()
        let mine = fixture.seal([Fixture.put("things/3", "3"), Fixture.put("other/1", "4")], by: fixture.author)
        let foreign = fixture.seal([Fixture.put("things/4", "5")], by: fixture.stranger)
        let items = [fixture.head] + fixture.items + [.unplaced(mine.sealed), .unplaced(foreign.sealed)]
        let (report, proven) = verify(Fixture.file(items))
        #expect(report.isValid)
        #expect(report.unplacedCount == 2)
        #expect(report.findings.map(\.code) == ["forbidden", "not-a-member"])
        #expect(report.findings.allSatisfy { $0.severity == .note })
        #expect(proven.suffix(3).allSatisfy { $0.position == nil })
    }

    @Test func anEarlierWorkingKeyIsProvenByItsCertificate() {
        var fixture = Fixture.founded()
        let later = Fixture.key(5)
        fixture.append([Fixture.put("things/1", "1")], by: fixture.author)
        fixture.pivot = later
        fixture.certify(later, serial: 2)
        fixture.append([Fixture.put("things/2", "1")], by: later)
        #expect(verify(fixture.file).report.isValid)
        fixture.certificates.removeFirst()
        #expect(!verify(fixture.file).report.isValid)
        var swapped = fixture
        swapped.certificates.append(fixture.certificates[0])
        #expect(errorCodes(swapped.file) == ["inconsistent"])
    }

    @Test func entriesOfAnEarlierTreeAreProvenByItsCheckpoint() {
        var fixture = small()
        let old = fixture.checkpoint()
        let oldItems = fixture.items
        fixture.endTree()
        fixture.append([Fixture.put("things/3", "3")], by: fixture.author)
        var later = fixture.item(1, tree: 1)
        later.position = 11
        let present = fixture.checkpoint(position: 11, firstPosition: 11, epoch: 2)
        func codes(_ checkpoints: [SignedPayload], _ items: [BundleItem]) -> [String] {
            errorCodes(
                Fixture.file(
                    [.head(space: fixture.space, certificates: fixture.certificates, checkpoints: checkpoints)] + items))
        }
        #expect(codes([old, present], oldItems + [.entry(later)]).isEmpty)
        #expect(codes([present, old], oldItems + [.entry(later)]) == ["inconsistent"])
        #expect(codes([old, present], [.entry(later)] + oldItems).contains("bad-position"))
        #expect(codes([present], [.entry(later)]).contains("bad-position"))
    }

    @Test func anEndThatCountsWronglyIsRefused() {
        let fixture = small()
        let file = fixture.file
        let end = BundleItem.end(entries: 2, unplaced: 0, hash: .zero).encoded
        #expect(errorCodes(Array(file.dropLast(end.count)) + end) == ["bad-end"])
    }

    @Test(
        arguments: [
            [0x9b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], [0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            [0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], [0x7b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            [0x9f], [0xff], [0xf8], [0x5c], [0xc0], [0xd8, 0x12], [], [0x00], [0x84],
        ] as [[UInt8]])
    func lengthsThatLieAreErrors(_ bytes: [UInt8]) {
        let fixture = small()
        #expect(!verify(bytes).report.isValid)
        #expect(!verify(fixture.head.encoded + bytes).report.isValid)
        #expect(!verify(fixture.head.encoded + bytes + Array(repeating: 0x81, count: 1000)).report.isValid)
    }

    @Test func aSourceThatFailsIsSaid() {
        struct Broken: Error {}
        let file = small().file
        var isFirst = true
        let report = BundleVerifier.verify {
            defer { isFirst = false }
            if isFirst { return Array(file.prefix(file.count - 3)) }
            throw Broken()
        }
        #expect(!report.isValid)
        #expect(report.findings.last?.code == "unreadable")
    }

    @Test func findingsAreBoundedAndCounted() {
        let fixture = small()
        let items = [fixture.head] + Array(repeating: fixture.items[0], count: 1000)
        let (report, _) = verify(Fixture.file(items))
        #expect(report.findings.count == BundleReport.findingLimit)
        #expect(report.errorCount == 999)
    }
}

/// What only a pivot that lies, or one that is broken, puts into its log.
@Suite struct BundleOfALyingPivotTests {
    private func codes(_ build: (inout BundleFixture) -> Void) -> [String] {
        var fixture = Fixture.founded()
        build(&fixture)
        return errorCodes(fixture.file)
    }

    @Test func capsRiseUpToTheCheckpoints() {
        let put = Fixture.put("things/1", "1")
        #expect(codes { $0.append([put], by: $0.author) }.isEmpty)
        #expect(
            codes {
                let cap = $0.cap
                $0.cap = HybridTimestamp(milliseconds: 999_999)
                $0.append([put], by: $0.author)
                $0.greatestStamp = cap
            } == ["bad-cap"])
        #expect(
            codes {
                $0.greatestStamp = $0.cap
                $0.append([put], by: $0.author)
            } == ["bad-cap"])
    }

    @Test func theCapBoundsWhatIsShown() {
        var fixture = Fixture.founded()
        fixture.cap = HybridTimestamp(milliseconds: 10)
        fixture.append(fixture.seal([Fixture.put("things/1", "1")], by: fixture.author))
        fixture.greatestStamp = HybridTimestamp(milliseconds: 1_000_001)
        // Not valid, because this cap does not rise: so nothing is shown either.
        #expect(verify(fixture.file).proven.allSatisfy { $0.path.isReserved })
        var lone = BundleFixture()
        lone.cap = HybridTimestamp(milliseconds: 10)
        lone.append([("_settings", .assign(value: Array("{}".utf8), created: .zero))], by: lone.pivot)
        #expect(verify(lone.file).proven.map(\.stamp) == [HybridTimestamp(milliseconds: 10, counter: 1)])
    }

    @Test func thePresentIsTheLatestKeys() {
        let found = codes {
            // The earlier key goes on signing.
            $0.certify(Fixture.key(5), serial: 2)
        }
        #expect(found == ["bad-signature"])
    }

    @Test(arguments: [[1, 2], [0, 0], [0, 5, 3], [0, UInt64.max]] as [[UInt64]])
    func stampsRiseFromTheHeaders(_ offsets: [UInt64]) {
        let found = codes { fixture in
            let puts = offsets.indices.map { Fixture.put("things/\($0)", "1") }
            fixture.append(fixture.seal(puts, by: fixture.author, offsets: offsets))
        }
        #expect(!found.isEmpty && Set(found) == ["bad-stamp"])
    }

    @Test func observedDotsAreInTheTable() {
        let found = codes { fixture in
            let replica = ReplicaID(author: fixture.pivot.author, incarnation: 7)
            let dots: [Operation.Observed] = [.init(replicaIndex: 0, sequence: 3)]
            let put = Operation.Action.put(value: Array("1".utf8), created: .zero, observed: dots)
            fixture.append(
                fixture.seal(
                    [("things/1", put)], by: fixture.author, observed: [.init(replica: replica, greatestSequence: 2)]))
            fixture.append(fixture.seal([("things/2", put)], by: fixture.author))
        }
        #expect(found == ["bad-observed", "bad-observed"])
    }

    @Test func anotherSpacesDeltaIsRefused() {
        let found = codes { fixture in
            let other = SpaceID(words: fixture.stranger.author.words)
            fixture.append(fixture.seal([Fixture.put("things/1", "1")], by: fixture.author, space: other))
        }
        #expect(found == ["wrong-space"])
    }

    @Test func amongSiblingsTheLeastGrantsHold() {
        let found = codes { fixture in
            // A second life of the pivot that had not seen the first one's record.
            fixture.append(fixture.seal([fixture.member(fixture.author, writes: "other/*")], by: fixture.pivot, incarnation: 8))
            fixture.append([Fixture.put("things/1", "1"), Fixture.put("other/1", "1")], by: fixture.author)
        }
        #expect(found == ["forbidden", "forbidden"])
    }
}
