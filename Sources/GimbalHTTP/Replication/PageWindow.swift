import Synchronization

/// Bounds the pages that were verified and wait for the writer. Those that wait together are one commit: a node that has fallen
/// behind a busy log catches up by the hundred, and one that follows it waits for nothing.
final class PageWindow: Sendable {
    private struct State {
        /// Bytes of each page that is in, in the order of their coming.
        var pages: [Int] = []
        var bytes = 0
        var isClosed = false
        /// Who waits for room, or for the end.
        var waiting: (fits: @Sendable (_ pages: Int, _ bytes: Int) -> Bool, CheckedContinuation<Void, Never>)?
    }

    private static let pageLimit = 256
    private static let byteLimit = 4 << 20

    private let state = Mutex(State())

    /// Waits until there is room, and takes it. A page that is larger than all of it has it alone. For one task at a time.
    func enter(_ size: Int) async {
        await wait { pages, bytes in pages == 0 || (pages < Self.pageLimit && bytes + size <= Self.byteLimit) }
        state.withLock { state in
            state.pages.append(size)
            state.bytes += size
        }
    }

    /// The page that came first of those that are in is on disk, or was refused.
    func leave() {
        let woken = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard !state.pages.isEmpty else { return nil }
            state.bytes -= state.pages.removeFirst()
            guard let waiting = state.waiting, waiting.fits(state.pages.count, state.bytes) else { return nil }
            state.waiting = nil
            return waiting.1
        }
        woken?.resume()
    }

    /// Nobody waits for it any more: what is in it may never leave.
    func close() {
        let woken = state.withLock { state in
            state.isClosed = true
            defer { state.waiting = nil }
            return state.waiting?.1
        }
        woken?.resume()
    }

    /// Waits until all that entered have left.
    func drained() async { await wait { pages, _ in pages == 0 } }

    private func wait(until fits: @escaping @Sendable (_ pages: Int, _ bytes: Int) -> Bool) async {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                guard !state.isClosed, !fits(state.pages.count, state.bytes) else { return true }
                state.waiting = (fits, continuation)
                return false
            }
            if isThere { continuation.resume() }
        }
    }
}
