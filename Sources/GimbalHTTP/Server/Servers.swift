import AsyncHTTPClient
import CMalloc
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

/// Runs a server until it is told to stop: leads spaces, follows others, and keeps a local one. The programs `pivot` and
/// `node` are faces of it.
public enum GimbalServer {
    public static func run(_ options: ServerOptions, as program: ServerOptions.Program) async throws {
        options.profile.apply()
        let logger = ServerLog.make(program.rawValue, options.logLevel)
        var options = options
        options.storeOptions.watcher = { SpaceObserver($0, logger) }
        let folder = try DataFolder(options.dataFolder)
        let http = HTTPClient(
            eventLoopGroupProvider: .shared(MultiThreadedEventLoopGroup.singleton), configuration: clientConfiguration)
        do {
            try await serve(options, folder, http, logger)
        } catch {
            try? await http.shutdown()
            throw error
        }
        try await http.shutdown()
    }

    private static func serve(
        _ options: ServerOptions, _ folder: DataFolder, _ http: HTTPClient, _ logger: Logger
    ) async throws {
        let local = try await SpaceOpener.openLocal(options, folder, logger)
        let host = SpaceHost(
            replicated: options.spaces.map { .init(name: $0.name, store: AbsentSpace(.awaited)) }, local: local.store)
        defer { host.close() }
        let listening = Mutex("")
        let opener = SpaceOpener(
            options: options, folder: folder, host: host, http: http, address: { listening.withLock { $0 } }, logger: logger)
        let (served, keeper) = try await opener.open()
        let service = HTTPService(
            options: options, host: host, folder: folder, logger: logger, spaces: ServedSpaces(served, local: local.served),
            onListening: { address in listening.withLock { $0 = address } })
        var services: [any Service] = [service, keeper]
        for space in served {
            switch space.state {
            case .led(_, let routes): services.append(routes.triggers)
            case .followed(let session):
                services.append(SessionService(session: session, served: space, opener: opener))
            case .local, .unavailable: break
            }
        }
        if options.profile == .small { services.append(HeapTrimmer()) }
        try await ServerLog.runUntilStopped(services, logger)
    }

    private static var clientConfiguration: HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
        configuration.timeout.connect = .milliseconds(500)
        configuration.timeout.read = .seconds(30)
        // A pivot that is away is known to be away at once: reads answer from the own copy and do not wait for their deadline.
        configuration.connectionPool.retryConnectionEstablishment = false
        return configuration
    }
}

extension ServerOptions.Profile {
    /// To be called before anything uses an event loop.
    fileprivate func apply() {
        guard self == .small else { return }
        NIOSingletons.groupLoopCountSuggestion = 1
        NIOSingletons.blockingPoolThreadCountSuggestion = 1
        // Threads share one heap, and what is large lies outside of it: freed pages of the log go back to the system.
        mallopt(M_ARENA_MAX, 1)
        mallopt(M_MMAP_THRESHOLD, 64 << 10)
        mallopt(M_TRIM_THRESHOLD, 128 << 10)
    }
}

/// Gives what the allocator holds and nobody uses back to the system, now and then: what a first sync leaves behind.
private struct HeapTrimmer: Service {
    func run() async throws {
        await cancelWhenGracefulShutdown {
            while (try? await Task.sleep(for: .seconds(10))) != nil { malloc_trim(0) }
        }
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
        logger.notice("stopped")
    }
}
