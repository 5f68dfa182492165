import Hummingbird
import NIOCore
import Synchronization

/// How many bytes of bodies that are not whole yet a server holds in all. Whoever sends the beginnings of many bodies and no
/// end gets no further than this.
final class BodyBudget: Sendable {
    struct UsedUp: Error {}

    static let usedUp = KeyAnswer.failure(
        503, "busy", "too many bodies that are not whole yet are in memory: try again")
    static let standardBytes = 64 << 20
    /// The beginning of a body that is never counted, so that small values get through whatever others do.
    private static let freeBytes = 4 << 10

    private let limit: Int
    private let used = Atomic<Int>(0)

    init(_ limit: Int = standardBytes) { self.limit = limit }

    private func take(_ count: Int) -> Bool {
        let (_, new) = used.add(count, ordering: .relaxed)
        guard new > limit else { return true }
        give(count)
        return false
    }

    private func give(_ count: Int) { used.subtract(count, ordering: .relaxed) }

    /// What one body has of it.
    struct Share {
        private let budget: BodyBudget
        private var held = 0

        init(of budget: BodyBudget) { self.budget = budget }

        /// False when there is not enough left.
        ///
        /// - Parameter size: of all that is here of the body.
        mutating func grow(to size: Int) -> Bool {
            let more = size - BodyBudget.freeBytes - held
            guard more > 0 else { return true }
            guard budget.take(more) else { return false }
            held += more
            return true
        }

        mutating func release() {
            guard held > 0 else { return }
            budget.give(held)
            held = 0
        }
    }

    /// A whole body.
    ///
    /// - Throws: `NIOTooManyBytesError` for one that is larger, `UsedUp`.
    func collect(_ body: RequestBody, upTo limit: Int) async throws -> ByteBuffer {
        var share = Share(of: self)
        defer { share.release() }
        var whole = ByteBuffer()
        for try await var part in body {
            let size = whole.readableBytes + part.readableBytes
            guard size <= limit else { throw NIOTooManyBytesError(maxBytes: limit) }
            guard share.grow(to: size) else { throw UsedUp() }
            whole.writeBuffer(&part)
        }
        return whole
    }
}
