import Foundation
import GimbalCRDT
import GimbalReplication
import GimbalRocksDB
import GimbalSigning
import GimbalStorage
import GimbalWire

/// Opens spaces that a data folder leads: the replicated one and the local one, founding them at the first start.
public enum LedSpace {
    /// Of the database that a pivot's replicated space lives in, and the prefix of its keys.
    public static let replicatedName = "led"

    public enum Failure: Error, CustomStringConvertible {
        case key(KeyFile.Failure)
        case folder(DataFolder.Failure)
        case store(StoreError)
        case certificate(String)
        /// There is a database, and not the certificate that says whose it is.
        case certificateMissing(path: String)
        case write(WriteFailure)

        public var code: String {
            switch self {
            case .key(let error): error.code
            case .folder(let error): error.code
            case .store(let error): error.code
            case .certificate: "certificate-unusable"
            case .certificateMissing: "certificate-missing"
            case .write(let error): error.rawValue
            }
        }

        public var description: String {
            switch self {
            case .key(let error): error.description
            case .folder(let error): error.description
            case .store(let error): error.description
            case .certificate(let reason): "the certificate of this pivot is unusable: \(reason)"
            case .certificateMissing(let path):
                "the certificate \(path) is not there, but the space's database is. Nothing was changed; put it back from a backup, or put the root key and the pivot's key into the folder keys, which make another"
            case .write(let error): "the space could not be founded: \(error.rawValue)"
            }
        }
    }

    public struct Opened: Sendable {
        public var space: PivotSpace
        /// Where the root key is of a space that was just founded; nil when the space existed.
        public var newRootKeyPath: String?
        /// The file that says that this space's database was lost; nil while none was.
        public var lossPath: String?
    }

    /// Opens a space, or founds it, and writes what the operator asked for.
    ///
    /// - Parameters:
    ///   - name: of its database and the prefix of its keys.
    ///   - folder: the data folder.
    ///   - patterns: added to those that the space has.
    ///   - allowed: authors that become members, with every path of the space.
    ///   - options: how much memory it may take.
    public static func open(
        _ name: String, in folder: DataFolder, patterns: [Pattern], allowed: [AuthorID] = [],
        options: SpaceOptions = SpaceOptions()
    ) async throws(Failure) -> Opened {
        let opened = try openStored(name, in: folder, options: options)
        try await settle(opened.space, Wishes(patterns: patterns, allowed: allowed))
        return opened
    }

    /// Opens a space as it is stored, or founds it without a pattern.
    ///
    /// A space is founded key by key, then its database, and its certificate last: a first start that is cut off goes on where
    /// it was, and a certificate without a database is a database that was lost.
    public static func openStored(
        _ name: String, in folder: DataFolder, options: SpaceOptions = SpaceOptions()
    ) throws(Failure) -> Opened {
        let stored = try inFolder { () throws(DataFolder.Failure) in
            (certificate: try folder.readFile("\(name).certificate"), hasDatabase: try folder.spaceExists(name))
        }
        guard let bytes = stored.certificate else { return try found(name, in: folder, stored.hasDatabase, options) }
        let keyPath = folder.keyPath("\(name)-pivot")
        guard let pivotKey = try keying({ () throws(KeyFile.Failure) in try KeyFile.readIfThere(keyPath) }) else {
            let owner = "the certificate \(name).certificate names it. Nothing was changed; put the file back from a backup"
            throw .key(.missing(path: keyPath, of: owner))
        }
        let (certificate, space) = try read(bytes, of: pivotKey)
        let mark = "\(name).lost"
        if !stored.hasDatabase {
            let text = "The database of this space was not there at \(Date().formatted(.iso8601)): it began empty.\n"
            try inFolder { () throws(DataFolder.Failure) in try folder.writeFile(mark, Array(text.utf8)) }
        }
        var opened = Opened(space: try open(space, name, folder, pivotKey, certificate, options))
        if try inFolder({ () throws(DataFolder.Failure) in try folder.has(mark) }) { opened.lossPath = "\(folder.path)/\(mark)" }
        return opened
    }

    private static func open(
        _ space: SpaceID, _ name: String, _ folder: DataFolder, _ key: SigningKey, _ certificate: SignedPayload,
        _ options: SpaceOptions
    ) throws(Failure) -> PivotSpace {
        do throws(StoreError) {
            let engine = try storing { () throws(StorageError) in try folder.openSpace(name, options: options.storage) }
            return try PivotSpace(space: space, engine: engine, signer: key, certificate: certificate, options: options)
        } catch {
            throw .store(error)
        }
    }

    /// The space that a folder leads, by the certificate in it; nil where there is none that can be read.
    public static func storedID(_ name: String, in folder: DataFolder) -> SpaceID? {
        guard let bytes = try? folder.readFile("\(name).certificate"), let signed = try? SignedPayload(decoding: bytes) else {
            return nil
        }
        return try? Certificate(verifying: signed, SodiumPrimitives()).space
    }

    private static func read(_ bytes: [UInt8], of pivotKey: SigningKey) throws(Failure) -> (SignedPayload, SpaceID) {
        do throws(WireError) {
            let signed = try SignedPayload(decoding: bytes)
            let certificate = try Certificate(verifying: signed, SodiumPrimitives())
            guard certificate.pivot == pivotKey.author else { throw WireError(.inconsistent, at: 0, "it names another key") }
            return (signed, certificate.space)
        } catch {
            throw .certificate(error.description)
        }
    }

    /// The founding of a space: a root key that certifies the pivot's working key.
    ///
    /// - Parameter hasDatabase: a founding was cut off there, or the certificate was lost. What is in the database says whose it
    ///   is, and keys are only made where nothing is.
    private static func found(
        _ name: String, in folder: DataFolder, _ hasDatabase: Bool, _ options: SpaceOptions
    ) throws(Failure) -> Opened {
        var known: SpaceID?
        if hasDatabase {
            known = try inStore { () throws(StoreError) in
                let engine = try storing { () throws(StorageError) in try folder.openSpace(name, options: options.storage) }
                defer { engine.close() }
                return try SpaceLoader.space(of: engine)
            }
        }
        let file = "\(name).certificate"
        if known != nil {
            // Both were there before the database was.
            for key in ["\(name)-pivot", "\(name)-root"]
            where try keying({ () throws(KeyFile.Failure) in try KeyFile.readIfThere(folder.keyPath(key)) }) == nil {
                throw .certificateMissing(path: "\(folder.path)/\(file)")
            }
        }
        let pivotKey = try keying { () throws(KeyFile.Failure) in try folder.key("\(name)-pivot").key }
        let root = try keying { () throws(KeyFile.Failure) in try folder.key("\(name)-root").key }
        let space = SpaceID(words: root.author.words)
        guard known == nil || known == space else { throw .certificateMissing(path: "\(folder.path)/\(file)") }
        let now = SystemClock().now().wallMilliseconds
        let payload = Certificate(space: space, pivot: pivotKey.author, serial: 1, issuedMilliseconds: now).encoded
        let signed = SignedPayload(signing: payload, with: root)
        let store = try open(space, name, folder, pivotKey, signed, options)
        do {
            try inFolder { () throws(DataFolder.Failure) in try folder.writeFile(file, signed.encoded) }
        } catch {
            store.close()
            throw error
        }
        return Opened(space: store, newRootKeyPath: folder.keyPath("\(name)-root"))
    }

    /// What an operator asks of a space: in force from the position at which it is written, at every node.
    public struct Wishes: Sendable {
        /// Added to those that the space has.
        public var patterns: [Pattern]
        /// Authors that become members, with every path of the space.
        public var allowed: [AuthorID]
        /// The greatest value; nil: as it is. What was written before stays.
        public var valueBytes: Int?
        public var maxClockAheadMilliseconds: UInt64?

        public init(
            patterns: [Pattern], allowed: [AuthorID] = [], valueBytes: Int? = nil, maxClockAheadMilliseconds: UInt64? = nil
        ) {
            self.patterns = patterns
            self.allowed = allowed
            self.valueBytes = valueBytes
            self.maxClockAheadMilliseconds = maxClockAheadMilliseconds
        }
    }

    /// Writes what the operator asked for and the space does not say yet.
    public static func settle(_ store: PivotSpace, _ wishes: Wishes) async throws(Failure) {
        let stored = store.records.settings
        var settings = stored
        settings.patterns += wishes.patterns.filter { !stored.patterns.contains($0) }
        settings.limits.valueBytes = wishes.valueBytes ?? stored.limits.valueBytes
        settings.maxClockAheadMilliseconds = wishes.maxClockAheadMilliseconds ?? stored.maxClockAheadMilliseconds
        if store.place == .start || settings != stored {
            try await write(store, .record(SpaceRecords.settingsPath, value: settings.json))
        }
        for author in wishes.allowed where store.records.members[author] == nil {
            let member = MemberRecord(name: String(author.hex.prefix(8)), writes: [.everything])
            try await write(store, .record(SpaceRecords.memberPath(author), value: member.json))
        }
    }

    private static func write(_ store: PivotSpace, _ action: WriteRequest.Action) async throws(Failure) {
        if case .failure(let failure) = await store.write(action) { throw .write(failure) }
    }

    private static func inFolder<Value>(_ body: () throws(DataFolder.Failure) -> Value) throws(Failure) -> Value {
        do {
            return try body()
        } catch {
            throw .folder(error)
        }
    }

    private static func inStore<Value>(_ body: () throws(StoreError) -> Value) throws(Failure) -> Value {
        do {
            return try body()
        } catch {
            throw .store(error)
        }
    }

    private static func keying<Value>(_ body: () throws(KeyFile.Failure) -> Value) throws(Failure) -> Value {
        do {
            return try body()
        } catch {
            throw .key(error)
        }
    }
}

extension Pattern {
    /// Every path that is not a space's own record.
    public static var everything: Pattern {
        guard let pattern = Pattern("**") else { preconditionFailure("** is a pattern") }
        return pattern
    }
}
