import AsyncHTTPClient
import Foundation
import GimbalCRDT
import GimbalReplication
import GimbalSigning
import GimbalStore
import GimbalWire
import Logging
import ServiceLifecycle
import Synchronization

/// The life of one node: learns which space it is of, follows it, and changes its pivot when its operator says so.
///
/// A node wipes only on an operator's act, once the new pivot has proven its key and admitted it: the outbox is sealed, a
/// rescue bundle is written and synced, then one file is replaced that says which space this folder follows. A crash at any
/// point ends in before or after.
final class NodeSession: Service {
    private let folder: DataFolder
    private let signer: SigningKey
    private let host: SpaceHost
    private let http: HTTPClient
    private let pivotURL: String
    /// What the operator named; nil: the one stored, or the first one seen.
    private let wantedSpace: SpaceID?
    private let address: @Sendable () -> String
    private let options: SpaceOptions
    private let logger: Logger
    private let opened: Mutex<NodeSpace?>
    /// Why the pivot does not let this node begin.
    private let refusal = Mutex<NodeFault?>(nil)

    /// Opens what the folder holds. The network is only used by `run`.
    init(
        folder: DataFolder, host: SpaceHost, http: HTTPClient, pivotURL: String, space: SpaceID?, options: SpaceOptions,
        address: @escaping @Sendable () -> String, logger: Logger
    ) throws {
        self.folder = folder
        self.host = host
        self.http = http
        self.pivotURL = pivotURL
        wantedSpace = space
        self.options = options
        self.address = address
        self.logger = logger
        signer = try folder.key("node").key
        let link = try SpaceLink.read(folder)
        folder.removeFollowedSpaces(except: link?.folder)
        if let link, let space = link.spaceID {
            let node = try Self.open(space, link.folder, folder, signer, options)
            opened = Mutex(node)
            host.replace([.init(store: node, freshness: connected(node))])
        } else {
            opened = Mutex(nil)
            host.replace([.init(store: AwaitedSpace())])
        }
    }

    private static func open(
        _ space: SpaceID, _ name: String, _ folder: DataFolder, _ signer: SigningKey, _ options: SpaceOptions
    ) throws -> NodeSpace {
        try NodeSpace(space: space, engine: try folder.openSpace(name), signer: signer, options: options)
    }

    var node: NodeSpace? { opened.withLock { $0 } }

    /// For a node that holds no space yet.
    var fault: NodeFault? { refusal.withLock { $0 } }

    private func client() -> SignedClient {
        SignedClient(baseURL: pivotURL, signer: signer, address: address(), http: http)
    }

    /// The source of freshness that a host asks before reads of this node.
    private func connected(_ node: NodeSpace) -> SyncOnRead {
        let pivot = node.certificate.flatMap { try? Certificate(verifying: $0, SodiumPrimitives()) }
        return SyncOnRead(
            node: node, connection: PivotConnection(space: node.space, client: client(), pivot: pivot?.pivot))
    }

    // MARK: Life

    func run() async throws {
        do {
            try await cancelWhenGracefulShutdown { try await self.follow() }
        } catch is CancellationError {
            // Stopped while it waited for its pivot.
        }
    }

    private func follow() async throws {
        let space = try await settleSpace()
        guard let node, node.space == space else { return }
        let connection = PivotConnection(space: space, client: client())
        host.replace([.init(store: node, freshness: SyncOnRead(node: node, connection: connection))])
        try await ReplicationClient(node: node, connection: connection, logger: logger).run()
    }

    /// Returns once the folder holds the space that it is to follow: at once, or after the pivot could be asked.
    private func settleSpace() async throws -> SpaceID {
        let link = try SpaceLink.read(folder)
        if let link, let stored = link.spaceID, link.pivotURL == pivotURL, wantedSpace == nil || wantedSpace == stored {
            return stored
        }
        var backoff = Backoff()
        while true {
            do {
                let space = try await adopt(link)
                refusal.withLock { $0 = nil }
                return space
            } catch let error as PivotError {
                logger.warning("waiting for the pivot", metadata: ["url": "\(pivotURL)", "error": "\(error)"])
                refusal.withLock { $0 = NodeFault(error) }
                _ = node?.show(connectionFault: NodeFault(error))
                try await Task.sleep(for: backoff.next())
            }
        }
    }

    /// Asks the configured pivot which space it leads, and follows that one.
    private func adopt(_ link: SpaceLink?) async throws -> SpaceID {
        let client = client()
        let found: SpaceID
        if let wantedSpace { found = wantedSpace } else { found = try await PivotConnection.discoverSpace(client) }
        if var link, link.spaceID == found {
            _ = try await PivotConnection(space: found, client: client).fetchCertificate()
            link.pivotURL = pivotURL
            try link.write(folder)
            logger.notice("the same space at a new address", metadata: ["space": "\(found)", "url": "\(pivotURL)"])
            return found
        }
        let connection = PivotConnection(space: found, client: client)
        _ = try await connection.fetchCertificate()
        let joined = try await connection.join()
        guard joined.verdict == .accepted else {
            throw PivotError.refused(joined.verdict, detail: joined.detail)
        }
        if let link { try await leave(link) }
        try follow(found)
        return found
    }

    /// Everything of the old space is put into a rescue bundle; from here on nothing of it is served.
    private func leave(_ link: SpaceLink) async throws {
        guard let node else { return }
        host.replace([.init(store: AwaitedSpace())])
        try await node.sealOutbox()
        let name = "\(link.space.prefix(16))-\(Int(Date().timeIntervalSince1970 * 1000)).bundle"
        try await RescueBundle.write(node, to: "\(folder.path)/rescue/\(name)")
        logger.notice("pivot change: the old space is kept in a rescue bundle", metadata: ["file": "rescue/\(name)"])
        node.close()
        opened.withLock { $0 = nil }
    }

    /// The one step in which the folder changes its space.
    private func follow(_ space: SpaceID) throws {
        let name = DataFolder.followedName(space, random: SodiumPrimitives().randomWord())
        let node = try Self.open(space, name, folder, signer, options)
        try SpaceLink(space: space, pivotURL: pivotURL, folder: name).write(folder)
        opened.withLock { $0 = node }
        folder.removeFollowedSpaces(except: name)
        logger.notice("following a space", metadata: ["space": "\(space)", "url": "\(pivotURL)"])
    }
}
