import GimbalClient
import GimbalCRDT
import GimbalStore
import GimbalWire
import NIOCore
import NIOPosix
import Synchronization

/// A client's way to the node in its own process: the same answers, with no HTTP in between.
final class LocalTransport: Transport {
    private let keys: KeyService
    private let hub: SubscriptionHub
    private let pipes = Mutex<[ObjectIdentifier: MessagePipe]?>([:])

    init(keys: KeyService, hub: SubscriptionHub) {
        self.keys = keys
        self.hub = hub
    }

    func shutdown() async {
        for pipe in (pipes.withLock { $0.take() } ?? [:]).values { pipe.end("the node stops") }
    }

    // MARK: Requests

    func send(_ request: TransportRequest) async throws(GimbalError) -> TransportAnswer {
        guard pipes.withLock({ $0 != nil }) else { throw .shutDown }
        guard request.method != .post, request.target.contains("*") else { return TransportAnswer(await answer(key: request)) }
        guard let pattern = Pattern(request.target) else { return TransportAnswer(KeyService.invalidPath) }
        do {
            return request.method == .delete
                ? TransportAnswer(try await keys.deleteAll(pattern)) : try await list(pattern, request)
        } catch {
            let stored = error as? StoreError
            throw Task.isCancelled
                ? .cancelled
                : .refused(code: stored?.code ?? "failed", status: stored?.statusCode ?? 500, message: "\(error)")
        }
    }

    private func answer(key request: TransportRequest) async -> KeyAnswer {
        let method: KeyRequest.Method =
            switch request.method {
            case .get: .get
            case .post: .post
            case .patch: .patch
            case .delete: .delete
            }
        let body = request.body.map { ByteBuffer(bytes: $0) }
        guard body?.readableBytes ?? 0 <= KeyService.maximumBodyBytes else {
            return KeyService.tooLarge(keys.bodyLimit(Array(request.target.utf8)))
        }
        let keyRequest = KeyRequest(
            method: method, target: Array(request.target.utf8), body: body, preference: request.preference ?? .fresh)
        return await withCheckedContinuation { continuation in
            keys.answer(keyRequest, timers: MultiThreadedEventLoopGroup.singleton.any()) { continuation.resume(returning: $0) }
        }
    }

    private func list(_ pattern: Pattern, _ request: TransportRequest) async throws -> TransportAnswer {
        guard let limit = KeyList.limit(request.limit.map { Substring(String($0)) }),
            let cursor = KeyPlace.parse(request.cursor.map { Substring($0) })
        else { return TransportAnswer(KeyService.badPage) }
        let answer = try await keys.list(pattern, limit: limit.value, after: cursor.value, request.preference ?? .fresh)
        switch answer {
        case .failure(let failure): return TransportAnswer(failure)
        case .success(let (list, freshness)):
            var body: [UInt8] = []
            try await list.write { body += $0.readableBytesView }
            return TransportAnswer(status: 200, freshness: freshness, cursor: list.next?.description, body: body)
        }
    }

    // MARK: Subscriptions

    func open(_ target: String, since version: String?) async throws(GimbalError) -> MessageStream {
        let name: TopicName
        if let pattern = Pattern(target), pattern.isGlob {
            try Self.check(keys.host.homes(of: pattern), target)
            name = .list(pattern)
        } else if let path = Path(target), !path.isReserved {
            try Self.check([keys.host.home(of: path)], target)
            name = .key(path)
        } else {
            throw .invalidPath("\(target) is no path and no pattern")
        }
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        let subscriber = LocalSubscriber.Remote(loop: loop)
        let pipe = MessagePipe(
            onDemand: { subscriber.goOn() },
            onCancel: { [weak self] in
                self?.forget(subscriber)
                subscriber.leave()
            })
        let isOpen = pipes.withLock { pipes in
            pipes?[ObjectIdentifier(subscriber)] = pipe
            return pipes != nil
        }
        guard isOpen else { throw .shutDown }
        let since = version.flatMap { UInt64($0, radix: 16) }
        keys.refresh(name, timers: loop) { [hub] in subscriber.begin(pipe, hub, name, since: since) }
        return MessageStream(pipe)
    }

    private static func check(_ homes: [SpaceHost.Replicated], _ target: String) throws(GimbalError) {
        guard let waiting = homes.first(where: { !$0.store.isReady }) else { return }
        throw GimbalError(TransportAnswer(KeyService.notReady(waiting)), target: target)
    }

    private func forget(_ subscriber: LocalSubscriber.Remote) {
        pipes.withLock { pipes in pipes?[ObjectIdentifier(subscriber)] = nil }
    }
}

extension TransportAnswer {
    init(_ answer: KeyAnswer) {
        self.init(
            status: answer.status, errorCode: answer.errorCode, freshness: answer.freshness,
            body: answer.body.map { Array(buffer: $0) } ?? [])
    }
}
