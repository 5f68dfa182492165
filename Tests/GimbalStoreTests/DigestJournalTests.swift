import GimbalCRDT
import GimbalSigning
import GimbalStorage
import GimbalStore
import GimbalWire
import Laws
import Testing

/// What one write a commit keeps on disk is the digest, whenever the process ends.
struct DigestJournalTests {
    private let primitives = SodiumPrimitives()

    private func write(_ number: UInt64) -> Write {
        let replica = ReplicaID(author: AuthorID(words: Words32(1, 2, 3, 4)), incarnation: 5)
        let stamp = HybridTimestamp(milliseconds: number)
        return Write(dot: Dot(replica: replica, sequence: number), stamp: stamp, created: stamp, operationHash: .zero, value: nil)
    }

    @Test("after every commit the digest is read back as it was, over several rings and a replacement")
    func everyCommit() throws {
        let engine = MemoryEngine()
        var journal = DigestJournal()
        var digest = StateDigest()
        var random = SeededRandom(seed: 3)
        for number in 1...200 as ClosedRange<UInt64> {
            var batch = StorageBatch()
            if number.isMultiple(of: 97) {
                digest = StateDigest()
                digest.replace([], with: [write(number)], on: try path("anew/\(number)"), primitives)
                _ = digest.takeChanged()
                journal = journal.replacing(digest, in: &batch)
            } else {
                for _ in 0...UInt64.random(in: 0..<4, using: &random) {
                    let key = try path("things/\(UInt64.random(in: 0..<50, using: &random))")
                    digest.replace([], with: [write(number)], on: key, primitives)
                }
                journal = journal.adding(digest.takeChanged().map { ($0, digest.bucket($0)) }, of: digest, to: &batch)
            }
            try engine.commit(batch)
            let (loaded, restored) = try DigestJournal.load(engine)
            #expect(loaded.count == journal.count && restored.allBytes == digest.allBytes, "commit \(number)")
        }
    }

    @Test("a record that is missing from the ring is noticed")
    func gap() throws {
        let engine = MemoryEngine()
        var journal = DigestJournal()
        var digest = StateDigest()
        for number in 1...5 as ClosedRange<UInt64> {
            var batch = StorageBatch()
            digest.replace([], with: [write(number)], on: try path("things/\(number)"), primitives)
            let next = journal.adding(digest.takeChanged().map { ($0, digest.bucket($0)) }, of: digest, to: &batch)
            // The third commit is lost, and those around it are not.
            if number != 3 { try engine.commit(batch) }
            journal = next
        }
        #expect(throws: StoreError.self) { try DigestJournal.load(engine) }
    }
}
