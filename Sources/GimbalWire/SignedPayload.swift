import GimbalCRDT

/// A payload with one signature: COSE_Sign1 (RFC 9052 §4.2), tagged, EdDSA, nothing unprotected, no external data.
///
/// The payload's first field is a type text, so no signature serves for two purposes. Having one says nothing about
/// trust: `verify` does.
public struct SignedPayload: Hashable, Sendable {
    public let payload: [UInt8]
    public let signature: Signature

    public init(payload: [UInt8], signature: Signature) {
        self.payload = payload
        self.signature = signature
    }

    /// Signs a payload.
    public init(signing payload: [UInt8], with signer: any Signer) {
        self.init(payload: payload, signature: signer.sign(Self.signedBytes(payload)))
    }

    /// {1: -8 (EdDSA), 3: 60 (application/cbor)}
    private static let protected: [UInt8] = [0xa2, 0x01, 0x27, 0x03, 0x18, 0x3c]
    private static let tag: UInt64 = 18

    public func verify(by author: AuthorID, with primitives: any Primitives) throws(WireError) {
        guard primitives.verify(signature, of: Self.signedBytes(payload), by: author) else {
            throw WireError(.badSignature, "not signed by \(author)")
        }
    }

    /// RFC 9052 §4.4: the Sig_structure.
    private static func signedBytes(_ payload: [UInt8]) -> [UInt8] {
        var writer = CBORWriter(reserving: payload.count + 32)
        writer.array(count: 4)
        writer.text("Signature1")
        writer.byteString(protected)
        writer.byteString([])
        writer.byteString(payload)
        return writer.bytes
    }

    /// - Returns: where the payload is in the writer's bytes.
    @discardableResult
    public func encode(into writer: inout CBORWriter) -> Range<Int> {
        writer.tag(Self.tag)
        writer.array(count: 4)
        writer.byteString(Self.protected)
        writer.map(count: 0)
        writer.byteString(payload)
        let end = writer.bytes.count
        writer.byteString(signature.bytes)
        return (end - payload.count)..<end
    }

    public var encoded: [UInt8] {
        var writer = CBORWriter(reserving: payload.count + 80)
        encode(into: &writer)
        return writer.bytes
    }

    public init(from reader: inout CBORReader) throws(WireError) {
        let (payload, signature) = try Self.parts(from: &reader)
        self.init(payload: Array(reader.bytes[payload]), signature: signature)
    }

    /// Where the payload is in the reader's bytes, and the signature.
    static func parts(from reader: inout CBORReader) throws(WireError) -> (payload: Range<Int>, signature: Signature) {
        try reader.tag(Self.tag)
        try reader.array(of: 4)
        let start = reader.offset
        let protected = try reader.byteStringRange()
        guard reader.bytes[protected].elementsEqual(Self.protected) else {
            throw WireError(.unexpected, at: start, "protected header {alg: EdDSA, content type: application/cbor} expected")
        }
        try reader.emptyMap()
        let payload = try reader.byteStringRange()
        let signatureStart = reader.offset
        guard let signature = Signature(reader.bytes[try reader.byteStringRange()]) else {
            throw WireError(.unexpected, at: signatureStart, "64 bytes of signature expected")
        }
        return (payload, signature)
    }

    public init(decoding bytes: [UInt8]) throws(WireError) {
        var reader = CBORReader(bytes)
        try self.init(from: &reader)
        try reader.expectEnd()
    }
}
