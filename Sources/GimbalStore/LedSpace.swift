import Foundation
import GimbalCRDT
import GimbalReplication
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
        case write(WriteFailure)

        public var code: String {
            switch self {
            case .key(let error): error.code
            case .folder(let error): error.code
            case .store(let error): error.code
            case .certificate: "certificate-unusable"
            case .write(let error): error.rawValue
            }
        }

        public var description: String {
            switch self {
            case .key(let error): error.description
            case .folder(let error): error.description
            case .store(let error): error.description
            case .certificate(let reason): "the certificate of this pivot is unusable: \(reason)"
            case .write(let error): "the space could not be founded: \(error.rawValue)"
            }
        }
    }

    public struct Opened: Sendable {
        public var space: PivotSpace
        /// Where the root key was just created; nil when the space existed.
        public var newRootKeyPath: String?
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
    public static func openStored(
        _ name: String, in folder: DataFolder, options: SpaceOptions = SpaceOptions()
    ) throws(Failure) -> Opened {
        let (pivotKey, _) = try keying { () throws(KeyFile.Failure) in try folder.key("\(name)-pivot") }
        let (certificate, space, rootPath) = try certificate(name, folder, pivotKey)
        do throws(StoreError) {
            let engine = try storing { () throws(StorageError) in try folder.openSpace(name, options: options.storage) }
            let store = try PivotSpace(
                space: space, engine: engine, signer: pivotKey, certificate: certificate, options: options)
            return Opened(space: store, newRootKeyPath: rootPath)
        } catch {
            throw .store(error)
        }
    }

    /// The space that a folder leads, by the certificate in it; nil where there is none.
    public static func storedID(_ name: String, in folder: DataFolder) -> SpaceID? {
        guard let bytes = folder.readFile("\(name).certificate"), let signed = try? SignedPayload(decoding: bytes) else {
            return nil
        }
        return try? Certificate(verifying: signed, SodiumPrimitives()).space
    }

    /// The stored certificate, or the founding of the space: a root key that certifies the pivot's working key.
    private static func certificate(
        _ name: String, _ folder: DataFolder, _ pivotKey: SigningKey
    ) throws(Failure) -> (SignedPayload, SpaceID, newRootKeyPath: String?) {
        let file = "\(name).certificate"
        if let bytes = folder.readFile(file) {
            do throws(WireError) {
                let signed = try SignedPayload(decoding: bytes)
                let certificate = try Certificate(verifying: signed, SodiumPrimitives())
                guard certificate.pivot == pivotKey.author else { throw WireError(.inconsistent, at: 0, "it names another key") }
                return (signed, certificate.space, nil)
            } catch {
                throw .certificate(error.description)
            }
        }
        let (root, isNew) = try keying { () throws(KeyFile.Failure) in try folder.key("\(name)-root") }
        let space = SpaceID(words: root.author.words)
        let now = SystemClock().now().wallMilliseconds
        let payload = Certificate(space: space, pivot: pivotKey.author, serial: 1, issuedMilliseconds: now).encoded
        let signed = SignedPayload(signing: payload, with: root)
        do throws(DataFolder.Failure) {
            try folder.writeFile(file, signed.encoded)
        } catch {
            throw .folder(error)
        }
        return (signed, space, isNew ? folder.keyPath("\(name)-root") : nil)
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
