/// The messages of one subscription, for the one who reads them. Closes its source when it goes.
package final class MessageStream: Sendable {
    private let pipe: MessagePipe

    package init(_ pipe: MessagePipe) { self.pipe = pipe }

    deinit { pipe.cancel() }

    /// What comes next; waits for it. At the end, and when the task is cancelled, that.
    func next(isolation: isolated (any Actor)? = #isolation) async -> MessagePipe.Delivery {
        await withTaskCancellationHandler {
            await withCheckedContinuation { pipe.take($0) }
        } onCancel: {
            pipe.cancel()
        }
    }
}
