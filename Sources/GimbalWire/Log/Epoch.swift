import GimbalCRDT

/// One life of a pivot's log, opened by the first commit after a start: a rising number and 64 random bits.
public struct Epoch: Hashable, Sendable, CustomStringConvertible {
    public var number: UInt64
    public var random: UInt64

    public init(number: UInt64, random: UInt64) {
        self.number = number
        self.random = random
    }

    public var description: String { "\(number)-\(String(random, radix: 16))" }

    func encode(into writer: inout CBORWriter) {
        writer.unsigned(number)
        writer.unsigned(random)
    }

    init(from reader: inout CBORReader) throws(WireError) {
        number = try reader.ordinal()
        random = try reader.unsigned()
    }
}

/// How far a node has followed a log: the epoch and position of the last entry it applied, and the log root there.
public struct Cursor: Hashable, Sendable, CustomStringConvertible {
    public var epoch: Epoch
    public var position: UInt64
    public var logRoot: Digest

    public init(epoch: Epoch, position: UInt64, logRoot: Digest) {
        self.epoch = epoch
        self.position = position
        self.logRoot = logRoot
    }

    /// Before the first entry of any log.
    public static var start: Cursor { Cursor(epoch: Epoch(number: 0, random: 0), position: 0, logRoot: .zero) }

    public var description: String { "\(epoch)@\(position)" }

    public func encode(into writer: inout CBORWriter) {
        writer.array(count: 4)
        epoch.encode(into: &writer)
        writer.unsigned(position)
        writer.byteString(logRoot)
    }

    public init(from reader: inout CBORReader) throws(WireError) {
        try reader.array(of: 4)
        epoch = try Epoch(from: &reader)
        position = try reader.ordinal()
        logRoot = try reader.fixed(Digest.self)
    }
}
