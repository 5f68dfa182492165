import Dispatch
import Foundation
import Synchronization

/// A thread of its own that takes everything that is waiting, has it processed, and takes what came meanwhile: the one writer
/// of a space (many clients share one commit that way, and none waits longer than two), or the one teller of its changes.
package final class BatchLoop<Input: Sendable>: Sendable {
    private struct Queue {
        var waiting: [Input] = []
        var isClosed = false
    }

    private let queue = Mutex(Queue())
    private let wakeUp = DispatchSemaphore(value: 0)
    private let ended = DispatchSemaphore(value: 0)
    /// At most this many inputs in one batch.
    private let batchLimit: Int

    package init(batchLimit: Int = 4096) {
        self.batchLimit = batchLimit
    }

    /// Starts the thread. `process` runs on it alone, with inputs in the order of their submission.
    package func start(name: String, process: @escaping @Sendable (ArraySlice<Input>) -> Void) {
        let thread = Thread { [self] in
            while let batch = next() {
                var rest = batch[...]
                while !rest.isEmpty {
                    process(rest.prefix(batchLimit))
                    rest = rest.dropFirst(batchLimit)
                }
            }
            ended.signal()
        }
        thread.name = name
        thread.stackSize = 1 << 20
        thread.start()
    }

    /// False once the loop is closed.
    package func submit(_ input: Input) -> Bool {
        let (isAccepted, wasEmpty) = queue.withLock { queue in
            guard !queue.isClosed else { return (false, false) }
            queue.waiting.append(input)
            return (true, queue.waiting.count == 1)
        }
        if wasEmpty { wakeUp.signal() }
        return isAccepted
    }

    /// Processes what was submitted before and ends the thread.
    package func close() {
        let wasOpen = queue.withLock { queue in
            defer { queue.isClosed = true }
            return !queue.isClosed
        }
        guard wasOpen else { return }
        wakeUp.signal()
        ended.wait()
    }

    private func next() -> [Input]? {
        while true {
            let (batch, isClosed) = queue.withLock { queue in
                let batch = queue.waiting
                queue.waiting = []
                return (batch, queue.isClosed)
            }
            if !batch.isEmpty { return batch }
            if isClosed { return nil }
            wakeUp.wait()
        }
    }
}
