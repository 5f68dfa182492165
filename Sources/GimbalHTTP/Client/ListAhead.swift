import GimbalCRDT
import Synchronization

/// What the scan for one page of a list found beyond it. A list's order is by time, so every scan has to look at all keys; the
/// pages after it need none for a while.
///
/// What they show is as it is when they are asked for: only the order is remembered.
package final class ListAhead: Sendable {
    /// Which list, and the last key of the page before.
    package struct Question: Hashable {
        var pattern: Pattern
        var part: String?
        var after: KeyPlace

        package init(pattern: Pattern, part: String?, after: KeyPlace) {
            self.pattern = pattern
            self.part = part
            self.after = after
        }
    }

    package struct Rest {
        package var keys: ArraySlice<KeyPlace>
        /// Whether the list ends with them.
        var isWhole: Bool
        /// How many keys there were on all pages.
        var total: Int
        let found = ContinuousClock.now

        package init(keys: ArraySlice<KeyPlace>, isWhole: Bool, total: Int) {
            self.keys = keys
            self.isWhole = isWhole
            self.total = total
        }

        /// Whether a page can be made of it and what is left still says where the next one begins.
        func has(_ limit: Int) -> Bool { isWhole || keys.count > limit }
    }

    /// A key that another server wrote earlier may come into the middle of a list: it is missed for so long.
    private static let lifetime = Duration.seconds(10)
    private static let capacity = 8

    private let rests = Mutex<[(question: Question, rest: Rest)]>([])

    package init() {}

    /// How many keys a scan keeps for a page of so many: a few thousand, and never less than tells whether a page follows.
    package static func depth(_ limit: Int) -> Int {
        max(min(limit, .max - 1) + 1, min(limit, 512) * 16)
    }

    package func find(_ question: Question, limit: Int) -> Rest? {
        let now = ContinuousClock.now
        return rests.withLock { rests in
            rests.removeAll { $0.rest.found + Self.lifetime < now }
            // Left where it is: a client may ask again for a page that it did not get.
            return rests.first { $0.question == question }?.rest
        }.flatMap { $0.has(limit) ? $0 : nil }
    }

    package func keep(_ rest: Rest, for question: Question) {
        rests.withLock { rests in
            rests.removeAll { $0.question == question }
            if rests.count >= Self.capacity { rests.removeFirst() }
            rests.append((question, rest))
        }
    }
}
