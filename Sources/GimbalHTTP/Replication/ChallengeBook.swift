import GimbalCRDT
import GimbalSigning
import GimbalWire
import Synchronization

/// The challenges that this process gives out, and which of their counters were used.
///
/// A challenge proves by itself that it was made here, so that giving one out costs no memory; what is remembered of it
/// begins with the first request that is signed well.
package final class ChallengeBook: Sendable {
    private struct Window {
        var author: AuthorID
        var greatest: UInt64 = 0
        /// Bit k: `greatest − k` was used.
        var used = [UInt64](repeating: 0, count: ChallengeBook.windowSize / 64)
    }

    private struct Book {
        var secret: [UInt8]
        var windows: [[UInt8]: Window] = [:]
    }

    /// Counters may arrive in any order within this many.
    package static let windowSize = 4096
    private static let capacity = 20_000

    private let primitives = SodiumPrimitives()
    private let book = Mutex(Book(secret: SodiumPrimitives().randomBytes(32)))

    package init() {}

    package func issue() -> [UInt8] {
        let random = primitives.randomBytes(8)
        return random + proof(random, book.withLock { $0.secret })
    }

    private func proof(_ random: [UInt8], _ secret: [UInt8]) -> [UInt8] {
        Array(primitives.hash(secret + random).bytes.prefix(8))
    }

    /// Whether a nonce is of a challenge from here, used by nobody else, and its counter is new. Call it once for a request
    /// whose signature holds.
    package func take(_ signature: RequestSignature) -> Bool {
        let challenge = signature.challenge
        return book.withLock { book in
            guard proof(Array(challenge.prefix(8)), book.secret) == Array(challenge.suffix(8)), signature.counter > 0 else {
                return false
            }
            if book.windows.count >= Self.capacity, book.windows[challenge] == nil {
                // Nothing that was used may come back: with the memory the challenges go, and everybody gets a new one.
                book = Book(secret: primitives.randomBytes(32))
                return false
            }
            var window = book.windows[challenge] ?? Window(author: signature.author)
            guard window.author == signature.author, Self.use(signature.counter, &window) else { return false }
            book.windows[challenge] = window
            return true
        }
    }

    private static func use(_ counter: UInt64, _ window: inout Window) -> Bool {
        if counter > window.greatest {
            shift(&window, by: counter - window.greatest)
            window.greatest = counter
            window.used[0] |= 1
            return true
        }
        let age = window.greatest - counter
        guard age < UInt64(windowSize) else { return false }
        let (word, bit) = (Int(age / 64), age % 64)
        guard window.used[word] >> bit & 1 == 0 else { return false }
        window.used[word] |= 1 << bit
        return true
    }

    private static func shift(_ window: inout Window, by distance: UInt64) {
        guard distance < UInt64(windowSize) else {
            window.used = Array(repeating: 0, count: windowSize / 64)
            return
        }
        let (words, bits) = (Int(distance / 64), distance % 64)
        let old = window.used
        for index in old.indices.reversed() {
            let source = index - words
            var word = source >= 0 ? old[source] << bits : 0
            if bits > 0, source >= 1 { word |= old[source - 1] >> (64 - bits) }
            window.used[index] = word
        }
    }
}
