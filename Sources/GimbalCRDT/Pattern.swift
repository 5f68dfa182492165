/// A set of paths: a path in which `*` may stand for exactly one whole segment and a final `**` for one or more.
///
/// Patterns never match a space's own records.
public struct Pattern: Hashable, Sendable, CustomStringConvertible {
    private enum Segment: Hashable, Sendable {
        case exactly([UInt8])
        case any
        case anyDepth
    }

    private let segments: [Segment]
    public let description: String

    /// Nil for anything that is not a pattern.
    public init?(_ text: some StringProtocol) {
        let parts = Array(text.utf8).split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map { Array($0) }
        guard text.utf8.count <= Path.maximumBytes else { return nil }
        var segments: [Segment] = []
        for (index, part) in parts.enumerated() {
            switch part {
            case Array("*".utf8): segments.append(.any)
            case Array("**".utf8):
                guard index == parts.count - 1 else { return nil }
                segments.append(.anyDepth)
            default:
                guard let path = Path(part), !path.isReserved else { return nil }
                segments.append(.exactly(part))
            }
        }
        self.segments = segments
        self.description = String(text)
    }

    /// The pattern that matches just this path.
    public init(_ path: Path) {
        segments = path.segments.map { .exactly(Array($0)) }
        description = path.description
    }

    /// Whether it can match more than one path.
    public var isGlob: Bool { segments.contains { $0 == .any || $0 == .anyDepth } }

    /// `base/*`, the collection that is the parent of its members: the base's bytes, with the `/`.
    public var collectionPrefix: [UInt8]? {
        guard segments.last == .any, !segments.dropLast().contains(.any) else { return nil }
        return fixedPrefix
    }

    /// What every path that it matches begins with, `/` included where a wildcard follows one.
    public var fixedPrefix: [UInt8] {
        var prefix: [UInt8] = []
        for (index, segment) in segments.enumerated() {
            guard case .exactly(let bytes) = segment else { return prefix }
            prefix += bytes
            if index < segments.count - 1 { prefix.append(UInt8(ascii: "/")) }
        }
        return prefix
    }

    /// Allocates nothing: every read and every write asks.
    public func matches(_ path: Path) -> Bool {
        guard !path.isReserved else { return false }
        let bytes = path.bytes
        let slash = UInt8(ascii: "/")
        var start = 0
        for segment in segments {
            guard start < bytes.count else { return false }
            let end: Int
            switch segment {
            case .anyDepth: return true
            case .any: end = bytes[start...].firstIndex(of: slash) ?? bytes.count
            case .exactly(let part):
                end = start + part.count
                guard end <= bytes.count, bytes[start..<end].elementsEqual(part), end == bytes.count || bytes[end] == slash
                else { return false }
            }
            start = end + 1
        }
        // Behind the last segment is no slash.
        return start > bytes.count
    }

    /// Whether some path matches both.
    public func overlaps(_ other: Pattern) -> Bool {
        var left = segments[...]
        var right = other.segments[...]
        while let first = left.popFirst(), let second = right.popFirst() {
            if first == .anyDepth || second == .anyDepth { return true }
            if case .exactly(let one) = first, case .exactly(let two) = second, one != two { return false }
            if left.isEmpty != right.isEmpty { return false }
        }
        return true
    }

    /// Whether every path that `other` matches is matched by this one too.
    public func covers(_ other: Pattern) -> Bool {
        var theirs = other.segments[...]
        for segment in segments {
            guard let their = theirs.popFirst() else { return false }
            switch segment {
            case .anyDepth: return true
            case .any: if their == .anyDepth { return false }
            case .exactly: if their != segment { return false }
            }
        }
        return theirs.isEmpty
    }
}
