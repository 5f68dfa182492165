import GimbalCRDT
import GimbalWire

/// One thing that a verification found.
public struct BundleFinding: Hashable, Sendable {
    public enum Severity: String, Sendable {
        /// Worth knowing; says nothing against the bundle.
        case note
        /// The bundle does not prove what it says.
        case error
    }

    /// Findings of the bundle's own; where bytes are not what the format says, the code is a `WireError.Code`.
    public enum Code: String, Sendable, CaseIterable {
        /// The source of the bytes failed.
        case unreadable
        /// The end does not fit what comes before it.
        case badEnd = "bad-end"
        /// The position does not rise, or the checkpoint does not reach it.
        case badPosition = "bad-position"
        /// The inclusion path does not lead to the checkpoint's log root.
        case notInLog = "not-in-log"
        /// The cap does not rise, or is beyond the checkpoint's greatest stamp.
        case badCap = "bad-cap"
        /// The delta does not follow on the replica's one before it.
        case brokenChain = "broken-chain"
        /// A sequence of a replica comes a second time.
        case repeatedDot = "repeated-dot"
        /// An operation that the pivot refused is shown.
        case refusedShown = "refused-shown"
        /// The author was no member at this place, as far as the bundle shows. A note for an unplaced delta.
        case notAMember = "not-a-member"
        /// The author had no grant for the path at this place. A note for an unplaced delta.
        case forbidden
        /// The path was not in the space at this place. A note for an unplaced delta.
        case outsideSpace = "outside-space"
        /// Deltas of a replica are left out. A note.
        case gap
    }

    public var severity: Severity
    /// Stable, for machines: a `BundleFinding.Code` or a `WireError.Code`.
    public var code: String
    /// Where in the file, in bytes from its start: the place itself where bytes are malformed, otherwise the item's start.
    public var offset: Int
    public var sentence: String
}

/// One operation that a bundle proves: who wrote it, when, and what.
public struct ProvenOperation: Hashable, Sendable {
    public var path: Path
    public var dot: Dot
    /// The effective stamp: the smaller of the author's and the pivot's cap. For an unplaced one the author's.
    public var stamp: HybridTimestamp
    /// The place in the log; nil for an unplaced one.
    public var position: UInt64?
    /// JSON text; nil for a deletion.
    public var value: [UInt8]?
    /// What it does to its path.
    public var effect: Effect
}

/// What a verification came to.
public struct BundleReport: Hashable, Sendable {
    /// This many notes and this many errors are kept; all are counted.
    public static let findingLimit = 256

    /// In the order of the file.
    public private(set) var findings: [BundleFinding] = []
    public private(set) var errorCount: UInt64 = 0
    public private(set) var noteCount: UInt64 = 0
    public internal(set) var space: SpaceID?
    /// Whose checkpoint it is.
    public internal(set) var pivot: AuthorID?
    public internal(set) var checkpoint: Checkpoint?
    public internal(set) var entryCount: UInt64 = 0
    public internal(set) var unplacedCount: UInt64 = 0
    /// Operations that are shown and proven.
    public internal(set) var operationCount: UInt64 = 0
    public internal(set) var authors: Set<AuthorID> = []
    /// Whether the file was read to an end that fits what comes before it.
    public internal(set) var isComplete = false

    /// Whether everything holds.
    public var isValid: Bool { isComplete && errorCount == 0 }

    mutating func add(_ severity: BundleFinding.Severity, _ code: String, at offset: Int, _ sentence: String) {
        let count = severity == .error ? errorCount : noteCount
        if severity == .error { errorCount += 1 } else { noteCount += 1 }
        guard count < UInt64(Self.findingLimit) else { return }
        findings.append(BundleFinding(severity: severity, code: code, offset: offset, sentence: sentence))
    }
}
