import AsyncHTTPClient
import GimbalCRDT
import GimbalReplication
import GimbalStore
import GimbalWire
import Logging
import NIOCore
import NIOHTTP1
import ServiceLifecycle
import Synchronization

/// Tells nodes that do not follow to pull, by a POST that says nothing else.
///
/// It calls only what a member signed for, at a literal address that the member's own request came from or whose network the
/// operator named (`TriggerAddress.isAllowed`); it follows no redirect and reads no answer but the status.
final class TriggerSender: Service {
    private let pivot: PivotSpace
    private let health: PivotHealth
    private let networks: [IPNetwork]
    private let http: HTTPClient
    private let logger: Logger
    private let book = Mutex(TriggerBook())
    /// Whether the next commit is news for some node; else the next tick is early enough, and commits wake nobody.
    private let awaitsCommit = Atomic(false)

    private static let timeout = TimeAmount.seconds(2)
    private static let tick = Duration.seconds(1)

    init(pivot: PivotSpace, health: PivotHealth, networks: [IPNetwork], http: HTTPClient, logger: Logger) {
        self.pivot = pivot
        self.health = health
        self.networks = networks
        self.http = http
        self.logger = logger
    }

    /// Takes what a member signed in its join.
    ///
    /// - Returns: why the address is not taken; nil when it is, or when there was none.
    func register(_ author: AuthorID, _ text: String?, from source: SocketAddress?) -> String? {
        guard let text else {
            book.withLock { $0.register(author, nil) }
            return nil
        }
        guard let address = TriggerAddress(text), address.isAllowed(from: source, networks) else {
            book.withLock { $0.register(author, nil) }
            logger.warning("trigger address refused", metadata: ["author": "\(author)", "address": "\(text.prefix(128))"])
            return "the trigger address is not one that this node's requests come from, nor in a network of --trigger-network"
        }
        book.withLock { $0.register(author, address) }
        return nil
    }

    func run() async throws {
        let (wakes, sink) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let stopListening = pivot.onAdvance { [unowned self] _ in
            if awaitsCommit.exchange(false, ordering: .acquiringAndReleasing) { sink.yield() }
        }
        defer { stopListening() }
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                group.addTask {
                    while !Task.isCancelled {
                        try? await Task.sleep(for: Self.tick)
                        sink.yield()
                    }
                }
                for await _ in wakes {
                    for call in self.due() { group.addTask { await self.send(call) } }
                }
                group.cancelAll()
            }
        }
    }

    private func due() -> [TriggerBook.Call] {
        let members = pivot.records.members
        let following = health.following
        // Before the log's end is read: a commit after that wakes this up again.
        awaitsCommit.store(true, ordering: .sequentiallyConsistent)
        let (calls, isAnyIdle) = book.withLock { book in
            book.take(.now(), logEnd: pivot.place.position) { author in
                members[author].map { !$0.isRevoked } ?? false && !following.contains(author)
            }
        }
        if !isAnyIdle { awaitsCommit.store(false, ordering: .sequentiallyConsistent) }
        return calls
    }

    private func send(_ call: TriggerBook.Call) async {
        var request = HTTPClientRequest(url: call.address.url + ReplicationPath.pull(pivot.space))
        request.method = .POST
        request.body = .bytes(ByteBuffer(string: "pull"))
        let status = try? await http.execute(request, timeout: Self.timeout).status
        let isAnswered = status == .noContent
        book.withLock { $0.finish(call, .now(), isAnswered: isAnswered) }
        health.triggered(call.author, at: call.address.url, isAnswered: isAnswered)
    }
}
