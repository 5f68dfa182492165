import GimbalCRDT
import GimbalWire

/// Verifies a bundle with nothing but its bytes: no server, network or data folder. Streams, on all cores: what it holds
/// grows with the numbers of replicas and members, not with the file.
///
/// Proven are: the root's word for the pivot, the pivot's for the checkpoint, each delta's signature and the operations that
/// it shows, each entry's place in the log up to the checkpoint, the membership and grants of each author at that place, and
/// that no byte was changed or cut off. Not proven is that nothing was left out: neither that a value shown is the latest,
/// nor that a grant was not taken back before.
public struct BundleVerifier {
    private let primitives = SodiumPrimitives()
    private let expectedSpace: SpaceID?
    private let visit: (ProvenOperation) -> Void
    private let visitDelta: (VerifiedDelta) -> Void
    private var report = BundleReport()
    private var items: PreparedItems
    /// Of the items before the end.
    private let hash = RunningHash()
    private var records = BundleRecords()
    /// Working keys that the root certified.
    private var pivots: Set<AuthorID> = []
    /// Of the log's trees; the last is the present.
    private var checkpoints: [Checkpoint] = []
    private var heads: [ReplicaID: Head] = [:]
    private var tree = 0
    private var lastPosition: UInt64 = 0
    private var lastCap = HybridTimestamp.zero
    /// Where the item that is looked at begins.
    private var itemStart = 0

    /// An item that does not hold, with what was found. The items after it are looked at all the same.
    private struct Flaw: Error {
        var code: String
        var sentence: String

        init(_ code: BundleFinding.Code, _ sentence: String) {
            self.code = code.rawValue
            self.sentence = sentence
        }

        init(_ error: WireError) {
            code = error.code.rawValue
            sentence = error.detail.isEmpty ? error.code.rawValue : error.detail
        }
    }

    /// - Parameters:
    ///   - expectedSpace: the space that it has to be of; nil accepts any, and says which.
    ///   - read: the next bytes of the file; nil or nothing at its end.
    ///   - visitDelta: called for each delta that is proven, in the order of the file. Only a valid report says that the file
    ///     was not cut or changed elsewhere.
    ///   - visit: the same for each operation that is shown.
    public static func verify(
        expectedSpace: SpaceID? = nil, read: @escaping () throws -> [UInt8]?,
        visitDelta: @escaping (VerifiedDelta) -> Void = { _ in }, visit: @escaping (ProvenOperation) -> Void = { _ in }
    ) -> BundleReport {
        let items = PreparedItems(BundleSource(read: read))
        var verifier = BundleVerifier(expectedSpace: expectedSpace, items: items, visitDelta: visitDelta, visit: visit)
        verifier.run()
        return verifier.report
    }

    private init(
        expectedSpace: SpaceID?, items: PreparedItems, visitDelta: @escaping (VerifiedDelta) -> Void,
        visit: @escaping (ProvenOperation) -> Void
    ) {
        self.expectedSpace = expectedSpace
        self.items = items
        self.visitDelta = visitDelta
        self.visit = visit
    }

    private mutating func run() {
        do throws(WireError) {
            let head = try items.head().get()
            hash.update(head.bytes)
            try self.head(try head.item.get())
            while try take(nextItem()) {}
            guard items.isExhausted() else { throw WireError(.trailingBytes, at: items.offset - itemStart) }
            report.isComplete = true
        } catch {
            // Without its head, or after bytes that do not decode, nothing more can be told.
            let flaw = Flaw(error)
            report.add(.error, flaw.code, at: itemStart + error.offset, flaw.sentence)
        }
        if items.isUnreadable {
            report.isComplete = false
            report.add(.error, BundleFinding.Code.unreadable.rawValue, at: items.offset, "the file cannot be read to its end")
        }
    }

    /// The end item itself is not under the hash that it carries.
    private mutating func nextItem() throws(WireError) -> PreparedItem {
        let (next, start) = items.take(checkpoints)
        itemStart = start
        let prepared = try next.get()
        if case .end = try prepared.item.get() {} else { hash.update(prepared.bytes) }
        return prepared
    }

    // MARK: Items

    private mutating func head(_ item: BundleItem) throws(WireError) {
        guard case .head(let space, let signedCertificates, let signedCheckpoints) = item else { throw WireError(.unexpected) }
        report.space = space
        if let expectedSpace, expectedSpace != space { throw WireError(.wrongSpace, at: 0, "the bundle is of space \(space)") }
        var certificates: [Certificate] = []
        for signed in signedCertificates {
            let certificate = try Certificate(verifying: signed, primitives)
            guard certificate.space == space else {
                throw WireError(.wrongSpace, at: 0, "a certificate of space \(certificate.space)")
            }
            guard certificates.last.map({ $0.serial < certificate.serial }) ?? true else {
                throw WireError(.inconsistent, at: 0, "certificates with rising serials expected")
            }
            certificates.append(certificate)
        }
        pivots = Set(certificates.map(\.pivot))
        for (index, signed) in signedCheckpoints.enumerated() {
            let isPresent = index == signedCheckpoints.count - 1
            let signers = isPresent ? certificates.suffix(1) : certificates[...]
            let checkpoint = try verified(signed, byOneOf: signers.map(\.pivot), of: space)
            guard checkpoint.firstPosition > 0, checkpoint.firstPosition <= checkpoint.position else {
                throw WireError(.inconsistent, at: 0, "the checkpoint of an empty log proves nothing")
            }
            guard checkpoints.last.map({ $0.epoch.number < checkpoint.epoch.number }) ?? true else {
                throw WireError(.inconsistent, at: 0, "checkpoints with rising epochs expected")
            }
            checkpoints.append(checkpoint)
        }
        report.pivot = certificates.last?.pivot
        report.checkpoint = checkpoints.last
    }

    private func verified(
        _ signed: SignedPayload, byOneOf pivots: [AuthorID], of space: SpaceID
    ) throws(WireError) -> Checkpoint {
        var failure = WireError(.badSignature, at: 0, "a checkpoint that no certified pivot signed")
        for pivot in pivots {
            do throws(WireError) {
                return try VerifiedCheckpoint(verifying: signed, by: pivot, of: space, primitives).checkpoint
            } catch {
                if error.code != .badSignature { failure = error }
            }
        }
        throw failure
    }

    /// False after the end item.
    private mutating func take(_ prepared: PreparedItem) throws(WireError) -> Bool {
        let item = try prepared.item.get()
        do throws(Flaw) {
            switch item {
            case .head: throw Flaw(WireError(.unexpected))
            case .entry(let entry):
                report.entryCount += 1
                try check(entry, prepared)
            case .unplaced:
                report.unplacedCount += 1
                show(try verified(prepared), cap: .greatest, position: nil)
            case .end(let entries, let unplaced, let hash):
                guard entries == report.entryCount, unplaced == report.unplacedCount else {
                    throw Flaw(.badEnd, "\(entries) entries and \(unplaced) unplaced deltas expected")
                }
                guard hash == self.hash.value() else { throw Flaw(.badEnd, "the bytes before are not those that were hashed") }
            }
        } catch {
            report.add(.error, error.code, at: itemStart, error.sentence)
        }
        if case .end = item { return false }
        return true
    }

    private mutating func check(_ item: BundleEntry, _ prepared: PreparedItem) throws(Flaw) {
        let (position, entry) = (item.position, item.entry)
        guard case .delta = entry.body else {
            throw Flaw(WireError(.unexpected, at: 0, "position \(position): an entry of a bundle shows its delta"))
        }
        let checkpoint = try take(position, in: item.tree)
        guard prepared.root == checkpoint.logRoot else {
            throw Flaw(.notInLog, "position \(position): the log does not contain this")
        }
        guard entry.cap > lastCap, entry.cap <= checkpoint.greatestStamp else {
            throw Flaw(.badCap, "position \(position): a cap that does not rise, or is beyond the checkpoint's")
        }
        lastCap = entry.cap
        let delta = try verified(prepared)
        for refusal in entry.refusals {
            guard refusal.index < delta.header.count, !delta.isShown(refusal.index) else {
                throw Flaw(.refusedShown, "position \(position): operation \(refusal.index) was refused and is shown")
            }
        }
        show(delta, cap: entry.cap, position: position)
    }

    /// Moves on to a later position, of the same tree or the first one of a later tree.
    private mutating func take(_ position: UInt64, in tree: Int) throws(Flaw) -> Checkpoint {
        guard tree >= self.tree, checkpoints.indices.contains(tree) else {
            throw Flaw(.badPosition, "position \(position) of tree \(tree): rising trees that the head has expected")
        }
        if tree > self.tree {
            self.tree = tree
            lastPosition = 0
            lastCap = .zero
        }
        let checkpoint = checkpoints[tree]
        guard position > lastPosition, position >= checkpoint.firstPosition, position <= checkpoint.position else {
            throw Flaw(.badPosition, "position \(position): rising positions up to the checkpoint's expected")
        }
        lastPosition = position
        return checkpoint
    }

    /// Signature, operations, space, and its place in the replica's chain.
    private mutating func verified(_ prepared: PreparedItem) throws(Flaw) -> VerifiedDelta {
        let delta: VerifiedDelta
        guard let checked = prepared.delta else { throw Flaw(WireError(.unexpected)) }
        do throws(WireError) { delta = try checked.get() } catch { throw Flaw(error) }
        let header = delta.header
        guard header.space == report.space else { throw Flaw(WireError(.wrongSpace, at: 0, "a delta of space \(header.space)")) }
        let head = heads[header.replica] ?? .none
        guard header.firstSequence > head.sequence else {
            throw Flaw(.repeatedDot, "\(header.replica): sequence \(header.firstSequence) comes twice")
        }
        heads[header.replica] = Head(sequence: header.lastSequence, headerHash: delta.headerHash)
        if header.firstSequence > head.sequence + 1 {
            report.add(
                .note, BundleFinding.Code.gap.rawValue, at: itemStart,
                "\(header.replica): \(head.sequence + 1) to \(header.firstSequence - 1) are not shown")
        } else if header.previous != head.headerHash {
            throw Flaw(.brokenChain, "\(header.replica): \(header.firstSequence) does not follow on \(head.sequence)")
        }
        return delta
    }

    // MARK: Operations

    /// Checks what a delta shows and passes on each operation that holds.
    private mutating func show(_ delta: VerifiedDelta, cap: HybridTimestamp, position: UInt64?) {
        let header = delta.header
        visitDelta(delta)
        report.authors.insert(header.replica.author)
        var previousOffset: UInt64?
        for index in 0..<header.count {
            do throws(Flaw) {
                guard let operation = try operation(index, of: delta, after: previousOffset) else { continue }
                previousOffset = operation.stampOffset
                try show(operation, index, of: delta, cap: cap, position: position)
            } catch {
                report.add(.error, error.code, at: itemStart, error.sentence)
            }
        }
    }

    private mutating func show(
        _ operation: Operation, _ index: Int, of delta: VerifiedDelta, cap: HybridTimestamp, position: UInt64?
    ) throws(Flaw) {
        let header = delta.header
        let author = header.replica.author
        let dot = header.dot(at: index)
        let isOfPivot = pivots.contains(author)
        if let code = objection(to: operation.path, by: author, isOfPivot) {
            let sentence = "\(dot): \(author) at \(operation.path)"
            guard position == nil else { throw Flaw(code, sentence) }
            // What an outbox holds is for a pivot to judge: nobody says that one took it.
            report.add(.note, code.rawValue, at: itemStart, sentence)
        }
        let stamp = min(HybridTimestamp(rawValue: header.stamp.rawValue + operation.stampOffset), cap)
        let effect = operation.effect(dot: dot, stamp: stamp, hash: delta.operationHash(index) ?? .zero, header: header)
        if isOfPivot, position != nil { records.apply(effect, to: operation.path) }
        report.operationCount += 1
        visit(
            ProvenOperation(
                path: operation.path, dot: dot, stamp: stamp, position: position, value: operation.value, effect: effect))
    }

    private func objection(to path: Path, by author: AuthorID, _ isOfPivot: Bool) -> BundleFinding.Code? {
        guard isOfPivot else { return records.objection(to: path, by: author) }
        return path.isReserved ? nil : records.objection(to: path)
    }

    /// A shown operation, with what the pivot had to check before it took it; nil for a hidden one.
    private func operation(_ index: Int, of delta: VerifiedDelta, after previous: UInt64?) throws(Flaw) -> Operation? {
        let header = delta.header
        do throws(WireError) {
            guard let operation = try delta.operation(index) else { return nil }
            let (raw, overflow) = header.stamp.rawValue.addingReportingOverflow(operation.stampOffset)
            guard !overflow, HybridTimestamp(rawValue: raw).isWellFormed, (index == 0) == (operation.stampOffset == 0),
                previous.map({ $0 < operation.stampOffset }) ?? true
            else { throw WireError(.badStamp, at: 0, "stamps rise from the header's") }
            for observed in operation.observed where header.dot(of: observed) == nil {
                throw WireError(.badObserved, at: 0, "observes a dot that the header does not name")
            }
            return operation
        } catch {
            var flaw = Flaw(error)
            flaw.sentence = "\(header.dot(at: index)): \(flaw.sentence)"
            throw flaw
        }
    }
}
