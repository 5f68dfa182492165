import GimbalCRDT
import GimbalReplication
import GimbalStorage
import Synchronization

/// After a write that failed.
extension NodeSpace {
    /// While no write is taken. What the pivot says is asked for again afterwards.
    func refuse(_ job: Job, _ failure: StorageError) {
        switch job {
        case .write(_, let completion):
            watcher?.commitFailed(failure.code)
            completion(.failure(WriteFailure(failure)))
        case .input(_, let done): done()
        case .recover(let done): done(recover())
        }
    }

    /// Has the storage opened again and reads everything from it, as a restart would. False while it does not work.
    private func recover() -> Bool {
        do throws(StoreError) {
            try storing { () throws(StorageError) in try engine.recover() }
            try stepper.withLock { stepper throws(StoreError) in try stepper.reload() }
            // What an install that was on disk all the same left there.
            if try SnapshotProgress.load(engine) == nil { retention.releaseStaging() }
            try proofs.reload()
        } catch {
            keeper.stillFails(error)
            return false
        }
        let core = stepper.withLock { $0.machine }
        cache.removeAll()
        show(core)
        published.withLock { $0.fault = nil }
        wake(core.cursor)
        keeper.works()
        for listener in replaceListeners.withLock({ $0 }) { listener() }
        commandSink.yield(.follow(withOwnBodies: core.isInvestigating))
        return true
    }
}
