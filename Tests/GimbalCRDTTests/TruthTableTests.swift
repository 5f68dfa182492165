import Foundation
import GimbalCRDT
import Testing

/// The truth tables of Specs/tables, as data: what they say is what the code does.
struct TruthTableTests {
    static func rows(_ name: String) throws -> [[String]] {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../Specs/tables/\(name).tsv")
        return try String(contentsOf: file, encoding: .utf8).split(separator: "\n").filter { !$0.hasPrefix("#") }
            .map { $0.split(separator: "\t").map(String.init) }
    }

    static func write(_ dot: Dot, stamp: UInt64 = 1, value: String? = "1") -> Write {
        let stamp = HybridTimestamp(milliseconds: stamp)
        return Write(dot: dot, stamp: stamp, created: stamp, operationHash: .zero, value: value.map { Array($0.utf8) })
    }

    /// `a1`: replica a, sequence 1.
    static func dot(_ name: Substring) throws -> Dot {
        let letter = try #require(name.utf8.first)
        let author = try #require(AuthorID([UInt8](repeating: letter, count: 32)))
        return Dot(replica: ReplicaID(author: author, incarnation: 1), sequence: try #require(UInt64(name.dropFirst())))
    }

    @Test("register.tsv")
    func register() throws {
        let path = try #require(Path("settings"))
        let rows = try Self.rows("register")
        #expect(rows.count == 7)
        for row in rows {
            var state = SpaceState()
            var sequence: UInt64 = 0
            func apply(_ text: String) throws {
                let parts = text.split(separator: "@")
                guard parts.count == 2 else { return }
                sequence += 1
                let isValue = parts[0] == "assign" || parts[0] == "value"
                let dot = Dot(replica: try Self.dot("a1").replica, sequence: sequence)
                let stamp = try #require(UInt64(parts[1]))
                state.apply(.write(Self.write(dot, stamp: stamp, value: isValue ? "1" : nil)), to: path)
            }
            try apply(row[0])
            try apply(row[1])
            guard case .register(let register) = state.paths[path] else { Issue.record("no register: \(row)"); continue }
            let shown = (register.value == nil ? "deleted@" : "value@") + "\(register.write.stamp.milliseconds)"
            #expect(shown == row[2], "\(row)")
        }
    }

    @Test("member.tsv")
    func member() throws {
        let path = try #require(Path("things/1"))
        let rows = try Self.rows("member")
        #expect(rows.count == 9)
        for row in rows {
            let before = row[0].components(separatedBy: " covered ")
            var paths: [Path: PathState] = [:]
            let live = try Self.dots(before[0])
            if !live.isEmpty { paths[path] = .member(Member(live: live.map { Self.write($0) })) }
            let words = row[1].split(separator: " ")
            let dot = try Self.dot(words[1])
            let observed = try Self.dots(words[3...].joined(separator: " "))
            var heads: [ReplicaID: Head] = [:]
            for known in live + observed + (before.count > 1 ? try Self.dots(before[1]) : []) {
                heads[known.replica] = Head(sequence: known.sequence, headerHash: .zero)
            }
            var state = SpaceState(versionVector: VersionVector(heads: heads), paths: paths)
            let effect: Effect = words[0] == "put" ? .put(Self.write(dot), observed: observed) : .remove(dot, observed: observed)
            state.apply(effect, to: path)
            let after = (state.paths[path]?.writes ?? []).map(\.dot)
            #expect(after == (try Self.dots(row[2])), "\(row)")
        }
    }

    private static func dots(_ text: String) throws -> [Dot] {
        try text.split(separator: " ").filter { $0 != "–" }.map(dot)
    }
}
