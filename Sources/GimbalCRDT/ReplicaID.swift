/// Who owns one sequence of dots: an author, and which of its lives (incarnations) it is.
///
/// Orders as author bytes, then incarnation: the order that ties are broken with.
public struct ReplicaID: Hashable, Comparable, Sendable, CustomStringConvertible {
    public var author: AuthorID
    /// 64 random bits, drawn anew whenever the author may have lost track of its dots.
    public var incarnation: UInt64

    @inlinable
    public init(author: AuthorID, incarnation: UInt64) {
        self.author = author
        self.incarnation = incarnation
    }

    @inlinable
    public static func < (left: Self, right: Self) -> Bool {
        if left.author.words != right.author.words { return left.author.words < right.author.words }
        return left.incarnation < right.incarnation
    }

    public var description: String {
        "\(author.hex.prefix(8))/\(String(incarnation, radix: 16))"
    }
}

/// The name of one operation. Once it left its server sealed it never names anything else.
public struct Dot: Hashable, Comparable, Sendable, CustomStringConvertible {
    public var replica: ReplicaID
    /// From 1.
    public var sequence: UInt64

    @inlinable
    public init(replica: ReplicaID, sequence: UInt64) {
        self.replica = replica
        self.sequence = sequence
    }

    @inlinable
    public static func < (left: Self, right: Self) -> Bool {
        if left.replica != right.replica { return left.replica < right.replica }
        return left.sequence < right.sequence
    }

    public var description: String { "\(replica)#\(sequence)" }
}
