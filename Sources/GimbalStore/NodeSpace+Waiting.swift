import GimbalWire
import Synchronization

/// Those who wait until the base is at a place.
extension NodeSpace {
    /// Calls `reached` once the base is at `place` or beyond; at once when it is there already.
    public func whenReached(_ place: Cursor, _ reached: @escaping @Sendable () -> Void) {
        let isThere = published.withLock { state in
            guard !Self.isAt(state.cursor, place) else { return true }
            state.waiters.append((place, reached))
            return false
        }
        if isThere { reached() }
    }

    /// Whether everything that the pivot had at `place` is in a base at `cursor`. Epochs of one number are one only if
    /// their dice agree: a pivot that was restored from a backup opens others.
    static func isAt(_ cursor: Cursor, _ place: Cursor) -> Bool {
        cursor.epoch == place.epoch && cursor.position >= place.position
    }

    func wake(_ cursor: Cursor) {
        let reached = published.withLock { state in
            // The log that brought the base here goes on from where it was when its waiters asked.
            let isReached = { (place: Cursor) in Self.isAt(cursor, place) || cursor.epoch.number > place.epoch.number }
            let reached = state.waiters.filter { isReached($0.place) }
            state.waiters.removeAll { isReached($0.place) }
            return reached
        }
        for waiter in reached { waiter.reached() }
    }
}
