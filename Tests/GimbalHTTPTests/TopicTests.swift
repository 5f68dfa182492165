import GimbalCRDT
import GimbalHTTP
import GimbalStore
import GimbalWire
import Laws
import NIOCore
import Testing

/// A client that applies what it is sent has what the topic has, and so has one that comes back with an older version.
struct TopicTests {
    private struct Mirror {
        var version = ""
        var data = JSONValue.null

        mutating func take(_ frame: ByteBuffer) throws {
            let bytes = Array(frame.readableBytesView)
            let lengthByte = try #require(bytes.dropFirst().first) & 0x7f
            let headBytes = lengthByte == 127 ? 10 : lengthByte == 126 ? 4 : 2
            let message = try JSONValue(parsing: Array(bytes.dropFirst(headBytes)))
            let content = try #require(message["data"])
            version = try #require(message["version"]?.string)
            data = message["snapshot"] == .bool(true) ? content : try JSONPatch(content).applied(to: data)
        }
    }

    private var random = SeededRandom(seed: 21)

    private func entry(_ number: UInt64, created: HybridTimestamp, updated: UInt64, _ value: String) throws -> VisibleEntry {
        let replica = ReplicaID(author: AuthorID(words: Words32(1, 2, 3, 4)), incarnation: 5)
        return VisibleEntry(
            path: try #require(Path("things/\(number)")),
            write: Write(
                dot: Dot(replica: replica, sequence: updated), stamp: HybridTimestamp(milliseconds: updated),
                created: created, operationHash: .zero, value: Array(value.utf8)))
    }

    /// Some small, some longer than what is replaced whole.
    private mutating func value(_ step: UInt64) -> String {
        let length = UInt64.random(in: 0..<5, using: &random) == 0 ? 900 : 3
        return "{\"n\":\(step),\"text\":\"\(String(repeating: "x", count: length))\"}"
    }

    private mutating func change(_ present: inout [Path: VisibleEntry], _ step: UInt64) throws -> (Path, VisibleEntry?) {
        let number = UInt64.random(in: 0..<40, using: &random)
        let path = try #require(Path("things/\(number)"))
        switch UInt64.random(in: 0..<6, using: &random) {
        case 0: present[path] = nil
        case 1: break
        case 2, 3:
            let created = present[path]?.write.created ?? HybridTimestamp(milliseconds: step)
            present[path] = try entry(number, created: created, updated: step, value(step))
        default: present[path] = try entry(number, created: HybridTimestamp(milliseconds: step / 3), updated: step, value(step))
        }
        return (path, present[path])
    }

    @Test("patches and snapshots lead every subscriber to the list that stands there")
    mutating func lists() throws {
        var present: [Path: VisibleEntry] = [:]
        for number in 0..<20 as Range<UInt64> {
            let one = try entry(number, created: HybridTimestamp(milliseconds: 1), updated: 1, "1")
            present[one.path] = one
        }
        let name = TopicName.list(try #require(Pattern("things/*")))
        var topic = Topic(name, Array(present.values), version: 1)
        var mirror = Mirror()
        try mirror.take(topic.snapshot())
        var older = [(version: topic.version, mirror: mirror)]
        for step in 2..<300 as Range<UInt64> {
            var changed: [(path: Path, entry: VisibleEntry?)] = []
            for _ in 0...UInt64.random(in: 0..<4, using: &random) { changed.append(try change(&present, step)) }
            // A commit names a path once, as it is after all of it.
            changed = Dictionary(changed.map { ($0.path, present[$0.path]) }, uniquingKeysWith: { $1 }).map { ($0.key, $0.value) }
            guard let frame = topic.update(changed, version: step) else { continue }
            try mirror.take(frame)
            try expect(mirror, shows: present)
            #expect(mirror.version == String(topic.version, radix: 16))
            // One that was away goes on from where it was.
            let place = Int.random(in: 0..<older.count, using: &random)
            if let missed = topic.missed(since: older[place].version) {
                var late = older[place].mirror
                for frame in missed { try late.take(frame) }
                try expect(late, shows: present)
            }
            older.append((topic.version, mirror))
            if older.count > 100 { older.removeFirst() }
        }
    }

    private func place(_ entry: VisibleEntry) -> KeyPlace { KeyPlace(created: entry.created, path: entry.path) }

    private func expect(_ mirror: Mirror, shows present: [Path: VisibleEntry]) throws {
        let wanted = present.values.sorted { place($0) < place($1) }
        let shown = try #require(mirror.data.array)
        #expect(shown.compactMap { $0["path"]?.string } == wanted.map(\.path.description))
        for (item, entry) in zip(shown, wanted) { #expect(try item["data"] == JSONValue(parsing: entry.value)) }
    }
}
