import GimbalCRDT
import GimbalReplication
import GimbalSigning
import GimbalWire
import Glibc

/// Writes of one replica on members of one collection, values of 200 bytes that change, each key about as often as any.
struct Workload {
    let author = SigningKey.generate()
    let space = SpaceID(words: Words32(1, 2, 3, 4))
    let operations: Int
    let batch: Int

    var replica: ReplicaID { ReplicaID(author: author.author, incarnation: 1) }

    static let keys = 100_000

    /// Of a space that has every path.
    static var settings: SpaceSettings {
        var settings = SpaceSettings()
        settings.patterns = [.everything]
        return settings
    }

    func path(_ number: Int) -> Path {
        guard let path = Path("\(Self.prefix)\(number % Self.keys)") else { preconditionFailure("a path") }
        return path
    }

    private static let prefix = "things/key"

    /// Of a path that `path` gave.
    func number(of path: Path) -> Int {
        path.bytes.dropFirst(Self.prefix.utf8.count).reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
    }

    func value(_ number: Int) -> [UInt8] {
        let digits = Array(String(number).utf8)
        return [UInt8(ascii: "\"")] + digits + [UInt8](repeating: UInt8(ascii: "x"), count: 198 - digits.count)
            + [UInt8(ascii: "\"")]
    }

    /// Scattered over the keys, each as often as another.
    func key(_ number: Int) -> Int { Int((UInt64(number) &* 2_654_435_761) % UInt64(Self.keys)) }

    func operation(_ number: Int) -> Operation {
        Operation(
            stampOffset: UInt64(number % batch), path: path(key(number)),
            action: .put(value: value(number), created: .zero, observed: []))
    }

    /// A chain of sealed deltas of this space.
    func deltas(in space: SpaceID) -> [VerifiedDelta] {
        let primitives = SodiumPrimitives()
        var previous = Digest.zero
        return stride(from: 0, to: operations, by: batch).map { first in
            let header = DeltaHeader(
                space: space, replica: replica, firstSequence: UInt64(first + 1), count: batch,
                stamp: HybridTimestamp(milliseconds: 1_700_000_000_000 + UInt64(first)), previous: previous, observed: [],
                root: .zero)
            let encoded = (first..<(first + batch)).map { operation($0).encoded }
            let delta = VerifiedDelta(sealing: encoded, header: header, with: author, primitives)
            previous = delta.headerHash
            return delta
        }
    }
}

/// Processor time.
enum ProcessorTime {
    static func ofThread() -> Double { read(CLOCK_THREAD_CPUTIME_ID) }
    static func ofProcess() -> Double { read(CLOCK_PROCESS_CPUTIME_ID) }

    private static func read(_ clock: clockid_t) -> Double {
        var time = timespec()
        clock_gettime(clock, &time)
        return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
    }
}
