import AsyncHTTPClient
import Foundation
import GimbalClient
import GimbalCRDT
import GimbalReplication
import GimbalSigning
import GimbalStore
import GimbalWire
import Logging
import NIOCore
import ServiceLifecycle
import Synchronization

/// The life of one node: learns which space it is of, follows it, and changes its pivot when its operator says so.
///
/// A node wipes only on an operator's act, once the new pivot has proven its key and admitted it: the outbox is sealed, a
/// rescue bundle is written and synced, then one file is replaced that says which space this folder follows. A crash at any
/// point ends in before or after, and so does a failure of the disk, which is tried again.
///
/// While the configured pivot is not the stored one, nothing is served until it was asked, so that nobody takes the old space
/// for the new one; a pivot that does not answer in time changes nothing, and the old copy is served as what it is.
final class NodeSession: Service {
    private let name: String
    private let plan: SpacePlan.Following
    private let folder: DataFolder
    private let signer: SigningKey
    private let host: SpaceHost
    private let http: HTTPClient
    private let address: @Sendable () -> String
    private let copies: FollowedCopies
    private let connectTimeout: TimeAmount
    private let logger: Logger
    private let opened: Mutex<NodeSpace?>
    private let client = Mutex<ReplicationClient?>(nil)
    /// What reads wait for while the configured pivot is not the stored one.
    private let contact = FirstContact()
    /// Whether the configured pivot has said which space it leads, and whether the old copy is served meanwhile.
    private let change = Mutex((hasAnswered: false, servesOldCopy: false))
    /// The last reason to wait for the pivot that was told of.
    private let said = Mutex<String?>(nil)
    /// Why the pivot does not let this node begin.
    private let refusal = Mutex<NodeFault?>(nil)
    /// Called with each copy that is opened, before it is served.
    private let openListener = Mutex<@Sendable (NodeSpace) -> Void>({ _ in })

    /// Opens what the folder holds. The network is only used by `run`.
    init(
        name: String, plan: SpacePlan.Following, folder: DataFolder, host: SpaceHost, http: HTTPClient,
        options: SpaceOptions, connectTimeout: TimeAmount, address: @escaping @Sendable () -> String, logger: Logger
    ) throws {
        self.name = name
        self.plan = plan
        self.folder = folder
        self.host = host
        self.http = http
        self.connectTimeout = connectTimeout
        self.address = address
        self.logger = logger
        copies = FollowedCopies(in: folder, options: options)
        let settled = try copies.settle(pivotURL: plan.pivotURL, wanted: plan.space)
        if let link = settled.link, let space = link.spaceID {
            let (node, signer) = try copies.open(link.folder, of: space)
            self.signer = signer
            opened = Mutex(node)
            tell(settled, link)
            if isSettled(link) {
                let freshness = connected(node)
                host.update(name) { ($0.store, $0.freshness) = (node, freshness) }
            } else {
                node.hold()
                let contact = contact
                host.update(name) { ($0.store, $0.freshness) = (node, contact) }
            }
        } else {
            signer = try folder.key("node").key
            opened = Mutex(nil)
        }
    }

    /// What an operator should know of a folder that is not as the last process left it.
    private func tell(_ settled: FollowedCopies.Settled, _ link: SpaceLink) {
        let facts: Logger.Metadata = ["space": "\(link.space)", "copy": "spaces/\(link.folder)"]
        if settled.isAdopted { logger.warning("replication.json was not of the copy that is here: it is now", metadata: facts) }
        if settled.isCopyMissing { logger.error("the copy of the space is gone: it is fetched anew", metadata: facts) }
        for name in settled.leftAlone {
            logger.warning("a copy that is not followed is left alone", metadata: ["copy": "spaces/\(name)"])
        }
        if let node, node.replica.author != signer.author {
            logger.warning(
                "another key than before: what waits is written again under it",
                metadata: ["before": "\(node.replica.author)", "author": "\(signer.author)"])
        }
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
            baseURL: plan.pivotURL, signer: signer, address: address, http: http, connectTimeout: connectTimeout,
            clockSkew: { [weak self] in self?.node?.pivotClock.offsetMilliseconds.map { -$0 } })
    }

    /// What keeps this copy in touch with its pivot, and makes its reads fresh from before that was reached.
    private func connected(_ node: NodeSpace) -> ReplicationClient {
        client.withLock { client in
            if let client, client.node === node { return client }
            // Without it the pivot is asked for it.
            let stored = try? node.certificate
            let pivot = stored.flatMap { try? Certificate(verifying: $0, SodiumPrimitives()) }
            let connection = PivotConnection(
                space: node.space, client: signedClient(), pivot: pivot?.pivot, clock: node.pivotClock)
            let new = ReplicationClient(node: node, connection: connection, reachableAt: plan.reachableAt, logger: logger)
            client = new
            return new
        }
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
        let client = connected(node)
        node.release()
        host.update(name) { ($0.store, $0.freshness) = (node, client) }
        contact.end()
        try await client.run()
    }

    /// Whether the folder holds the space that it is to follow.
    private func isSettled(_ link: SpaceLink) -> Bool {
        // Older servers stored other spellings of an address.
        (try? ServerAddress(link.pivotURL))?.base == plan.pivotURL
            && (plan.space == nil || plan.space == link.space || plan.space == link.wanted)
    }

    /// Returns once the folder holds the space that it is to follow: at once, or after the pivot could be asked.
    private func settleSpace() async throws -> SpaceID {
        let link = try SpaceLink.read(folder)
        if let link, let stored = link.spaceID, isSettled(link) { return stored }
        let patience = Task {
            guard (try? await Task.sleep(for: Patience.firstContact)) != nil else { return }
            if !change.withLock({ $0.hasAnswered }) { serveOldCopy(link, unreached(link)) }
        }
        defer { patience.cancel() }
        var backoff = Backoff(Pauses.following)
        var disk = Backoff(Pauses.changing)
        let begin = ContinuousClock.now
        while true {
            do {
                let space = try await adopt(link)
                refusal.withLock { $0 = nil }
                return space
            } catch let error as CancellationError {
                throw error
            } catch let error as PivotError {
                let fault = NodeFault(error)
                report(error, fault)
                if fault != nil || ContinuousClock.now - begin > Patience.firstContact {
                    serveOldCopy(link, fault ?? unreached(link))
                }
                try await Task.sleep(for: backoff.next())
            } catch {
                // The folder of a node that never followed a space is of no use yet.
                guard let node, link != nil else { throw error }
                let fault = NodeFault.local(
                    code: "pivot-change-failed",
                    detail:
                        "this folder cannot take the space of \(plan.pivotURL) yet, the old one is kept: \(Self.reason(error))")
                report(error, fault)
                node.stays()
                serveOldCopy(link, fault)
                try await Task.sleep(for: disk.next())
            }
        }
    }

    private static func reason(_ error: any Error) -> String {
        let isFull =
            (error as? POSIXError)?.code == .ENOSPC || (error as? CocoaError)?.code == .fileWriteOutOfSpace
            || ServerExit.classify(error).code == "storage-full"
        return isFull ? "no space left on the disk" : "\(error)"
    }

    /// Says what an operator has to know, once for each reason, however often it is tried.
    private func report(_ error: any Error, _ fault: NodeFault?) {
        let isNews = said.withLock { said in
            defer { said = "\(error)" }
            return said != "\(error)"
        }
        let isOperatorsTurn = if case .local = fault { true } else { false }
        if isNews {
            logger.log(
                level: isOperatorsTurn ? .error : .warning, "waiting for the pivot",
                metadata: [
                    "url": "\(plan.pivotURL)", "error": "\(error)", "code": "\(fault?.code ?? "pivot-unreached")",
                ])
        }
        refusal.withLock { $0 = fault }
    }

    private func unreached(_ link: SpaceLink?) -> NodeFault {
        let old = link.map { "; what is served is the copy of the space at \($0.pivotURL)" } ?? ""
        return .local(
            code: "pivot-unreached", detail: "the configured pivot \(plan.pivotURL) was not reached since the start\(old)")
    }

    /// What was stored is served on, and said to be that.
    private func serveOldCopy(_ link: SpaceLink?, _ fault: NodeFault) {
        guard let node, link != nil else { return }
        node.show(ConnectionStanding(fault: fault))
        let isNew = change.withLock { change in
            defer { change.servesOldCopy = true }
            return !change.servesOldCopy
        }
        guard isNew else { return }
        node.release()
        host.update(name) { ($0.store, $0.freshness) = (node, OldCopy()) }
        contact.end()
        logger.warning("the old copy is served", metadata: ["code": "\(fault.code)", "detail": "\(fault.detail)"])
    }

    /// Asks the configured pivot which space it leads, and follows that one.
    private func adopt(_ link: SpaceLink?) async throws -> SpaceID {
        let client = signedClient()
        let found: SpaceID
        if let named = plan.space.flatMap({ SpaceID(hex: $0) }) {
            found = named
        } else {
            found = try await PivotConnection.discoverSpace(client, wanted: plan.space, known: link?.spaceID)
            change.withLock { $0.hasAnswered = true }
        }
        let connection = PivotConnection(space: found, client: client)
        _ = try await connection.fetchCertificate()
        change.withLock { $0.hasAnswered = true }
        if let link, link.spaceID == found {
            move(link, found)
            return found
        }
        let joined = try await connection.join(reachableAt: nil)
        guard joined.verdict == .accepted else {
            throw PivotError.refused(joined.verdict, detail: joined.detail)
        }
        try await change(to: found)
        return found
    }

    /// The same space: what is not written down is asked for again at the next start.
    private func move(_ link: SpaceLink, _ space: SpaceID) {
        var link = link
        link.pivotURL = plan.pivotURL
        link.wanted = plan.space
        do {
            try link.write(folder)
            logger.notice("the same space at a new address", metadata: ["space": "\(space)", "url": "\(plan.pivotURL)"])
        } catch {
            logger.warning(
                "the same space at a new address, which could not be stored",
                metadata: ["space": "\(space)", "url": "\(plan.pivotURL)", "error": "\(error)"])
        }
    }

    /// Everything of the old space is put into a rescue bundle, then the folder follows the new one. Until that is done the old
    /// copy is kept, and served if it was served since this process started.
    private func change(to space: SpaceID) async throws {
        let old = node
        // Once a change has failed the old copy is served through every further try: only writes wait meanwhile.
        let rescued = if let old { try await rescue(old) } else { nil as Rescued? }
        var isChanged = false
        // Half a change takes no room: the old space stays, and the next try keeps what is written to it until then.
        defer {
            if !isChanged { for file in rescued?.files ?? [] { try? FileManager.default.removeItem(atPath: file) } }
        }
        let database = try copies.begin(space)
        do {
            let (node, _) = try copies.open(database, of: space)
            do {
                try node.keep(rescued?.letters ?? [])
                let link = SpaceLink(space: space, pivotURL: plan.pivotURL, folder: database, wanted: plan.space)
                // The one step in which the folder changes its space. Nothing of the old one is read from here on.
                try copies.follow(link) { serve(node, insteadOf: old) }
            } catch {
                node.close()
                throw error
            }
        } catch {
            copies.discard(database)
            throw error
        }
        isChanged = true
        logger.notice("following a space", metadata: ["space": "\(space)", "url": "\(plan.pivotURL)"])
    }

    private func serve(_ node: NodeSpace, insteadOf old: NodeSpace?) {
        host.update(name) { [contact] in ($0.store, $0.freshness) = (node, contact) }
        opened.withLock { $0 = node }
        openListener.withLock { $0 }(node)
        old?.close()
    }

    /// What was kept of a space that is left.
    private struct Rescued {
        var files: [String]
        /// What its pivot refused and nobody has seen yet.
        var letters: [DeadLetter]
    }

    private func rescue(_ old: NodeSpace) async throws -> Rescued {
        try await old.sealOutbox()
        let name = "\(old.space.hex.prefix(16))-\(Int(Date().timeIntervalSince1970 * 1000)).bundle"
        let path = "\(folder.path)/rescue/\(name)"
        try await RescueBundle.write(old, to: path)
        let letters = try old.deadLetters()
        try RescueBundle.write(letters, beside: path)
        logger.notice("pivot change: the old space is kept in a rescue bundle", metadata: ["file": "rescue/\(name)"])
        return Rescued(files: [path, RescueBundle.lettersPath(beside: path)], letters: letters)
    }
}
