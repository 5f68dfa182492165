import Foundation
import GimbalCRDT
import GimbalReplication
import GimbalSigning
import GimbalWire
import Laws
import Testing

/// Specs/vectors: bytes that another implementation made from the specification alone. What is valid decodes and encodes to
/// the same bytes; what is not is refused with the error that the vector names, or one of those where it leaves a choice.
struct VectorTests {
    struct Vector: Decodable, CustomTestStringConvertible {
        struct Codes: Decodable {
            var codes: [String]

            init(from decoder: any Decoder) throws {
                let container = try decoder.singleValueContainer()
                codes = try (try? container.decode([String].self)) ?? [container.decode(String.self)]
            }
        }

        var name: String
        var valid: Bool
        var hex: String
        var error: Codes?
        var leaf: String?
        var headerHash: String?

        var testDescription: String { name }
    }

    /// What was decoded, encoded again, and the hash that the vector states.
    private typealias Read = (encoded: [UInt8], hash: Digest?)

    private static let space = SpaceID(hex: "5993a6d738100bc75abdc5c794d10abdeb30807c08b59a06647f54301711294b")
    private static let pivot = AuthorID(hex: "a3ddf12a4f52e9d12a0bc0651e20a991bc9fbc5bca45df69fd1bda6ce1bc7f13")
    private let primitives = SodiumPrimitives()

    private func check(_ file: String, _ read: ([UInt8]) throws(WireError) -> Read) throws {
        let url = Repository.root.appendingPathComponent("Specs/vectors/\(file).json")
        let vectors = try JSONDecoder().decode([Vector].self, from: Data(contentsOf: url))
        #expect(vectors.count > 15)
        for vector in vectors {
            let bytes = try #require(Hex.decode(vector.hex))
            do throws(WireError) {
                let (encoded, hash) = try read(bytes)
                #expect(vector.valid, "\(file): \(vector.name) was accepted")
                #expect(encoded == bytes, "\(file): \(vector.name) encodes to other bytes")
                #expect(hash?.hex == vector.leaf ?? vector.headerHash, "\(file): \(vector.name) has another hash")
            } catch {
                #expect(
                    vector.error?.codes.contains(error.code.rawValue) ?? false, "\(file): \(vector.name) gives \(error)")
            }
        }
    }

    @Test func operations() throws {
        try check("operations") { bytes throws(WireError) in
            let operation = try Operation(decoding: bytes, in: bytes.indices)
            return (operation.encoded, MerkleTree.leaf(bytes.span, primitives))
        }
    }

    @Test func headers() throws {
        try check("headers") { bytes throws(WireError) in
            let signed = try SignedPayload(decoding: bytes)
            let header = try DeltaHeader(decoding: signed.payload)
            try signed.verify(by: header.replica.author, with: primitives)
            guard header.space == Self.space else { throw WireError(.wrongSpace) }
            #expect(header.encoded == signed.payload)
            return (signed.encoded, primitives.hash(signed.payload))
        }
    }

    @Test func deltas() throws {
        try check("deltas") { bytes throws(WireError) in
            let delta = try verified(try SealedDelta(decoding: bytes))
            return (delta.verified.sealed.bytes, nil)
        }
    }

    @Test func entries() throws {
        try check("entries") { bytes throws(WireError) in
            let entry = try LogEntry(decoding: bytes)
            if case .delta(let sealed) = entry.body {
                let delta = try verified(sealed)
                let hidden = delta.operations.indices.filter { delta.operations[$0] == nil }
                guard hidden == entry.refusals.map(\.index) else { throw WireError(.inconsistent) }
            }
            return (entry.encoded, entry.leaf(primitives))
        }
    }

    private func verified(_ sealed: SealedDelta) throws(WireError) -> IncomingDelta {
        let delta = IncomingDelta(try sealed.verified(primitives))
        guard delta.header.space == Self.space else { throw WireError(.wrongSpace) }
        if let malformed = delta.malformed.first {
            throw WireError(WireError.Code(rawValue: malformed.reason) ?? .unexpected)
        }
        return delta
    }

    @Test func checkpoints() throws {
        let (space, pivot) = (try #require(Self.space), try #require(Self.pivot))
        try check("checkpoints") { bytes throws(WireError) in
            let signed = try SignedPayload(decoding: bytes)
            let verified = try VerifiedCheckpoint(verifying: signed, by: pivot, of: space, primitives)
            #expect(verified.checkpoint.encoded == signed.payload)
            return (signed.encoded, nil)
        }
    }

    @Test func certificates() throws {
        try check("certificates") { bytes throws(WireError) in
            let signed = try SignedPayload(decoding: bytes)
            let certificate = try Certificate(verifying: signed, primitives)
            guard certificate.space == Self.space else { throw WireError(.wrongSpace) }
            #expect(certificate.encoded == signed.payload)
            return (signed.encoded, nil)
        }
    }
}
