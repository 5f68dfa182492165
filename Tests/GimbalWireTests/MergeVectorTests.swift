import Foundation
import GimbalCRDT
import GimbalReplication
import GimbalSigning
import GimbalWire
import Laws
import Testing

/// Specs/vectors/merges.json: states and joins that another implementation made from the specification alone.
struct MergeVectorTests {
    private struct Vector: Decodable {
        struct StoredWrite: Decodable {
            var path: String
            var dot: [String]
            var effectiveStamp: String
            var created: String
            var operation: String
            var value: String?

            func write() throws -> Write {
                Write(
                    dot: try Vector.dot(dot), stamp: try Vector.stamp(effectiveStamp), created: try Vector.stamp(created),
                    operationHash: try #require(Digest(hex: operation)), value: value.map { Array($0.utf8) })
            }
        }

        struct Members: Decodable {
            var path: String
            var writes: [StoredWrite]

            init(from decoder: any Decoder) throws {
                var container = try decoder.unkeyedContainer()
                path = try container.decode(String.self)
                writes = try container.decode([StoredWrite].self)
            }
        }

        /// A dot, and a text about it.
        struct Named: Decodable {
            var dot: [String]
            var text: String

            init(from decoder: any Decoder) throws {
                var container = try decoder.unkeyedContainer()
                dot = try container.decode([String].self)
                text = try container.decode(String.self)
            }
        }

        var name: String
        var entries: [String]?
        var digests: [String]?
        var left: [String]?
        var right: [String]?
        var registers: [StoredWrite]
        var members: [Members]
        var versionVector: [Named]
        var refused: [Named]
        var digest: String

        static func dot(_ fields: [String]) throws -> Dot {
            let replica = ReplicaID(
                author: try #require(AuthorID(hex: fields[0])), incarnation: try #require(UInt64(fields[1])))
            return Dot(replica: replica, sequence: try #require(UInt64(fields[2])))
        }

        static func stamp(_ text: String) throws -> HybridTimestamp { HybridTimestamp(rawValue: try #require(UInt64(text))) }

        func state() throws -> SpaceState {
            var paths: [Path: PathState] = [:]
            for stored in registers { paths[try #require(Path(stored.path))] = .register(Register(try stored.write())) }
            for stored in members {
                paths[try #require(Path(stored.path))] = .member(Member(live: try stored.writes.map { try $0.write() }))
            }
            var heads: [ReplicaID: Head] = [:]
            for head in versionVector {
                let dot = try Self.dot(head.dot)
                heads[dot.replica] = Head(sequence: dot.sequence, headerHash: try #require(Digest(hex: head.text)))
            }
            let reasons = try refused.map { (try Self.dot($0.dot), $0.text) }
            return SpaceState(
                versionVector: VersionVector(heads: heads), paths: paths,
                refused: Dictionary(uniqueKeysWithValues: reasons))
        }
    }

    private let primitives = SodiumPrimitives()

    @Test("merges, joins and digests are those of the vectors")
    func merges() throws {
        let file = Repository.root.appendingPathComponent("Specs/vectors/merges.json")
        let vectors = try JSONDecoder().decode([Vector].self, from: Data(contentsOf: file))
        #expect(vectors.count { $0.left != nil } >= 12)
        for vector in vectors {
            let state: SpaceState
            if let left = vector.left, let right = vector.right {
                let (one, other) = (try merged(left).state, try merged(right).state)
                state = one.joined(other)
                #expect(other.joined(one) == state, "\(vector.name)")
            } else {
                let (found, digests) = try merged(try #require(vector.entries))
                #expect(digests == vector.digests, "\(vector.name)")
                state = found
            }
            #expect(try state == vector.state(), "\(vector.name)")
            #expect(digest(of: state) == vector.digest, "\(vector.name)")
        }
    }

    /// The state after some log entries, and its digest after each.
    private func merged(_ entries: [String]) throws -> (state: SpaceState, digests: [String]) {
        var state = SpaceState()
        var digests: [String] = []
        for text in entries {
            let entry = try LogEntry(decoding: try #require(Hex.decode(text)))
            guard case .delta(let sealed) = entry.body else { continue }
            let delta = IncomingDelta(try sealed.verified(primitives))
            let reasons = Dictionary(uniqueKeysWithValues: entry.refusals.map { ($0.index, $0.reason) })
            for index in 0..<delta.header.count {
                let hash = delta.verified.headerHash
                if let reason = reasons[index] {
                    state.refuse(delta.header.dot(at: index), reason: reason, headerHash: hash)
                } else {
                    let (path, effect) = try #require(delta.effect(index, cap: entry.cap))
                    state.apply(effect, to: path, headerHash: hash)
                }
            }
            digests.append(digest(of: state))
        }
        return (state, digests)
    }

    private func digest(of state: SpaceState) -> String {
        var digest = StateDigest()
        for (path, kept) in state.paths { digest.replace([], with: kept.writes, on: path, primitives) }
        for (dot, reason) in state.refused { digest.count(refused: dot, reason: reason, .adding, primitives) }
        for (replica, head) in state.versionVector.heads { digest.count(head, of: replica, .adding, primitives) }
        return digest.value(primitives).hex
    }
}
