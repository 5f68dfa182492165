import GimbalClient
import GimbalReplication
import GimbalStore
import GimbalWire
import Logging
import ServiceLifecycle

/// A node inside of a program: a full copy of a space in a folder, reads and writes with no server in between, and
/// synchronisation through the pivot while it runs.
///
/// ```swift
/// try await GimbalNode.run(data: "data", pivot: "http://10.0.0.1:7000") { node in
///     try await node.client.set("settings", to: Settings(theme: "dark"))
/// }
/// ```
///
/// It listens like the `node` program does, on a free port of the loopback address unless told otherwise, and its operator's
/// socket is in the folder: `gimbal status DIR` works. One process may use a folder at a time. As a `Service` it fits into the
/// `ServiceGroup` of a server.
public final class GimbalNode: Service {
    /// Reads, writes and subscriptions at this node, inside the process: what it says was written is on this machine's disk.
    public let client: GimbalClient

    private let assembly: ServerAssembly
    private let logger: Logger

    /// How the node stands towards its pivot.
    public struct Status: Hashable, Sendable {
        /// False until the first copy of the space is here: reads and writes of its paths wait for that, others do not.
        public var isReady: Bool
        /// Where in the pivot's log this copy ends.
        public var position: UInt64
        /// Writes that are not known to have reached the pivot.
        public var outbox: UInt64
        /// Why synchronisation stands still, with a stable code in front; nil while all is well.
        public var fault: String?
    }

    /// Opens the folder and what it holds; the network is used by ``run()``.
    ///
    /// - Parameters:
    ///   - data: the folder; made if it is missing.
    ///   - pivot: the pivot's URL. One of another space than the folder holds is a pivot change, as for the `node` program.
    ///   - space: the space to follow, by id or name; by default the one that the folder holds, or the only one at the pivot.
    ///   - listen: where to listen for other clients.
    ///   - logger: hears of the pivot's coming and going.
    /// - Throws: when a parameter is none, or the folder cannot be used.
    public init(
        data: String, pivot: String, space: String? = nil, listen: String = "127.0.0.1:0",
        logger: Logger = Logger(label: "gimbal")
    ) async throws {
        var flags = ServerOptions.Flags()
        flags.data = data
        flags.pivot = pivot
        flags.space = space
        flags.listen = listen
        let options = try await ServerOptions(flags, for: .node, readsEnvironment: false)
        assembly = try await ServerAssembly(options, logger: logger, onListening: { _ in })
        client = GimbalClient(
            transport: LocalTransport(keys: assembly.keys, hub: assembly.hub), options: GimbalClient.Options())
        self.logger = logger
    }

    // MARK: Life

    /// Listens and synchronises until the task is cancelled or a graceful shutdown begins; then the folder is free again. To be
    /// called once: a node that has run is over.
    public func run() async throws {
        let group = ServiceGroup(
            configuration: .init(
                services: assembly.services.map {
                    .init(service: $0, successTerminationBehavior: .ignore, failureTerminationBehavior: .gracefullyShutdownGroup)
                }, logger: ServerLog.quiet(logger)))
        // Cancellation is a graceful shutdown too: connections are told, nothing is torn.
        let running = Task { try await group.run() }
        let result = await withTaskCancellationHandler {
            await running.result
        } onCancel: {
            Task { await group.triggerGracefulShutdown() }
        }
        await client.shutdown()
        await assembly.close()
        try result.get()
    }

    /// Runs a node for as long as `body` takes; otherwise like ``init(data:pivot:space:listen:logger:)`` and ``run()``.
    public static func run<Answer: Sendable>(
        data: String, pivot: String, space: String? = nil, listen: String = "127.0.0.1:0",
        logger: Logger = Logger(label: "gimbal"), _ body: @escaping @Sendable (GimbalNode) async throws -> Answer
    ) async throws -> Answer {
        let node = try await GimbalNode(data: data, pivot: pivot, space: space, listen: listen, logger: logger)
        return try await withThrowingTaskGroup(of: Answer?.self) { group in
            group.addTask {
                try await node.run()
                return nil
            }
            group.addTask { try await body(node) }
            var answer: Answer?
            while answer == nil, let next = try await group.next() { answer = next }
            group.cancelAll()
            while try await group.next() != nil {}
            guard let answer else { throw CancellationError() }
            return answer
        }
    }

    // MARK: What it knows

    /// Where it listens, such as `127.0.0.1:45123`; nil until it does.
    public var address: String? { assembly.address }

    public var status: Status {
        guard let space = assembly.spaces.only else { return Status(isReady: false, position: 0, outbox: 0, fault: nil) }
        let standing = space.standing
        var status = Status(
            isReady: standing.isReady, position: 0, outbox: 0, fault: standing.fault.map { "\($0.code): \($0.detail)" })
        if case .node(let node) = space.held { (status.position, status.outbox) = (node.cursor.position, node.outboxCount) }
        return status
    }

    /// Returns when the first copy of the space is here: at once for a folder that holds one.
    ///
    /// - Throws: `CancellationError`.
    public func ready() async throws {
        while !status.isReady { try await Task.sleep(for: .milliseconds(20)) }
    }
}
