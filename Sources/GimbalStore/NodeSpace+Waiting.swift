import GimbalReplication
import GimbalWire
import Synchronization

/// Those who wait until the base is at a place.
extension NodeSpace {
    /// Calls `reached` once the base is at `place` or beyond; at once when it is there already.
    public func whenReached(_ place: Cursor, _ reached: @escaping @Sendable () -> Void) {
        let isThere = published.withLock { state in
            guard !state.cursor.reaches(place) else { return true }
            state.waiters.append((place, reached))
            return false
        }
        if isThere { reached() }
    }

    func wake(_ cursor: Cursor) {
        let reached = published.withLock { state in
            // The log that brought the base here goes on from where it was when its waiters asked.
            let isReached = { (place: Cursor) in cursor.reaches(place) || cursor.epoch.number > place.epoch.number }
            let reached = state.waiters.filter { isReached($0.place) }
            state.waiters.removeAll { isReached($0.place) }
            return reached
        }
        for waiter in reached { waiter.reached() }
    }
}
