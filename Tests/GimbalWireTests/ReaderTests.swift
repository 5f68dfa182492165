import GimbalCRDT
import GimbalWire
import Testing

/// What is read part by part: pages, pushes and refusals.
struct ReaderTests {
    private static let checkpoint = BundleFixture.founded().checkpoint()

    private static func read(_ bytes: [UInt8]) throws(WireError) -> (entries: [LogEntry], checkpoint: SignedPayload) {
        var reader = try PageReader(bytes)
        var entries: [LogEntry] = []
        while let entry = try reader.next() { entries.append(entry) }
        return (entries, try reader.checkpoint())
    }

    @Test("a page is its entries and its checkpoint, and nothing more")
    func page() throws {
        let entries = BundleFixture.founded().entries.map(\.entry)
        let bytes = Page.encode(after: 7, entries: entries.map(\.encoded), checkpoint: Self.checkpoint.encoded)
        let (read, checkpoint) = try Self.read(bytes)
        #expect(read == entries && checkpoint == Self.checkpoint)
        #expect(try PageReader(bytes).after == 7)
        for count in bytes.indices {
            let error = #expect(throws: WireError.self) { try Self.read(Array(bytes.prefix(count))) }
            #expect((0...count).contains(error?.offset ?? -1))
        }
        #expect(throws: WireError(.trailingBytes, at: bytes.count)) { try Self.read(bytes + [0]) }
        for after in [Limits.ordinalLimit, .max] {
            let error = #expect(throws: WireError.self) {
                try PageReader(Page.encode(after: after, entries: entries.map(\.encoded), checkpoint: []))
            }
            #expect(error?.code == .tooLarge)
        }
    }

    @Test("a push is its deltas, and nothing more; what is wrong in a header has its place in the whole")
    func push() throws {
        let deltas = BundleFixture.founded().entries.map(\.delta.sealed)
        let bytes = PushRequest(cursor: .start, deltas: deltas).encoded
        func read(_ bytes: [UInt8]) throws(WireError) -> [SealedDelta] {
            var reader = try PushReader(bytes)
            var deltas: [SealedDelta] = []
            while let delta = try reader.next() { deltas.append(delta) }
            return deltas
        }
        #expect(try read(bytes) == deltas)
        #expect(throws: WireError(.trailingBytes, at: bytes.count)) { try read(bytes + [0]) }
        let type = try #require(bytes.indices.last { bytes[$0...].starts(with: "gimbal.delta.1".utf8) })
        var wrong = bytes
        wrong[type] ^= 1
        let error = #expect(throws: WireError.self) { try read(wrong) }
        #expect(error?.code == .unknownType && error?.offset == type - 1)
    }

    @Test("refusals are what they were made of, by element and by bytes")
    func refusals() throws {
        let list = [Refusal(index: 0, reason: ""), Refusal(index: 300, reason: "forbidden"), Refusal(index: 4095, reason: "ü")]
        let entry = LogEntry(body: .receipt(headerHash: .zero), cap: .zero, refusals: list)
        #expect(Array(entry.refusals) == list && entry.refusals.count == 3)
        #expect(try LogEntry(decoding: entry.encoded) == entry)
        let falling = LogEntry(body: .receipt(headerHash: .zero), cap: .zero, refusals: list.reversed())
        let error = #expect(throws: WireError.self) { try LogEntry(decoding: falling.encoded) }
        #expect(error?.code == .inconsistent)
    }
}
