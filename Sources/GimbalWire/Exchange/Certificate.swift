import GimbalCRDT

/// The root key's word that a working key is the pivot of its space.
public struct Certificate: Hashable, Sendable {
    static let type = "gimbal.certificate.1"

    public var space: SpaceID
    public var pivot: AuthorID
    /// Rises with each certificate of the space; a greater one replaces a smaller one.
    public var serial: UInt64
    /// Unix milliseconds.
    public var issuedMilliseconds: UInt64

    public init(space: SpaceID, pivot: AuthorID, serial: UInt64, issuedMilliseconds: UInt64) {
        self.space = space
        self.pivot = pivot
        self.serial = serial
        self.issuedMilliseconds = issuedMilliseconds
    }

    public var encoded: [UInt8] {
        var writer = CBORWriter(reserving: 128)
        writer.array(count: 5)
        writer.text(Self.type)
        writer.byteString(space)
        writer.byteString(pivot)
        writer.unsigned(serial)
        writer.unsigned(issuedMilliseconds)
        return writer.bytes
    }

    /// The space's id is the root's public key: the certificate needs nothing else to be checked.
    public init(verifying signed: SignedPayload, _ primitives: any Primitives) throws(WireError) {
        var reader = CBORReader(signed.payload)
        try reader.array(of: 5)
        try reader.type(Self.type)
        space = try reader.fixed(SpaceID.self)
        pivot = try reader.fixed(AuthorID.self)
        serial = try reader.ordinal()
        issuedMilliseconds = try reader.ordinal()
        try reader.expectEnd()
        try signed.verify(by: AuthorID(words: space.words), with: primitives)
    }
}
