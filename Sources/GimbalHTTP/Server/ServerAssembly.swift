import AsyncHTTPClient
import GimbalStore
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization

/// Everything that one server is made of, opened and ready to run: by a program of its own, or inside of another.
final class ServerAssembly: Sendable {
    let keys: KeyService
    let hub: SubscriptionHub
    let spaces: ServedSpaces
    /// To be run together.
    let services: [any Service]
    private let folder: DataFolder
    private let http: HTTPClient
    private let listening: Listening
    private let isClosed = Atomic<Bool>(false)

    private final class Listening: Sendable {
        let address = Mutex("")
    }

    /// Opens the data folder and the spaces; the network is used by the services.
    init(_ options: ServerOptions, logger: Logger, onListening: @escaping @Sendable (String) -> Void) async throws {
        try ListenAddress.check(options.host, options.port)
        var options = options
        let shares = Descriptors.shares(
            databases: options.spaces.count + 1, openFiles: options.storeOptions.openFileLimit)
        options.storeOptions.openFileLimit = shares.openFiles
        options.maxConnections = min(options.maxConnections, shares.connections)
        options.storeOptions.watcher = { SpaceObserver($0, logger) }
        let folder = try DataFolder(options.dataFolder)
        SpaceOpener.warn(of: folder, logger)
        let local = try await SpaceOpener.openLocal(options, folder, logger)
        let host = SpaceHost(
            replicated: options.spaces.map { .init(name: $0.name, store: AbsentSpace(.awaited)) }, local: local.store)
        let http = HTTPClient(
            eventLoopGroupProvider: .shared(MultiThreadedEventLoopGroup.singleton), configuration: Self.client(options))
        let listening = Listening()
        let opener = SpaceOpener(
            options: options, folder: folder, host: host, http: http, address: { listening.address.withLock { $0 } },
            logger: logger)
        let opened: (spaces: [ServedSpace], keeper: ClaimKeeper)
        do {
            opened = try await opener.open()
        } catch {
            host.close()
            try? await http.shutdown()
            throw error
        }
        spaces = ServedSpaces(opened.spaces, local: local.served)
        hub = SubscriptionHub(host: host, logger: logger)
        keys = KeyService(host: host, hub: hub, readDeadline: options.readDeadline)
        let service = HTTPService(
            options: options, host: host, hub: hub, folder: folder, logger: logger, spaces: spaces,
            onListening: { address in
                listening.address.withLock { $0 = address }
                onListening(address)
            })
        var services: [any Service] = [service, opened.keeper]
        for space in opened.spaces {
            switch space.state {
            case .led(_, let routes): services.append(routes.triggers)
            case .followed(let session):
                services.append(SessionService(session: session, served: space, opener: opener))
            case .local, .unavailable: break
            }
        }
        self.services = services
        self.folder = folder
        self.http = http
        self.listening = listening
    }

    private static func client(_ options: ServerOptions) -> HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
        configuration.timeout.connect = options.connectTimeout
        configuration.timeout.read = .seconds(30)
        // A pivot whose machine refuses connections is known to be away at once.
        configuration.connectionPool.retryConnectionEstablishment = false
        return configuration
    }

    /// Where it listens; nil until it does.
    var address: String? { listening.address.withLock { $0.isEmpty ? nil : $0 } }

    /// To be called when the services have ended: commits what was submitted and frees the folder.
    func close() async {
        guard closeStores() else { return }
        // Only a second shutdown fails, and there is none.
        try? await http.shutdown()
    }

    deinit {
        guard closeStores() else { return }
        // One that never ran. The client has to live until it has closed its connections.
        let http = http
        http.shutdown { _ in withExtendedLifetime(http) {} }
    }

    /// False when it was closed already.
    private func closeStores() -> Bool {
        guard !isClosed.exchange(true, ordering: .relaxed) else { return false }
        hub.close()
        keys.host.close()
        folder.unlock()
        return true
    }
}
