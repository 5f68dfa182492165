import Foundation
import GimbalSigning
import GimbalStore
import GimbalWire
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization

/// One server's HTTP: the same routes on its address and, for its operator, on a Unix socket in the data folder.
struct HTTPService: Service {
    let options: ServerOptions
    let host: SpaceHost
    let hub: SubscriptionHub
    let folder: DataFolder
    let logger: Logger
    let spaces: ServedSpaces
    let onListening: @Sendable (String) -> Void

    func run() async throws {
        let socket = try OperatorSocket(folder)
        defer { socket.remove() }
        let places = ConnectionPlaces(options.maxConnections, logger: logger)
        let bodies = BodyBudget()
        let publicServer = application(.hostname(options.host, port: options.port), rules(bodies, places)) { channel in
            let address = channel.localAddress.map(Self.text) ?? "\(options.host):\(options.port)"
            onListening(address)
            introduce(at: address)
        }
        let operators = application(.unixDomainSocket(path: socket.path), rules(bodies, nil)) { _ in socket.restrict() }
        let group = ServiceGroup(configuration: .init(services: [publicServer, operators], logger: ServerLog.quiet(logger)))
        try await group.run()
    }

    /// - Parameter places: nil for the operator's socket, where no page gets to and whose descriptors are kept back.
    private func rules(_ bodies: BodyBudget, _ places: ConnectionPlaces?) -> ConnectionRules {
        ConnectionRules(
            door: places == nil ? nil : options.door, timeouts: options.timeouts, bodies: bodies, shutdown: options.shutdown,
            places: places)
    }

    private func application(
        _ address: BindAddress, _ rules: ConnectionRules,
        onServerRunning: @escaping @Sendable (any Channel) async -> Void
    ) -> some ApplicationProtocol {
        let isOperator = rules.door == nil
        // What answers GET answers HEAD too; that nothing but the head is sent is seen to where answers leave (AnswerForm).
        let router = Router(context: ServerContext.self, options: .autoGenerateHeadEndpoints)
        router.add(middleware: CrossOrigin.Preflight())
        router.add(middleware: TooLarge())
        router.add(middleware: HeldBackBody())
        DirectoryRoutes(spaces: spaces).add(to: router)
        router.get("/_pivot/health/nodes") { [spaces] request, _ in jsonResponse(try spaces.nodes(request)) }
        OperatorRoutes(spaces: spaces, folder: folder).add(to: router)
        MetricsRoutes(hub: hub, spaces: spaces, maxConnections: options.maxConnections).add(to: router)
        InsightRoutes(host: host, spaces: spaces).add(to: router)
        MemberRoutes(spaces: spaces, isOperator: isOperator, logger: logger).add(to: router)
        ImportRoutes(spaces: spaces, folder: folder).add(to: router)
        let keys = KeyService(host: host, hub: hub, readDeadline: options.readDeadline)
        let explorer = ExplorerRoutes(options: options, host: host, hub: hub, spaces: spaces)
        ClientRoutes(keys: keys, explorer: explorer, spaces: spaces, bodies: rules.bodies).add(to: router)
        return Application(
            router: router, server: .lean(keys: keys, hub: hub, meter: ServerMetrics.requests, rules: rules),
            // Who waits for a place waits in the kernel's queue.
            configuration: .init(
                address: address, serverName: nil, backlog: 4096, availableConnectionsDelegate: rules.places),
            onServerRunning: onServerRunning,
            eventLoopGroupProvider: .singleton, logger: ServerLog.quiet(logger))
    }

    /// Who this server is, for the first lines of its log.
    private func introduce(at address: String) {
        logger.notice("serving", metadata: ["version": "\(GimbalVersion.current)", "address": "\(address)"])
        for space in spaces.replicated {
            var facts: Logger.Metadata = ["name": "\(space.name)", "role": "\(space.role)"]
            switch space.held {
            case .pivot(let pivot):
                facts["space"] = "\(pivot.space)"
                facts["author"] = "\(pivot.author)"
                facts["position"] = "\(pivot.place.position)"
            case .node(let node):
                facts["space"] = "\(node.space)"
                facts["author"] = "\(node.author)"
                facts["position"] = "\(node.cursor.position)"
                facts["outbox"] = "\(node.outboxCount)"
            case .none: facts["space"] = "not here"
            }
            logger.notice("serving a space", metadata: facts)
        }
    }

    private static func text(_ address: SocketAddress) -> String {
        let host = address.ipAddress ?? ""
        return "\(host.contains(":") ? "[\(host)]" : host):\(address.port ?? 0)"
    }
}

/// The operator's door: a Unix socket that only the owner of the data folder can open. It is made in a folder that nobody else
/// can enter, and moved to its place once its mode is right: not for an instant can others connect.
struct OperatorSocket: Sendable {
    /// Where it is bound.
    let path: String
    private let folder: String
    private let realPath: String

    /// A socket's path has at most 107 bytes; a folder with a longer one is reached through its descriptor.
    init(_ folder: DataFolder) throws {
        realPath = folder.operatorSocketPath
        unlink(realPath)
        self.folder = folder.temporaryPath()
        guard mkdir(self.folder, 0o700) == 0 else { throw DurableFile.Failure(self.folder) }
        if self.folder.utf8.count <= 90 {
            path = "\(self.folder)/socket"
        } else {
            let descriptor = open(self.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            guard descriptor >= 0 else { throw DurableFile.Failure(self.folder) }
            path = "/proc/self/fd/\(descriptor)/socket"
        }
    }

    func restrict() {
        chmod("\(folder)/socket", 0o600)
        rename("\(folder)/socket", realPath)
        rmdir(folder)
    }

    func remove() { unlink(realPath) }
}
