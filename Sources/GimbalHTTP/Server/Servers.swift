import AsyncHTTPClient
import Foundation
import GimbalCRDT
import GimbalReplication
import GimbalSigning
import GimbalStore
import GimbalWire
import Hummingbird
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization
import UnixSignals

/// Runs the `pivot` program: leads a space and serves it to clients and nodes, until it is told to stop.
public enum PivotServer {
    public static func run(_ options: ServerOptions) async throws {
        let logger = ServerLog.make("pivot", options.logLevel)
        let folder = try DataFolder(options.dataFolder)
        try folder.require(.pivot)
        let patterns = options.patterns.isEmpty ? [Pattern.everything] : options.patterns
        let isNew = !folder.spaceExists(LedSpace.replicatedName)
        let led = try await LedSpace.open(
            LedSpace.replicatedName, in: folder, patterns: isNew ? patterns : options.patterns, allowed: options.allowed,
            options: options.storeOptions)
        if let path = led.newRootKeyPath {
            logger.notice(
                "founded space \(led.space.space): its root key is in \(path). Keep a copy in a safe place: with it this space can name a new pivot, without it nobody can"
            )
        }
        let local = try await LedSpace.open("local", in: folder, patterns: [.everything], options: options.storeOptions)
        let host = SpaceHost(replicated: [.init(store: led.space)], local: local.space)
        defer { host.close() }
        let routes = PivotRoutes(pivot: led.space, isEnrollmentOpen: options.isEnrollmentOpen, logger: logger)
        let service = HTTPService(
            options: options, host: host, folder: folder, logger: logger, held: { .pivot(led.space) },
            nodes: { routes.health.entries(logEnd: led.space.place.position) },
            addRoutes: { router in routes.add(to: router) })
        try await ServerLog.runUntilStopped([service], logger)
    }
}

/// Runs the `node` program: holds a full copy of a space, takes reads and writes, and synchronises through the pivot.
public enum NodeServer {
    public static func run(_ options: ServerOptions) async throws {
        let logger = ServerLog.make("node", options.logLevel)
        guard let pivotURL = options.pivotURL else {
            throw ServerOptions.Failure(description: "--pivot URL is needed: the pivot to synchronise with")
        }
        let folder = try DataFolder(options.dataFolder)
        try folder.require(.node)
        let local = try await LedSpace.open("local", in: folder, patterns: [.everything], options: options.storeOptions)
        let host = SpaceHost(replicated: [.init(store: AwaitedSpace())], local: local.space)
        defer { host.close() }
        var configuration = HTTPClient.Configuration()
        configuration.timeout.connect = .milliseconds(500)
        configuration.timeout.read = .seconds(30)
        // A pivot that is away is known to be away at once: reads answer from the own copy and do not wait for their deadline.
        configuration.connectionPool.retryConnectionEstablishment = false
        let http = HTTPClient(
            eventLoopGroupProvider: .shared(MultiThreadedEventLoopGroup.singleton), configuration: configuration)
        let listening = Mutex("")
        let session = try NodeSession(
            folder: folder, host: host, http: http, pivotURL: pivotURL, space: options.space, options: options.storeOptions,
            address: { listening.withLock { $0 } }, logger: logger)
        let service = HTTPService(
            options: options, host: host, folder: folder, logger: logger,
            held: { session.node.map { .node($0) } ?? .none(session.fault) },
            onListening: { address in listening.withLock { $0 = address } })
        do {
            try await ServerLog.runUntilStopped([service, session], logger)
        } catch {
            try? await http.shutdown()
            throw error
        }
        try await http.shutdown()
    }
}

/// Logging and shutdown, the same in both programs.
enum ServerLog {
    static func make(_ label: String, _ level: Logger.Level) -> Logger {
        var logger = Logger(label: label, factory: StreamLogHandler.standardError(label:))
        logger.logLevel = level
        return logger
    }

    static func runUntilStopped(_ services: [any Service], _ logger: Logger) async throws {
        let group = ServiceGroup(
            configuration: .init(
                services: services.map {
                    .init(service: $0, successTerminationBehavior: .ignore, failureTerminationBehavior: .gracefullyShutdownGroup)
                },
                gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        try await group.run()
    }
}
