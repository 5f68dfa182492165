import Foundation
import GimbalReplication
import GimbalStorage
import Synchronization

/// What one space knows of its storage's troubles: says them, and has the storage opened again, with growing pauses, until it
/// takes writes once more. What is in memory is read anew from the storage then, exactly as a restart would, because a batch that
/// failed may be on disk all the same.
final class StorageKeeper: Sendable {
    private struct State {
        /// Why no write is taken.
        var failure: StorageError?
        /// What a read met. It stays until a restart: nobody knows when damage is gone.
        var damage: StorageError?
        /// Before the first attempt after a failure: longer for a storage that works and fails by turns.
        var firstPause = StorageKeeper.shortestPause
        var recoveredAt: UInt64?
        var isClosed = false
        /// Signalled by the thread that tries.
        var ended: DispatchSemaphore?
    }

    private let state = Mutex(State())
    /// The writer asks before each batch, without a lock.
    private let isFailing = Atomic<Bool>(false)
    private let wakeUp = WakeUp()
    private let watcher: (any SpaceWatcher)?
    /// Has the writer call `attempt`; calls back with whether the storage works. False when the writer is gone.
    private struct Asking: Sendable {
        var recover: @Sendable (_ done: @escaping @Sendable (Bool) -> Void) -> Bool = { _ in false }
    }
    private let asking = Mutex(Asking())

    private static let shortestPause: UInt64 = 100
    private static let longestPause: UInt64 = 5000
    private static let longestFirstPause: UInt64 = 60_000
    /// What failed again within this time did not work.
    private static let steadyNanoseconds: UInt64 = 120_000_000_000

    init(_ watcher: (any SpaceWatcher)?) { self.watcher = watcher }

    /// - Parameter recover: submits an attempt to the writer.
    func start(_ engine: any StorageEngine, recover: @escaping @Sendable (@escaping @Sendable (Bool) -> Void) -> Bool) {
        asking.withLock { $0.recover = recover }
        engine.onTrouble { [weak self] trouble in self?.met(trouble) }
    }

    /// Why writes are refused; nil while they are taken.
    var failure: StorageError? {
        guard isFailing.load(ordering: .acquiring) else { return nil }
        return state.withLock { $0.failure }
    }

    /// For people and monitors; nil while all is well.
    var fault: NodeFault? {
        state.withLock { state in
            if let failure = state.failure {
                return .local(code: failure.code, detail: "writes are refused until it works again by itself: \(failure)")
            }
            return state.damage.map { .local(code: $0.code, detail: "\($0)") }
        }
    }

    // MARK: Troubles

    func met(_ trouble: StorageTrouble) {
        switch trouble {
        case .writing(let error): fail(error.cause)
        case .damage(let error):
            let isNews = state.withLock { state in
                defer { if state.damage == nil { state.damage = error } }
                return state.damage == nil
            }
            if isNews { watcher?.storageDamaged(error) }
        }
    }

    private func fail(_ error: StorageError) {
        if case .closed = error { return }
        let now = SystemClock.steadyNanoseconds()
        let isNews = state.withLock { state in
            guard state.failure == nil, !state.isClosed else { return false }
            state.failure = error
            let isAgain = state.recoveredAt.map { now - min($0, now) < Self.steadyNanoseconds } ?? false
            state.firstPause = isAgain ? min(state.firstPause * 2, Self.longestFirstPause) : Self.shortestPause
            state.ended = startThread(after: state.ended, pause: state.firstPause)
            return true
        }
        guard isNews else { return }
        isFailing.store(true, ordering: .releasing)
        watcher?.storageFailed(error)
    }

    /// An attempt failed.
    func stillFails(_ error: StorageError) { state.withLock { $0.failure = error.cause } }

    /// Called by the writer once it has read everything anew, before it takes another write.
    func works() {
        let wasFailing = state.withLock { state in
            defer { state.failure = nil }
            state.recoveredAt = SystemClock.steadyNanoseconds()
            return state.failure != nil
        }
        isFailing.store(false, ordering: .releasing)
        if wasFailing { watcher?.storageWorks() }
    }

    // MARK: The thread that tries

    private func startThread(after last: DispatchSemaphore?, pause: UInt64) -> DispatchSemaphore {
        let ended = DispatchSemaphore(value: 0)
        let thread = Thread { [self] in
            last?.wait()
            keepTrying(pause)
            ended.signal()
        }
        thread.name = "gimbal-recovery"
        thread.stackSize = 1 << 20
        thread.start()
        return ended
    }

    private func keepTrying(_ firstPause: UInt64) {
        var pause = firstPause
        while true {
            wakeUp.wait(milliseconds: pause)
            pause = min(pause * 2, Self.longestPause)
            guard !state.withLock({ $0.isClosed }) else { return }
            let answered = DispatchSemaphore(value: 0)
            let works = Atomic<Bool>(false)
            let isAsked = asking.withLock { $0 }.recover { isWorking in
                works.store(isWorking, ordering: .releasing)
                answered.signal()
            }
            guard isAsked else { return }
            answered.wait()
            if works.load(ordering: .acquiring) { return }
        }
    }

    /// Ends the thread. To be called when the writer has ended.
    func close() {
        let ended = state.withLock { state in
            state.isClosed = true
            return state.ended
        }
        wakeUp.signal()
        ended?.wait()
    }
}

extension StorageKeeper {
    /// An error of this layer, met where the writer cannot go on.
    func met(_ error: StoreError) {
        switch error {
        case .storage(let error): met(.writing(error))
        case .damaged, .newerFormat, .anotherSpace: met(.writing(.corrupt(reason: error.description)))
        }
    }

    /// An error that stops only what met it: shown if it is damage.
    func noticed(_ error: StoreError) {
        switch error {
        case .storage(.corrupt(let reason)): met(.damage(.corrupt(reason: reason)))
        case .damaged: met(.damage(.corrupt(reason: error.description)))
        case .storage, .newerFormat, .anotherSpace: break
        }
    }

    func stillFails(_ error: StoreError) {
        if case .storage(let error) = error { stillFails(error) } else { stillFails(.corrupt(reason: error.description)) }
    }
}
