import GimbalCRDT
import GimbalReplication
import GimbalStorage
import GimbalWire

/// Why a space's stored data could not be read or is not this program's.
public enum StoreError: Error, Equatable, Sendable, CustomStringConvertible {
    case storage(StorageError)
    /// A record does not decode: the files are damaged, or another program wrote them.
    case damaged(record: String, WireError)
    /// Written by a newer version of the stored format.
    case newerFormat(found: UInt64, known: UInt64)
    /// The folder holds another space than was asked for.
    case anotherSpace(found: SpaceID, expected: SpaceID)

    public var code: String {
        switch self {
        case .storage(let error): error.code
        case .damaged: "store-damaged"
        case .newerFormat: "store-newer-format"
        case .anotherSpace: "store-another-space"
        }
    }

    public var description: String {
        switch self {
        case .storage(let error): error.description
        case .damaged(let record, let error): "the stored \(record) is damaged: \(error)"
        case .newerFormat(let found, let known):
            "the data was written in format \(found), this program knows up to \(known): use a newer Gimbal"
        case .anotherSpace(let found, let expected): "the folder holds space \(found), not \(expected)"
        }
    }
}

/// Reads back what `CommitRecord` wrote.
struct SpaceLoader {
    static let formatVersion: UInt64 = 1

    let view: any StorageView

    /// Checks format and space of an existing store, or marks a new one.
    static func prepare(_ engine: any StorageEngine, for space: SpaceID) throws(StoreError) {
        let stored = try storing { () throws(StorageError) in
            try engine.load([RecordKey.format, RecordKey.space], from: .metadata)
        }
        guard let format = stored[0] else {
            var batch = StorageBatch()
            batch.put(RecordKey.number(formatVersion), at: RecordKey.format, in: .metadata)
            batch.put(space.bytes, at: RecordKey.space, in: .metadata)
            return try storing { () throws(StorageError) in try engine.commit(batch) }
        }
        let found = RecordKey.number(from: format)
        guard found <= formatVersion else { throw .newerFormat(found: found, known: formatVersion) }
        guard let foundSpace = stored[1].flatMap({ SpaceID($0) }) else {
            throw .damaged(record: "space id", WireError(.truncated))
        }
        guard foundSpace == space else { throw .anotherSpace(found: foundSpace, expected: space) }
    }

    /// Which space a store is of; nil in a new one.
    static func space(of engine: any StorageEngine) throws(StoreError) -> SpaceID? {
        let stored = try storing { () throws(StorageError) in try engine.load([RecordKey.space], from: .metadata)[0] }
        guard let stored else { return nil }
        guard let space = SpaceID(stored) else { throw .damaged(record: "space id", WireError(.truncated)) }
        return space
    }

    /// Which space a node's store is of; nil when nothing ever came into it from the pivot or from a client.
    static func survey(_ engine: any StorageEngine) throws(StoreError) -> SpaceID? {
        guard let space = try space(of: engine) else { return nil }
        let loader = SpaceLoader(view: engine)
        let record = try loader.nodeRecord()
        let (_, _, frontier) = try loader.frontier()
        let letters = try loader.deadLetters()
        let isBlank = frontier.count == 0 && (record?.nextSequence ?? 1) == 1 && record?.isReady != true && letters.isEmpty
        return isBlank ? nil : space
    }

    func base(_ space: SpaceID) throws(StoreError) -> (SpaceBase, DigestJournal) {
        let (journal, digest) = try DigestJournal.load(view)
        var refused: [Dot: String] = [:]
        try scan([], in: .refused, "refused dots") { key, value throws(WireError) in
            refused[try Self.dot(key)] = String(decoding: value, as: UTF8.self)
        }
        let (firstPosition, greatestStamp, frontier) = try frontier()
        let base = SpaceBase(
            space: space, versionVector: try versionVector(), refused: refused, digest: digest, frontier: frontier,
            firstPosition: firstPosition, greatestStamp: greatestStamp, records: try records())
        return (base, journal)
    }

    /// The dot in a key.
    static func dot(_ key: [UInt8]) throws(WireError) -> Dot {
        guard let replica = RecordKey.replica(from: key.prefix(40)), key.count == 48 else { throw WireError(.truncated) }
        return Dot(replica: replica, sequence: try RecordKey.ordinal(from: key))
    }

    /// The last link of each replica's chain is its head.
    func versionVector() throws(StoreError) -> VersionVector {
        var heads: [ReplicaID: Head] = [:]
        var upper = [UInt8](repeating: 0xff, count: 49)
        while let (key, value) = try storing({ () throws(StorageError) in try view.last(.chain, below: upper) }) {
            guard let replica = RecordKey.replica(from: key.prefix(40)), key.count == 48 else {
                throw .damaged(record: "chain", WireError(.truncated))
            }
            heads[replica] = try decoding("chain of \(replica)") { () throws(WireError) in
                Head(sequence: try RecordKey.ordinal(from: key), headerHash: try CommitRecord.decodeLink(value).headerHash)
            }
            upper = RecordKey.replica(replica)
        }
        return VersionVector(heads: heads)
    }

    /// The last link of one replica's chain.
    func head(of replica: ReplicaID) throws(StoreError) -> Head {
        let last = try storing { () throws(StorageError) in
            try view.last(.chain, below: RecordKey.replica(replica) + [UInt8](repeating: 0xff, count: 9))
        }
        guard let (key, value) = last, RecordKey.replica(from: key.prefix(40)) == replica else { return .none }
        let link = try decoding("chain of \(replica)") { () throws(WireError) in try CommitRecord.decodeLink(value) }
        return Head(sequence: RecordKey.number(from: key), headerHash: link.headerHash)
    }

    func frontier() throws(StoreError) -> (UInt64, HybridTimestamp, MerkleTree.Frontier) {
        guard let bytes = try metadata(RecordKey.base) else { return (1, .zero, .init()) }
        return try decoding("log frontier") { () throws(WireError) in
            var reader = CBORReader(bytes)
            try reader.array(of: 4)
            let firstPosition = try reader.ordinal()
            let greatestStamp = try reader.stamp()
            let count = try reader.ordinal()
            var subtrees: [Digest] = []
            for _ in 0..<(try reader.arrayCount(upTo: 64, "subtrees")) { subtrees.append(try reader.fixed(Digest.self)) }
            guard firstPosition > 0, let frontier = MerkleTree.Frontier(count: count, subtrees: subtrees) else {
                throw WireError(.inconsistent)
            }
            return (firstPosition, greatestStamp, frontier)
        }
    }

    /// A space's own records lie together: they begin with `_`.
    func records() throws(StoreError) -> SpaceRecords {
        var records = SpaceRecords()
        try scan(Array("_".utf8), in: .state, "space records") { key, value throws(WireError) in
            guard let path = Path(key) else { throw WireError(.badPath) }
            records.update(path, try StateRecord.decode(value, at: path))
        }
        return records
    }

    func pivotRecord() throws(StoreError) -> PivotRecord {
        var record = PivotRecord()
        if let bytes = try metadata(RecordKey.record) {
            (record.clock, record.pivotMilliseconds) = try decoding("pivot record") { () throws(WireError) in
                var reader = CBORReader(bytes)
                try reader.array(of: 2)
                return (try reader.stamp(), try reader.ordinal())
            }
        }
        try scan(RecordKey.epochPrefix, "epochs") { key, value throws(WireError) in
            var reader = CBORReader(value)
            try reader.array(of: 2)
            let epoch = Epoch(number: try RecordKey.ordinal(from: key), random: try reader.unsigned())
            record.epochs.append(.init(epoch: epoch, firstPosition: try reader.ordinal()))
        }
        return record
    }

    /// Nil in a new store.
    func nodeRecord() throws(StoreError) -> NodeRecord? {
        guard let bytes = try metadata(RecordKey.record) else { return nil }
        return try decoding("node record") { () throws(WireError) in try CommitRecord.decodeNodeRecord(bytes) }
    }

    /// Whose incarnation the record's is, as it was stored; nil in a store that an older version wrote.
    func storedAuthor() throws(StoreError) -> AuthorID? {
        try metadata(RecordKey.author).map { bytes throws(StoreError) in
            guard let author = AuthorID(bytes) else { throw .damaged(record: "author", WireError(.truncated)) }
            return author
        }
    }

    /// Whose incarnation the record's is; nil when nothing was sealed under it, so that it can become anybody's.
    func author(of record: NodeRecord) throws(StoreError) -> AuthorID? {
        if let stored = try storedAuthor() { return stored }
        let heads = try versionVector().sorted
        if let own = heads.first(where: { $0.replica.incarnation == record.incarnation }) { return own.replica.author }
        var author: AuthorID?
        try scan(from: [], until: nil, in: .sealed, "sealed outbox") { key, value throws(WireError) in
            author = try CommitRecord.decodeSealed(value, first: RecordKey.number(from: key)).1.claimedHeader.replica.author
            return false
        }
        return author
    }

    func sealedLinks() throws(StoreError) -> [SealedLink] {
        var links: [SealedLink] = []
        try scan([], in: .sealed, "sealed outbox") { key, value throws(WireError) in
            links.append(try CommitRecord.decodeSealed(value, first: RecordKey.ordinal(from: key)).0)
        }
        return links
    }

    func deadLetters() throws(StoreError) -> [DeadLetter] {
        var letters: [DeadLetter] = []
        try scan([], in: .deadLetters, "dead letters") { key, value throws(WireError) in
            guard let replica = RecordKey.replica(from: key.prefix(40)) else { throw WireError(.truncated) }
            letters.append(try CommitRecord.decodeDeadLetter(value, of: replica))
        }
        return letters
    }

    /// Pending operations from a sequence on, until about `byteLimit` bytes or `countLimit` operations are read.
    func pending(from first: UInt64, byteLimit: Int, countLimit: Int = .max) throws(StoreError) -> [PendingOperation] {
        var operations: [PendingOperation] = []
        var bytes = 0
        try scan(from: RecordKey.number(first), until: nil, in: .outbox, "outbox") { _, value throws(WireError) in
            operations.append(try StateRecord.decodePending(value))
            bytes += value.count
            return bytes < byteLimit && operations.count < countLimit
        }
        return operations
    }

    // MARK: Scans with errors of this layer

    private func metadata(_ key: [UInt8]) throws(StoreError) -> [UInt8]? {
        try storing { () throws(StorageError) in try view.load([key], from: .metadata)[0] }
    }

    private func scan(
        _ prefix: [UInt8], in section: Section = .metadata, _ what: String,
        _ visit: (_ key: [UInt8], _ value: [UInt8]) throws(WireError) -> Void
    ) throws(StoreError) {
        let end = prefix.isEmpty ? nil : RecordKey.end(of: prefix)
        try scan(from: prefix, until: end, in: section, what) { key, value throws(WireError) in
            try visit(key, value)
            return true
        }
    }

    func scan(
        from lower: [UInt8], until upper: [UInt8]?, in section: Section, _ what: String,
        _ visit: (_ key: [UInt8], _ value: [UInt8]) throws(WireError) -> Bool
    ) throws(StoreError) {
        var failure: WireError?
        try storing { () throws(StorageError) in
            try view.scan(section, from: lower, until: upper) { key, value in
                do throws(WireError) {
                    return try visit(key, value)
                } catch {
                    failure = error
                    return false
                }
            }
        }
        if let failure { throw .damaged(record: what, failure) }
    }
}

func storing<Value>(_ body: () throws(StorageError) -> Value) throws(StoreError) -> Value {
    do {
        return try body()
    } catch {
        throw .storage(error)
    }
}

func decoding<Value>(_ record: String, _ body: () throws(WireError) -> Value) throws(StoreError) -> Value {
    do {
        return try body()
    } catch {
        throw .damaged(record: record, error)
    }
}
