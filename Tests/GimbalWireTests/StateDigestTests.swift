import GimbalCRDT
import GimbalSigning
import GimbalWire
import Testing

/// The digest is kept up to date item by item: whatever was asked of it before, it is what it would be if all were counted anew.
struct StateDigestTests {
    private let primitives = SodiumPrimitives()
    private let replica = ReplicaID(author: AuthorID(words: Words32(1, 2, 3, 4)), incarnation: 5)

    private func write(_ number: Int, _ sequence: Int) -> (path: Path, write: Write) {
        guard let path = Path("things/\(number)") else { preconditionFailure("a path") }
        let stamp = HybridTimestamp(milliseconds: UInt64(sequence))
        let dot = Dot(replica: replica, sequence: UInt64(sequence))
        return (path, Write(dot: dot, stamp: stamp, created: stamp, operationHash: .zero, value: nil))
    }

    private func anew(_ writes: [Int: Int]) -> Digest {
        var digest = StateDigest()
        for (number, sequence) in writes {
            let (path, write) = write(number, sequence)
            digest.replace([], with: [write], on: path, primitives)
        }
        return digest.value(primitives)
    }

    @Test("after every change the value is that of what is counted")
    func changes() {
        var digest = StateDigest()
        var writes: [Int: Int] = [:]
        var value = digest.value(primitives)
        #expect(value == anew(writes))
        for sequence in 1...300 {
            let number = sequence * 31 % 83
            let before = writes[number].map { write(number, $0).write }
            let (path, after) = write(number, sequence)
            let isRemoved = sequence.isMultiple(of: 5)
            digest.replace(before.map { [$0] } ?? [], with: isRemoved ? [] : [after], on: path, primitives)
            writes[number] = isRemoved ? nil : sequence
            value = digest.value(primitives)
            #expect(value == anew(writes), "after \(sequence) changes")
        }
    }

    @Test("a digest that was put together of parts, or read back, has the same value")
    func parts() {
        var (left, right, read) = (StateDigest(), StateDigest(), StateDigest())
        var writes: [Int: Int] = [:]
        for number in 0..<200 {
            let (path, one) = write(number, number + 1)
            writes[number] = number + 1
            if number < 120 {
                left.replace([], with: [one], on: path, primitives)
            } else {
                right.replace([], with: [one], on: path, primitives)
            }
        }
        let values = [left.value(primitives), right.value(primitives), read.value(primitives)]
        #expect(Set(values).count == 3)
        left.add(right)
        for bucket in left.takeChanged() {
            let isRead = read.restoreBucket(bucket, from: left.bucket(bucket))
            #expect(isRead)
        }
        let isRead = right.restoreAll(from: left.allBytes)
        #expect(isRead)
        for var digest in [left, right, read] {
            let value = digest.value(primitives)
            #expect(value == anew(writes))
        }
    }
}
