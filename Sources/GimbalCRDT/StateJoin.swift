/// What becomes of two states of one space that went apart (a refill): path by path, so that neither has to be in memory.
///
/// Commutative and idempotent; associative for members always, and for registers where both sides order one dot by one stamp
/// (docs/decisions/0002-what-a-register-join-keeps.md). Nothing that one side replaced or removed on purpose comes back.
///
/// A dot is in one of four conditions, and a join moves it to the greater one: not seen, refused, live, gone.
///
/// - Precondition: a dot that both sides have seen names the same operation. Where headers clash, the pivot keeps its own and
///   those of the other side never come here.
public struct StateJoin: Sendable {
    /// What one side has seen.
    public struct Side: Sendable {
        public let versionVector: VersionVector
        /// Covered without effect, with the reason.
        public let refused: [Dot: String]

        public init(versionVector: VersionVector, refused: [Dot: String]) {
            self.versionVector = versionVector
            self.refused = refused
        }

        /// Whether the side took the operation in: if it is not live there, something took its place.
        public func accepted(_ dot: Dot) -> Bool { versionVector.covers(dot) && refused[dot] == nil }
    }

    public let left: Side
    public let right: Side

    public init(_ left: Side, _ right: Side) {
        self.left = left
        self.right = right
    }

    /// The pointwise maximum.
    public var versionVector: VersionVector {
        var joined = left.versionVector
        joined.merge(right.versionVector)
        return joined
    }

    /// Refused on both sides, or on one that is the only one to have seen it: what a side accepted, or an accepted operation
    /// observed, is only covered. Of two reasons the smaller one stays.
    public var refused: [Dot: String] {
        var joined: [Dot: String] = [:]
        for (dot, reason) in left.refused where !right.accepted(dot) {
            joined[dot] = min(reason, right.refused[dot] ?? reason)
        }
        for (dot, reason) in right.refused where left.refused[dot] == nil && !left.accepted(dot) { joined[dot] = reason }
        return joined
    }

    /// One path of the joined state; nil when nothing is left to keep.
    ///
    /// - Precondition: both states are of one path, so of one type.
    public func state(_ left: PathState?, _ right: PathState?) -> PathState? {
        switch (left, right) {
        case (.register(let one), .register(let other)):
            return .register(one.joined(other, isReplacedHere: self.left.accepted, isReplacedThere: self.right.accepted))
        case (.register(let only), nil):
            return self.right.accepted(only.write.dot) ? nil : left
        case (nil, .register(let only)):
            return self.left.accepted(only.write.dot) ? nil : right
        case (.member(let one), .member(let other)): return member(one, other)
        case (.member(let only), nil): return member(only, Member())
        case (nil, .member(let only)): return member(Member(), only)
        case (nil, nil): return nil
        case (.register, .member), (.member, .register):
            preconditionFailure("the type is a function of the path")
        }
    }

    private func member(_ one: Member, _ other: Member) -> PathState? {
        let joined = one.joined(other, isGoneHere: left.accepted, isGoneThere: right.accepted)
        return joined.isPresent ? .member(joined) : nil
    }
}
