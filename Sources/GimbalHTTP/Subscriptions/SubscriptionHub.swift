import Dispatch
import GimbalCRDT
import GimbalStore
import Logging
import NIOCore
import NIOWebSocket
import Synchronization

/// Who is told of changes. Called on its event loop alone.
protocol Subscriber: AnyObject {
    /// The next message, a whole frame.
    func offer(_ frame: ByteBuffer)
    /// Everything anew, after it had fallen behind.
    func offer(snapshot: ByteBuffer)
    func end(_ code: WebSocketErrorCode, _ reason: String)
}

/// One subscription; lives on the hub's side as long as its connection.
struct Subscription: Sendable {
    let id: UInt64
    let loop: any EventLoop
    let subscriber: NIOLoopBound<any Subscriber>
}

/// Turns commits into messages for whoever subscribed. One thread does it, beside the writers: it takes all changes that are
/// waiting, brings each topic that they touch up to date once, encodes one message for it, and hands that to the event
/// loops, one call for each loop however many subscribers it has. Nobody waits for it: not the writers, whose commits only
/// leave the names of paths, and not one subscriber for another.
final class SubscriptionHub: Sendable {
    enum Input: Sendable {
        case changed([Path])
        /// What vanishes from what matches is told when the hold of this number is released.
        case hold(UInt64, Pattern)
        case release(UInt64)
        /// Other spaces are served from now on.
        case spacesReplaced
        case subscribe(Subscription, TopicName, since: UInt64?)
        case unsubscribe(UInt64, TopicName)
        /// It has fallen behind and can read again.
        case refresh(UInt64, TopicName)
        case loaded(TopicName, generation: UInt64, Result<[VisibleEntry], StoreError>)
        case sweep
    }

    private let host: SpaceHost
    private let loop = BatchLoop<Input>()
    private let switchboard: Mutex<Switchboard>
    private let nextID = Atomic<UInt64>(0)
    /// While it is false commits need not say anything. Set before a topic's first read, so that this read sees a commit that
    /// did not see it.
    private let isAwake = Atomic<Bool>(false)
    private let attached = Mutex<Set<ObjectIdentifier>>([])

    init(host: SpaceHost, logger: Logger) {
        self.host = host
        switchboard = Mutex(Switchboard(host: host, logger: logger))
        loop.start(name: "gimbal-events") { [unowned self] inputs in process(inputs) }
        attach()
        host.onUpdate { [weak self] in
            self?.attach()
            self?.submit(.spacesReplaced)
        }
    }

    func close() { loop.close() }

    /// Subscribes an already open connection; to be called on its event loop.
    ///
    /// - Parameter since: the version up to which it knows everything.
    /// - Returns: the subscription's id.
    func subscribe(_ subscriber: any Subscriber, on eventLoop: any EventLoop, to name: TopicName, since: UInt64?) -> UInt64 {
        let id = nextID.add(1, ordering: .relaxed).newValue
        let bound = NIOLoopBound(subscriber, eventLoop: eventLoop)
        submit(.subscribe(Subscription(id: id, loop: eventLoop, subscriber: bound), name, since: since))
        return id
    }

    func unsubscribe(_ id: UInt64, from name: TopicName) { submit(.unsubscribe(id, name)) }
    func refresh(_ id: UInt64, of name: TopicName) { submit(.refresh(id, name)) }

    /// Keeps from subscribers of lists what vanishes from those that match, until `release`: a list that is deleted goes in
    /// several commits and is told once. To be called before the first of them.
    func holdBack(_ pattern: Pattern) -> UInt64 {
        let id = nextID.add(1, ordering: .relaxed).newValue
        submit(.hold(id, pattern))
        return id
    }

    /// To be called once the last of the commits was told of.
    func release(_ hold: UInt64) { submit(.release(hold)) }

    /// How many connections each topic has.
    var connections: [(name: String, connections: Int)] { switchboard.withLock { $0.connectionCounts } }

    private func submit(_ input: Input) { _ = loop.submit(input) }

    private func process(_ inputs: ArraySlice<Input>) {
        let (loads, isIdle) = switchboard.withLock { board in (board.process(inputs), board.isIdle) }
        isAwake.store(!isIdle, ordering: .sequentiallyConsistent)
        for load in loads { self.load(load.name, load.generation) }
        if switchboard.withLock({ $0.needsSweep }) {
            DispatchQueue.global().asyncAfter(deadline: .now() + Switchboard.lingerSeconds) { [weak self] in
                self?.submit(.sweep)
            }
        }
    }

    private func attach() {
        for store in host.replicated.map(\.store) + [host.local] {
            guard attached.withLock({ $0.insert(ObjectIdentifier(store)).inserted }) else { continue }
            store.subscribe { [weak self] paths in
                guard let self, isAwake.load(ordering: .sequentiallyConsistent) else { return }
                submit(.changed(paths))
            }
            // A snapshot has taken the place of everything, or the storage was opened again.
            store.onReplaced { [weak self] in self?.submit(.spacesReplaced) }
        }
    }

    /// A list is read beside the hub's thread: others do not wait for it.
    private func load(_ name: TopicName, _ generation: UInt64) {
        DispatchQueue.global().async { [self] in
            let result: Result<[VisibleEntry], StoreError>
            do throws(StoreError) {
                var entries: [VisibleEntry] = []
                switch name {
                case .key(let path): if let entry = try host.visible(path) { entries = [entry] }
                case .list(let pattern): try host.scan(pattern) { entries.append($0) }
                case .changes: break
                }
                result = .success(entries)
            } catch {
                result = .failure(error)
            }
            submit(.loaded(name, generation: generation, result))
        }
    }
}
