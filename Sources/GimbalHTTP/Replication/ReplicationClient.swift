import GimbalCRDT
import GimbalReplication
import GimbalStore
import GimbalWire
import Logging
import ServiceLifecycle
import Synchronization

/// Carries out the `Exchange` of one node over HTTP: a task for each request, a sleeper for the alarm, a line in the log for what
/// an operator has to know. It decides nothing.
///
/// It is also what reads are made fresh with, from before the pivot was reached for the first time.
final class ReplicationClient: Service, FreshnessSource {
    let node: NodeSpace
    let connection: PivotConnection
    let reachableAt: String?
    let logger: Logger
    let meter: PushMeter
    private let state = Mutex(State())

    private struct State {
        var exchange = Exchange()
        /// What is still to be carried out, in its order, by whoever is at it.
        var directives: [Exchange.Directive] = []
        var isCarryingOut = false
        var requests: [Exchange.RequestID: Task<Void, Never>] = [:]
        /// Pages of a stream that are on their way to the disk.
        var windows: [Exchange.RequestID: PageWindow] = [:]
        var pushes: [UInt64: PushRequest] = [:]
        var reads: [Exchange.ReadID: @Sendable (Freshness) -> Void] = [:]
        var lastRead: Exchange.ReadID = 0
        var alarm: Task<Void, Never>?
        var isEnded = false
    }

    init(node: NodeSpace, connection: PivotConnection, reachableAt: String?, logger: Logger) {
        self.node = node
        self.connection = connection
        self.reachableAt = reachableAt
        self.logger = logger
        meter = PushMeter(node.space)
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            self.take(.started)
            for await command in self.node.commands {
                guard !Task.isCancelled else { break }
                self.obey(command)
            }
        }
        end()
    }

    /// The trigger: somebody says that the pivot has something new.
    func pull() { take(.triggered) }

    func refresh(completion: @escaping @Sendable (Freshness) -> Void) {
        let read = state.withLock { state in
            state.lastRead += 1
            state.reads[state.lastRead] = completion
            return state.lastRead
        }
        take(.read(read))
    }

    private func obey(_ command: NodeCommand) {
        switch command {
        case .push(let request, let number):
            state.withLock { $0.pushes = [number: request] }
            take(.push(number: number, deltas: request.deltas.count))
        case .follow(let withOwnBodies): take(.follow(withOwnBodies: withOwnBodies))
        case .investigate: take(.investigate)
        case .fault(let fault):
            logger.error("replication fault", metadata: ["code": "\(fault.code)", "detail": "\(fault.detail)"])
            take(.raised(fault))
        case .faultCleared:
            logger.notice("replication works again")
            take(.cleared)
        }
    }

    // MARK: The exchange

    /// Steps, and carries out what that leads to. Of several threads that step at once one carries out for all, so that
    /// directives keep their order.
    func take(_ input: Exchange.Input) {
        let view = Exchange.NodeView(
            cursor: node.cursor, incarnation: node.replica.incarnation, fault: node.coreFault,
            isStorageFailing: node.isStorageFailing)
        let now = node.now
        let isCarriedOut = state.withLock { state in
            guard !state.isEnded else { return true }
            var random = SystemRandomNumberGenerator()
            state.directives += state.exchange.step(input, of: view, now: now, using: &random)
            defer { state.isCarryingOut = true }
            return state.isCarryingOut
        }
        guard !isCarriedOut else { return }
        while let directives = nextDirectives() {
            for directive in directives { carryOut(directive) }
        }
    }

    private func nextDirectives() -> [Exchange.Directive]? {
        state.withLock { state in
            guard !state.directives.isEmpty else {
                state.isCarryingOut = false
                return nil
            }
            defer { state.directives = [] }
            return state.directives
        }
    }

    private func carryOut(_ directive: Exchange.Directive) {
        switch directive {
        case .send(let request, let id): begin(request, id)
        case .abandon(let id):
            let (request, window) = state.withLock { ($0.requests.removeValue(forKey: id), $0.windows.removeValue(forKey: id)) }
            request?.cancel()
            window?.close()
        case .feed(let input): node.deliver(input)
        case .apply(let page, let id):
            let window = state.withLock { $0.windows[id] }
            node.apply(page) { window?.leave() }
        case .answerFromCopy(let reads): for read in completions(of: reads) { read(.local) }
        case .answer(let reads, let place):
            let completions = completions(of: reads)
            node.whenReached(place) { for read in completions { read(.pivot) } }
        case .wake(let time): wake(at: time)
        case .show(let standing): show(standing)
        case .note(let text): logger.warning("joined, with a reservation", metadata: ["detail": "\(text)"])
        }
    }

    private func begin(_ request: Exchange.Request, _ id: Exchange.RequestID) {
        let push: PushRequest? = if case .push(let number) = request { state.withLock { $0.pushes[number] } } else { nil }
        // Held while it begins, so that it does not end before it is known.
        state.withLock { state in
            guard !state.isEnded else { return }
            state.requests[id] = Task {
                await self.perform(request, push, id)
                self.state.withLock { state in
                    state.requests[id] = nil
                    state.windows[id] = nil
                }
            }
        }
    }

    private func completions(of reads: [Exchange.ReadID]) -> [@Sendable (Freshness) -> Void] {
        state.withLock { state in reads.compactMap { state.reads.removeValue(forKey: $0) } }
    }

    private func wake(at time: UInt64) {
        let alarm = Task {
            let now = node.now.steadyMilliseconds
            if time > now { guard (try? await Task.sleep(for: .milliseconds(time - now))) != nil else { return } }
            self.take(.alarm)
        }
        let earlier = state.withLock { state in
            defer { state.alarm = alarm }
            return state.alarm
        }
        earlier?.cancel()
    }

    /// Opens the window of a stream's pages.
    func window(of id: Exchange.RequestID) -> PageWindow {
        state.withLock { state in
            let window = PageWindow()
            state.windows[id] = window
            return window
        }
    }

    /// Reads that wait are answered from the copy, and nothing is asked any more.
    private func end() {
        let (tasks, alarm, reads) = state.withLock { state in
            state.isEnded = true
            defer { (state.requests, state.alarm, state.reads) = ([:], nil, [:]) }
            return (state.requests.values.map(\.self), state.alarm, state.reads.values.map(\.self))
        }
        for task in tasks { task.cancel() }
        alarm?.cancel()
        for read in reads { read(.local) }
        node.show(ConnectionStanding())
    }

    // MARK: What an operator has to know

    /// Once for each change.
    private func show(_ standing: ConnectionStanding) {
        let before = node.show(standing)
        if standing.fault != before.fault {
            if let fault = standing.fault {
                logger.error(
                    "the pivot does not serve this node", metadata: ["code": "\(fault.code)", "detail": "\(fault.detail)"])
            } else {
                logger.notice("the pivot serves this node again")
            }
        }
        if standing.pushFault != before.pushFault {
            if let fault = standing.pushFault {
                logger.error(
                    "what is written here does not reach the pivot",
                    metadata: ["code": "\(fault.code)", "detail": "\(fault.detail)", "outbox": "\(node.outboxCount)"])
            } else {
                logger.notice("what is written here reaches the pivot again")
            }
        }
        guard standing.isFollowing != before.isFollowing else { return }
        if standing.isFollowing {
            logger.notice("following the pivot", metadata: ["url": "\(connection.url)", "outbox": "\(node.outboxCount)"])
        } else {
            logger.notice("lost the pivot: reads and writes go on here", metadata: ["url": "\(connection.url)"])
        }
    }
}
