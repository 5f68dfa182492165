import GimbalWire

/// What a file is that is no bundle, told by how it begins: a person took one file for another, and "truncated" says nothing
/// of that.
public enum ForeignFile: Sendable {
    case empty
    case json
    /// Something else.
    case unknown

    public static let code = "not-a-bundle"

    /// So many bytes say what a file is.
    public static let telling = 32

    /// Nil for what begins as a bundle does, a bundle that was cut off soon after its start among it.
    public init?(beginning: some Collection<UInt8>) {
        var writer = CBORWriter()
        writer.array(count: 4)
        writer.text(BundleItem.type)
        let start = writer.bytes
        guard !beginning.isEmpty else {
            self = .empty
            return
        }
        if beginning.prefix(start.count).elementsEqual(start.prefix(beginning.count)) { return nil }
        let text = beginning.drop { [0x20, 0x09, 0x0a, 0x0d].contains($0) }
        self = text.first.map(Self.beginsJSON) == true ? .json : .unknown
    }

    /// A bundle's own first byte begins no JSON text.
    private static func beginsJSON(_ byte: UInt8) -> Bool { "{[\"-0123456789tfn".utf8.contains(byte) }

    public var sentence: String {
        switch self {
        case .empty: "this is no bundle: it is empty"
        case .json:
            "this is no bundle but looks like JSON: values are written with gimbal set or POST, each under its key; a bundle is what gimbal export writes"
        case .unknown: "this is no bundle: it does not begin as what gimbal export writes"
        }
    }
}
