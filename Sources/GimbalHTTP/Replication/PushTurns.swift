import GimbalCRDT
import Synchronization

/// Gives each member one push at a time, so that it has at most one body in memory, whatever it sends on how many connections.
///
/// A member that pushes again while a body of its is still coming has given that one up (its connection is gone, and nobody here
/// knows yet): the newer takes its place. One whose body is here is taken to its end first.
final class PushTurns: Sendable {
    private struct Turn {
        var number: UInt64
        var reading: Task<[UInt8], any Error>
        var end: Task<Void, Never>
    }

    private struct Book {
        var next: UInt64 = 0
        var turns: [AuthorID: Turn] = [:]
    }

    private let book = Mutex(Book())

    /// - Throws: `CancellationError` when a newer push took its place; what `read` and `work` throw.
    func take<Answer: Sendable>(
        _ author: AuthorID, read: @escaping @Sendable () async throws -> [UInt8],
        work: @escaping @Sendable ([UInt8]) async throws -> Answer
    ) async throws -> Answer {
        let (number, reading, whole) = book.withLock { book in
            let before = book.turns[author]
            before?.reading.cancel()
            let end = before?.end
            let reading = Task {
                await end?.value
                try Task.checkCancellation()
                let body = try await read()
                // A body whose reading is given up looks like one that ended.
                try Task.checkCancellation()
                return body
            }
            let whole = Task { try await work(reading.value) }
            book.next += 1
            book.turns[author] = Turn(number: book.next, reading: reading, end: Task { _ = await whole.result })
            return (book.next, reading, whole)
        }
        defer {
            book.withLock { book in
                if book.turns[author]?.number == number { book.turns[author] = nil }
            }
        }
        return try await withTaskCancellationHandler {
            try await whole.value
        } onCancel: {
            reading.cancel()
        }
    }
}
