import AsyncHTTPClient
import Foundation
import GimbalClient
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
    private let name: String
    private let plan: SpacePlan.Following
    private let folder: DataFolder
    private let signer: SigningKey
    private let host: SpaceHost
    private let http: HTTPClient
    private let address: @Sendable () -> String
    private let options: SpaceOptions
    private let logger: Logger
    private let opened: Mutex<NodeSpace?>
    private let client = Mutex<ReplicationClient?>(nil)
    /// Why the pivot does not let this node begin.
    private let refusal = Mutex<NodeFault?>(nil)
    /// Called with each copy that is opened, before it is served.
    private let openListener = Mutex<@Sendable (NodeSpace) -> Void>({ _ in })

    /// Opens what the folder holds. The network is only used by `run`.
    init(
        name: String, plan: SpacePlan.Following, folder: DataFolder, host: SpaceHost, http: HTTPClient,
        options: SpaceOptions, address: @escaping @Sendable () -> String, logger: Logger
    ) throws {
        self.name = name
        self.plan = plan
        self.folder = folder
        self.host = host
        self.http = http
        self.options = options
        self.address = address
        self.logger = logger
        signer = try folder.key("node").key
        let link = try SpaceLink.read(folder)
        folder.removeFollowedSpaces(except: link?.folder)
        if let link, let space = link.spaceID {
            let node = try Self.open(space, link.folder, folder, signer, options)
            opened = Mutex(node)
            let freshness = connected(node)
            host.update(name) { ($0.store, $0.freshness) = (node, freshness) }
        } else {
            opened = Mutex(nil)
        }
    }

    private static func open(
        _ space: SpaceID, _ name: String, _ folder: DataFolder, _ signer: SigningKey, _ options: SpaceOptions
    ) throws -> NodeSpace {
        try NodeSpace(
            space: space, engine: try folder.openSpace(name, options: options.storage), signer: signer, options: options)
    }

    var node: NodeSpace? { opened.withLock { $0 } }

    /// For a node that holds no space yet.
    var fault: NodeFault? { refusal.withLock { $0 } }

    /// Calls `listener` with the copy that is open, and with each that will be.
    func onOpen(_ listener: @escaping @Sendable (NodeSpace) -> Void) {
        openListener.withLock { $0 = listener }
        if let node { listener(node) }
    }

    /// The trigger: somebody says that the pivot has something new.
    func pull() { client.withLock { $0 }?.pull() }

    private func signedClient() -> SignedClient {
        SignedClient(
            baseURL: plan.pivotURL, signer: signer, address: address, http: http,
            clockSkew: { [weak self] in self?.node?.pivotClock.offsetMilliseconds.map { -$0 } })
    }

    /// The source of freshness that a host asks before reads of this node.
    private func connected(_ node: NodeSpace) -> SyncOnRead {
        // Without it the pivot is asked for it.
        let stored = try? node.certificate
        let pivot = stored.flatMap { try? Certificate(verifying: $0, SodiumPrimitives()) }
        return SyncOnRead(
            node: node,
            connection: PivotConnection(space: node.space, client: signedClient(), pivot: pivot?.pivot, clock: node.pivotClock))
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
        let connection = PivotConnection(space: space, client: signedClient(), clock: node.pivotClock)
        let freshness = SyncOnRead(node: node, connection: connection)
        host.update(name) { ($0.store, $0.freshness) = (node, freshness) }
        let client = ReplicationClient(
            node: node, connection: connection, reachableAt: plan.reachableAt, logger: logger)
        self.client.withLock { $0 = client }
        try await client.run()
    }

    /// Returns once the folder holds the space that it is to follow: at once, or after the pivot could be asked.
    private func settleSpace() async throws -> SpaceID {
        let link = try SpaceLink.read(folder)
        if let link, let stored = link.spaceID, link.pivotURL == plan.pivotURL,
            plan.space == nil || plan.space == stored.hex || plan.space == link.wanted
        {
            return stored
        }
        var backoff = Backoff()
        var said: String?
        while true {
            do {
                let space = try await adopt(link)
                refusal.withLock { $0 = nil }
                return space
            } catch let error as PivotError {
                let fault = NodeFault(error)
                let isOperatorsTurn = if case .local = fault { true } else { false }
                // Once for each reason, however often it is tried.
                if said != "\(error)" {
                    said = "\(error)"
                    logger.log(
                        level: isOperatorsTurn ? .error : .warning, "waiting for the pivot",
                        metadata: ["url": "\(plan.pivotURL)", "error": "\(error)"])
                }
                refusal.withLock { $0 = fault }
                _ = node?.show(connectionFault: fault)
                try await Task.sleep(for: backoff.next())
            }
        }
    }

    /// Asks the configured pivot which space it leads, and follows that one.
    private func adopt(_ link: SpaceLink?) async throws -> SpaceID {
        let client = signedClient()
        let found: SpaceID
        if let named = plan.space.flatMap({ SpaceID(hex: $0) }) {
            found = named
        } else {
            found = try await PivotConnection.discoverSpace(client, wanted: plan.space, known: link?.spaceID)
        }
        if var link, link.spaceID == found {
            _ = try await PivotConnection(space: found, client: client).fetchCertificate()
            link.pivotURL = plan.pivotURL
            link.wanted = plan.space
            try link.write(folder)
            logger.notice("the same space at a new address", metadata: ["space": "\(found)", "url": "\(plan.pivotURL)"])
            return found
        }
        let connection = PivotConnection(space: found, client: client)
        _ = try await connection.fetchCertificate()
        let joined = try await connection.join(reachableAt: nil)
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
        host.update(name) { space in
            (space.store, space.freshness) = (AbsentSpace(.awaited), nil)
        }
        try await node.sealOutbox()
        let name = "\(link.space.prefix(16))-\(Int(Date().timeIntervalSince1970 * 1000)).bundle"
        try await RescueBundle.write(node, to: "\(folder.path)/rescue/\(name)")
        logger.notice("pivot change: the old space is kept in a rescue bundle", metadata: ["file": "rescue/\(name)"])
        node.close()
        opened.withLock { $0 = nil }
    }

    /// The one step in which the folder changes its space.
    private func follow(_ space: SpaceID) throws {
        let database = DataFolder.followedName(space, random: SodiumPrimitives().randomWord())
        let node = try Self.open(space, database, folder, signer, options)
        try SpaceLink(space: space, pivotURL: plan.pivotURL, folder: database, wanted: plan.space).write(folder)
        opened.withLock { $0 = node }
        openListener.withLock { $0 }(node)
        folder.removeFollowedSpaces(except: database)
        logger.notice("following a space", metadata: ["space": "\(space)", "url": "\(plan.pivotURL)"])
    }
}
