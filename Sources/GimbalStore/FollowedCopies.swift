import GimbalCRDT
import GimbalRocksDB
import GimbalSigning
import GimbalStorage

/// The databases of followed spaces in a node's folder: which one is the node's copy, and what a pivot change left over.
///
/// A database is removed only if the link names it as left over and the copy that took its place is there, or if nothing ever
/// came into it. Everything else may hold writes that nobody else has.
public struct FollowedCopies: Sendable {
    private let folder: DataFolder
    private let options: SpaceOptions

    public init(in folder: DataFolder, options: SpaceOptions = SpaceOptions()) {
        self.folder = folder
        self.options = options
    }

    public struct Settled: Sendable {
        /// Nil in a folder that never followed a space.
        public var link: SpaceLink?
        /// There was no link to the copy that is here.
        public var isAdopted = false
        /// The link's copy is gone: the space begins empty here.
        public var isCopyMissing = false
        /// Copies that this node does not follow and that hold something.
        public var leftAlone: [String] = []
    }

    /// Finds the copy to follow, and finishes what a pivot change that was cut off began.
    ///
    /// - Parameters:
    ///   - pivotURL: the configured one, which a copy without a link is taken to be of: another space there is then shown, and
    ///     wipes nothing.
    ///   - wanted: the configured space.
    public func settle(pivotURL: String, wanted: String?) throws -> Settled {
        let link = try SpaceLink.read(folder)
        let copies = try folder.followedSpaces()
        if let link, copies.contains(link.folder) { return try finish(link, copies) }
        var found: [(name: String, space: SpaceID)] = []
        for name in copies {
            if let space = try survey(name) { found.append((name, space)) } else { try folder.removeSpace(name) }
        }
        guard let only = found.first else { return Settled(link: link, isCopyMissing: link != nil) }
        guard found.count == 1 else {
            throw DataFolder.Failure.severalCopies(path: "\(folder.path)/spaces", copies: found.map(\.name))
        }
        let adopted = SpaceLink(space: only.space, pivotURL: pivotURL, folder: only.name, wanted: wanted)
        try adopted.write(folder)
        return Settled(link: adopted, isAdopted: true)
    }

    private func finish(_ link: SpaceLink, _ copies: [String]) throws -> Settled {
        var settled = Settled(link: link)
        let leftOver = link.leftOver ?? []
        for name in copies where name != link.folder {
            if try leftOver.contains(name) || isBlank(name) {
                try folder.removeSpace(name)
            } else {
                settled.leftAlone.append(name)
            }
        }
        if !leftOver.isEmpty {
            settled.link?.leftOver = nil
            try settled.link?.write(folder)
        }
        return settled
    }

    /// One that cannot be opened may hold anything.
    private func isBlank(_ name: String) throws -> Bool {
        do {
            return try survey(name) == nil
        } catch is StorageError {
            return false
        } catch is StoreError {
            return false
        }
    }

    /// The space of a copy; nil when nothing ever came into it.
    private func survey(_ name: String) throws -> SpaceID? {
        let engine = try folder.openSpace(name, options: options.storage)
        defer { engine.close() }
        return try SpaceLoader.survey(engine)
    }

    // MARK: The node's key

    /// Opens the copy of a space with the key that signs what is written there. A key is made only where nothing was signed yet:
    /// under another one the pivot would not know what waits here.
    public func open(_ name: String, of space: SpaceID) throws -> (node: NodeSpace, signer: SigningKey) {
        let engine = try folder.openSpace(name, options: options.storage)
        do {
            let signer = try signer(in: engine)
            return (try NodeSpace(space: space, engine: engine, signer: signer, options: options), signer)
        } catch {
            engine.close()
            throw error
        }
    }

    private func signer(in engine: RocksDBEngine) throws -> SigningKey {
        if let key = try KeyFile.readIfThere(folder.keyPath("node")) { return key }
        let loader = SpaceLoader(view: engine)
        guard let record = try loader.nodeRecord(), let author = try loader.author(of: record) else {
            return try folder.key("node").key
        }
        let advice =
            "put the file back from a backup, or make another key with \"gimbal key --create DIR\" and let the pivot allow it: "
            + "what waits here is then sent under that one"
        throw KeyFile.Failure.missing(
            path: folder.keyPath("node"), of: "this node wrote as \(author). Nothing was changed; \(advice)")
    }

    // MARK: Pivot change

    /// A name for the database of a space that is about to be followed; should it come to nothing, the database goes.
    public func begin(_ space: SpaceID) throws -> String {
        let name = DataFolder.followedName(space, random: SodiumPrimitives().randomWord())
        if var old = try SpaceLink.read(folder) {
            old.leftOver = (old.leftOver ?? []) + [name]
            try old.write(folder)
        }
        return name
    }

    /// Removes a database that was begun and came to nothing; what cannot be removed now is removed at the next start.
    public func discard(_ name: String) { try? folder.removeSpace(name) }

    /// The one step in which the folder changes its space. Then the database that was followed goes.
    ///
    /// - Parameters:
    ///   - link: the space that is followed from now on.
    ///   - changed: called once the folder has changed; it closes the database that was followed.
    public func follow(_ link: SpaceLink, changed: () -> Void) throws {
        var link = link
        link.leftOver = try SpaceLink.read(folder).map { [$0.folder] + ($0.leftOver ?? []) }?.filter { $0 != link.folder }
        do {
            try link.write(folder)
        } catch {
            guard let stored = try? SpaceLink.read(folder), stored.folder == link.folder else { throw error }
            // It is there and may not outlive a crash: the next start finds either space, so both stay until then.
            return changed()
        }
        changed()
        // What cannot be removed now is removed at the next start: the link names it.
        _ = try? finish(link, folder.followedSpaces())
    }
}
