/// One ordered map of byte strings inside an engine. Keys compare as unsigned bytes.
///
/// What is kept in each is the business of GimbalStore (docs/storage-format.md); an engine only needs to know
/// which are large and which only grow, to lay them out well.
public enum Section: UInt8, CaseIterable, Sendable {
    /// Format version, clock, cursor, epochs, log frontier, digest buckets: few and small.
    case metadata = 0
    /// The base: one record a path.
    case state = 1
    /// A node's outbox replayed over the base, only for paths that the outbox touches.
    case overlay = 2
    /// The log: one entry a position, large, appended; below the horizon pruned, then dropped.
    case log = 3
    /// One checkpoint a commit of the pivot.
    case checkpoints = 4
    /// Where each replica's deltas are in the log.
    case chain = 5
    /// A node's own operations whose receipt has not come, by sequence.
    case outbox = 6
    /// A node's sealed deltas whose receipt has not come, by first sequence.
    case sealed = 7
    /// Dots that were refused.
    case refused = 8
    /// A node's own operations that were refused, until a person has seen them.
    case deadLetters = 9
    /// Hashes that stand for dropped entries in the log tree.
    case subtrees = 10

    /// What a snapshot replaces as a whole: a second set of these sections can be staged beside those in use.
    public static let replaceable: [Section] = [.state, .log, .checkpoints, .chain, .refused, .subtrees]
}

/// Changes that become durable together or not at all.
public struct StorageBatch: Sendable {
    /// A nil value deletes the key. Later changes of one key win over earlier ones.
    public var changes: [(section: Section, key: [UInt8], value: [UInt8]?)] = []

    public init() {}

    public mutating func put(_ value: [UInt8], at key: [UInt8], in section: Section) {
        changes.append((section, key, value))
    }

    public mutating func delete(_ key: [UInt8], in section: Section) {
        changes.append((section, key, nil))
    }
}

/// A consistent view: it never shows a commit that came after it was taken, nor half of one.
public protocol StorageView: Sendable {
    /// The values of `keys`, in their order; nil where there is none.
    func load(_ keys: [[UInt8]], from section: Section) throws(StorageError) -> [[UInt8]?]

    /// Calls `visit` for the entries with `lower <= key < upper`, in rising order, until it returns false.
    /// A nil `upper` has no bound.
    func scan(
        _ section: Section, from lower: [UInt8], until upper: [UInt8]?,
        _ visit: (_ key: [UInt8], _ value: [UInt8]) throws(StorageError) -> Bool
    ) throws(StorageError)

    /// The entry with the greatest key below `upper`; nil where there is none.
    func last(_ section: Section, below upper: [UInt8]) throws(StorageError) -> (key: [UInt8], value: [UInt8])?
}

/// Where one space's data is kept. An engine's own `StorageView` members read the latest commit.
///
/// Any number of threads may read while one commits. Every adapter passes the same conformance suite.
public protocol StorageEngine: StorageView {
    /// Makes the batch durable, all of it or nothing, and visible to every later read. On return it is on disk. Where it throws
    /// `.uncertain` that is not known; any other error says that nothing of it is.
    func commit(_ batch: StorageBatch) throws(StorageError)

    /// A view that stays as it is now while later commits happen, for as long as it is held.
    func view() throws(StorageError) -> any StorageView

    /// Adds entries to the staging area: a second set of the replaceable sections, which no other call sees. On return they
    /// are on disk. A key that is staged again takes the later value.
    ///
    /// - Precondition: the run's keys rise strictly; its section is replaceable.
    func stage(_ run: StagedRun) throws(StorageError)

    /// The staging area as it is now; sections that are not replaceable are empty in it.
    func stagedView() throws(StorageError) -> any StorageView

    /// Empties the staging area.
    func clearStaged() throws(StorageError)

    /// Gives back the room that a cleared staging area took. May be slow; reads and commits go on.
    func compactStaged() throws(StorageError)

    /// Puts the staged sections in the place of those in use, and commits the batch to what is then in use: all of it or
    /// nothing. What was in use is the staging area from then on. Views stay as they were.
    func install(_ batch: StorageBatch) throws(StorageError)

    /// Calls `listener`, on any thread, with what goes wrong: see `StorageTrouble`. One listener at a time.
    func onTrouble(_ listener: @escaping @Sendable (StorageTrouble) -> Void)

    /// Takes writes again after one failed, if what failed it is gone. From here on everybody sees what is on disk, which may
    /// hold a batch whose outcome was unknown, and views from before fail with `.closed`.
    ///
    /// Throws while it cannot; then it takes no writes still, and reads go on where the storage allows. Harmless when nothing
    /// failed.
    func recover() throws(StorageError)

    /// Numbers for people: names and values as the engine calls them.
    var statistics: [(name: String, value: UInt64)] { get }

    /// Releases files and locks. Views must be gone; every call after it fails with `.closed`.
    func close()
}

extension StorageEngine {
    public func onTrouble(_ listener: @escaping @Sendable (StorageTrouble) -> Void) {}
    public func recover() throws(StorageError) {}
}

/// What an engine tells those who have to act.
public enum StorageTrouble: Sendable {
    /// A write failed: no other is taken until `recover` returns.
    case writing(StorageError)
    /// A read met damaged data. Other reads, and writes, go on.
    case damage(StorageError)
}

/// Why the engine could not do what it was asked.
public indirect enum StorageError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Another process holds this folder.
    case locked(folder: String)
    /// The folder or disk takes no writes: `reason` is the system's word.
    case notWritable(reason: String)
    /// No space left. Nothing of the batch was stored.
    case full(reason: String)
    /// The files are damaged.
    case corrupt(reason: String)
    /// Written by a later version of the engine's format.
    case newerFormat(found: UInt32, known: UInt32)
    case closed
    /// It is being opened again after a write failed, which takes a moment.
    case recovering
    /// Nothing of the batch was stored.
    case failed(reason: String)
    /// The batch may be stored or not, all of it or nothing: `recover`, then look.
    case uncertain(StorageError)

    /// What went wrong, whatever became of the batch.
    public var cause: StorageError { if case .uncertain(let cause) = self { cause } else { self } }

    /// Stable, for machines.
    public var code: String {
        switch self {
        case .locked: "storage-locked"
        case .notWritable: "storage-not-writable"
        case .full: "storage-full"
        case .corrupt: "storage-corrupt"
        case .newerFormat: "storage-newer-format"
        case .closed: "storage-closed"
        case .recovering: "storage-recovering"
        case .failed: "storage-failed"
        case .uncertain: "outcome-unknown"
        }
    }

    public var description: String {
        switch self {
        case .locked(let folder): "the folder \(folder) is in use by another process"
        case .notWritable(let reason): "the storage takes no writes: \(reason)"
        case .full(let reason): "no space left on the disk: \(reason)"
        case .corrupt(let reason): "the stored data is damaged: \(reason)"
        case .newerFormat(let found, let known):
            "the stored format is version \(found), this program knows up to \(known): use a newer Gimbal"
        case .closed: "the storage is closed"
        case .recovering: "the storage is being opened again after a failure: try again in a moment"
        case .failed(let reason): "the storage failed: \(reason)"
        case .uncertain(let cause): "it is not known whether the data is stored: \(cause)"
        }
    }
}
