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

    public var severity: Severity
    /// Stable, for machines.
    public var code: String
    /// In bytes from the start of the file.
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
}

/// What a verification came to.
public struct BundleReport: Hashable, Sendable {
    public internal(set) var findings: [BundleFinding] = []
    public internal(set) var space: SpaceID?
    public internal(set) var pivot: AuthorID?
    public internal(set) var checkpoint: Checkpoint?
    public internal(set) var entryCount: UInt64 = 0
    public internal(set) var unplacedCount: UInt64 = 0
    public internal(set) var operationCount: UInt64 = 0
    public internal(set) var authors: Set<AuthorID> = []

    /// Whether everything holds.
    public var isValid: Bool { !findings.contains { $0.severity == .error } }
}

/// Verifies a bundle with nothing but its bytes: no server, network or data folder. Streams: memory does not grow with the
/// file.
///
/// Proven are: the root's word for the pivot, the pivot's for the checkpoint, each delta's signature and the operations that
/// it shows, each entry's place in the log up to the checkpoint, the membership and grants of each author as of the
/// checkpoint, and that no byte was changed or cut off. Not proven is that nothing was left out.
public struct BundleVerifier {
    private let primitives = SodiumPrimitives()
    private let expectedSpace: SpaceID?
    private var report = BundleReport()
    private var source: BundleSource
    private var members = BundleMembers()
    private var heads: [ReplicaID: Head] = [:]
    private var lastPosition: UInt64 = 0
    private let visit: (ProvenOperation) -> Void

    /// - Parameters:
    ///   - expectedSpace: the space that it has to be of; nil accepts any, and says which.
    ///   - read: the next bytes of the file, nil at its end.
    ///   - visit: called for each operation that is proven, in the order of the file.
    public static func verify(
        expectedSpace: SpaceID? = nil, read: @escaping () throws -> [UInt8]?, visit: @escaping (ProvenOperation) -> Void = { _ in }
    ) -> BundleReport {
        var verifier = BundleVerifier(expectedSpace: expectedSpace, source: BundleSource(read: read), visit: visit)
        verifier.run()
        return verifier.report
    }

    private init(expectedSpace: SpaceID?, source: BundleSource, visit: @escaping (ProvenOperation) -> Void) {
        self.expectedSpace = expectedSpace
        self.source = source
        self.visit = visit
    }

    private mutating func run() {
        do throws(WireError) {
            try head()
            while try item() {}
            try source.expectEnd()
        } catch {
            fail(error.code.rawValue, at: source.itemStart + error.offset, "\(error.detail.isEmpty ? error.code.rawValue : error.detail)")
        }
        if source.isUnreadable { fail("unreadable", at: source.offset, "the file cannot be read to its end") }
    }

    private mutating func fail(_ code: String, at offset: Int, _ sentence: String) {
        report.findings.append(BundleFinding(severity: .error, code: code, offset: offset, sentence: sentence))
    }

    private mutating func note(_ code: String, _ sentence: String) {
        report.findings.append(BundleFinding(severity: .note, code: code, offset: source.offset, sentence: sentence))
    }

    // MARK: Items

    private mutating func head() throws(WireError) {
        let item = try source.next { reader throws(WireError) in try BundleItem.head(from: &reader) }
        guard case .head(let space, let signedCertificate, let signedCheckpoint) = item else { throw WireError(.unexpected) }
        let certificate = try Certificate(verifying: signedCertificate, primitives)
        guard certificate.space == space else { throw WireError(.wrongSpace, at: 0, "the certificate is of space \(certificate.space)") }
        if let expectedSpace, expectedSpace != space { throw WireError(.wrongSpace, at: 0, "the bundle is of space \(space)") }
        let checkpoint = try VerifiedCheckpoint(verifying: signedCheckpoint, by: certificate.pivot, of: space, primitives)
        report.space = space
        report.pivot = certificate.pivot
        report.checkpoint = checkpoint.checkpoint
    }

    /// False after the end item.
    private mutating func item() throws(WireError) -> Bool {
        let hashBefore = source.hashBeforeNext
        switch try source.next({ reader throws(WireError) in try BundleItem(from: &reader) }) {
        case .head: throw WireError(.unexpected)
        case .entry(let position, let entry, let path):
            try check(entry, at: position, path)
            report.entryCount += 1
        case .unplaced(let sealed):
            try check(unplaced: sealed)
            report.unplacedCount += 1
        case .end(let entries, let unplaced, let hash):
            guard entries == report.entryCount, unplaced == report.unplacedCount, hash == hashBefore() else {
                throw WireError(.inconsistent, at: 0, "the end does not fit what comes before it")
            }
            return false
        }
        return true
    }

    private mutating func check(_ entry: LogEntry, at position: UInt64, _ path: [Digest]) throws(WireError) {
        guard let checkpoint = report.checkpoint, case .delta(let sealed) = entry.body else {
            throw WireError(.unexpected, at: 0, "an entry shows its delta")
        }
        guard position > lastPosition, position >= checkpoint.firstPosition, position <= checkpoint.position else {
            throw WireError(.inconsistent, at: 0, "position \(position): rising positions up to the checkpoint's expected")
        }
        lastPosition = position
        let root = MerkleTree.root(
            leaf: entry.leaf(primitives), at: position - checkpoint.firstPosition,
            in: checkpoint.position - checkpoint.firstPosition + 1, path: path, primitives)
        guard root == checkpoint.logRoot else {
            throw WireError(.badRoot, at: 0, "position \(position): the log does not contain this entry")
        }
        let delta = try sealed.verified(primitives)
        try checkChain(delta)
        try show(delta, cap: entry.cap, position: position)
    }

    private mutating func check(unplaced sealed: SealedDelta) throws(WireError) {
        let delta = try sealed.verified(primitives)
        try checkChain(delta)
        try show(delta, cap: .greatest, position: nil)
    }

    private mutating func checkChain(_ delta: VerifiedDelta) throws(WireError) {
        let header = delta.header
        guard header.space == report.space else { throw WireError(.wrongSpace, at: 0, "a delta of space \(header.space)") }
        let head = heads[header.replica] ?? .none
        guard header.firstSequence > head.sequence else {
            throw WireError(.inconsistent, at: 0, "\(header.replica): sequence \(header.firstSequence) comes twice")
        }
        if header.firstSequence == head.sequence + 1 {
            guard header.previous == head.headerHash else {
                throw WireError(.inconsistent, at: 0, "\(header.replica): the chain is broken at \(header.firstSequence)")
            }
        } else {
            note("gap", "\(header.replica): \(head.sequence + 1) to \(header.firstSequence - 1) are not shown")
        }
        heads[header.replica] = Head(sequence: header.lastSequence, headerHash: delta.headerHash)
    }

    private mutating func show(_ delta: VerifiedDelta, cap: HybridTimestamp, position: UInt64?) throws(WireError) {
        let header = delta.header
        let isPivot = header.replica.author == report.pivot
        report.authors.insert(header.replica.author)
        for index in 0..<header.count {
            guard let operation = try delta.operation(index) else { continue }
            guard isPivot || members.mayWrite(header.replica.author, operation.path) else {
                throw WireError(
                    .inconsistent, at: 0, "\(operation.path): \(header.replica.author) was not proven to be a member that may write it")
            }
            let value: [UInt8]?
            switch operation.action {
            case .assign(let bytes, _), .put(let bytes, _, _): value = bytes
            case .clear, .remove: value = nil
            }
            if isPivot { members.learn(operation.path, value) }
            let (raw, overflow) = header.stamp.rawValue.addingReportingOverflow(operation.stampOffset)
            guard !overflow else { throw WireError(.badStamp) }
            report.operationCount += 1
            visit(
                ProvenOperation(
                    path: operation.path, dot: header.dot(at: index), stamp: min(HybridTimestamp(rawValue: raw), cap),
                    position: position, value: value))
        }
    }
}
