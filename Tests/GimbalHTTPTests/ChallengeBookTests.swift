import GimbalHTTP
import GimbalSigning
import GimbalWire
import Laws
import Testing

/// A nonce is taken once, in any order within the window.
struct ChallengeBookTests {
    private let target = RequestSignature.Target(method: "GET", path: "/", query: "", sha512: nil)
    private let key = SigningKey.generate()

    private func signature(_ challenge: [UInt8], _ counter: UInt64, by key: SigningKey? = nil) -> RequestSignature {
        let nonce = RequestSignature.nonce(challenge: challenge, counter: counter)
        return RequestSignature(signing: target, nonce: nonce, with: key ?? self.key)
    }

    @Test("the window agrees with a set of all counters that were used", arguments: [1, 63, 64, 65, 700, 5_000])
    func window(stride: UInt64) {
        let book = ChallengeBook()
        let challenge = book.issue()
        var random = SeededRandom(seed: stride)
        var used: Set<UInt64> = []
        var greatest: UInt64 = 0
        let size = UInt64(ChallengeBook.windowSize)
        for _ in 0..<3_000 {
            // Around the greatest one, and around the window's far end.
            let back = UInt64.random(in: 0..<2, using: &random) == 0 ? 0 : size
            let middle = greatest > back ? greatest - back : 0
            let counter = middle + UInt64.random(in: 0...stride, using: &random) - min(middle, stride / 2)
            let isNew = counter > 0 && !used.contains(counter) && (counter > greatest || greatest - counter < size)
            #expect(book.take(signature(challenge, counter)) == isNew, "\(counter) after \(greatest)")
            if isNew {
                used.insert(counter)
                greatest = max(greatest, counter)
            }
        }
    }

    @Test("the greatest counter ends the window without a trap")
    func extremes() {
        let book = ChallengeBook()
        let challenge = book.issue()
        #expect(!book.take(signature(challenge, 0)))
        #expect(book.take(signature(challenge, 1)))
        #expect(book.take(signature(challenge, .max)))
        #expect(!book.take(signature(challenge, .max)) && !book.take(signature(challenge, 1)))
        #expect(book.take(signature(challenge, .max - 1)))
    }

    @Test("a challenge is of one process and one author")
    func owners() {
        let book = ChallengeBook()
        let challenge = book.issue()
        #expect(!ChallengeBook().take(signature(challenge, 1)))
        for index in challenge.indices {
            var forged = challenge
            forged[index] ^= 1
            #expect(!book.take(signature(forged, 1)))
        }
        #expect(book.take(signature(challenge, 1)))
        #expect(!book.take(signature(challenge, 2, by: SigningKey.generate())))
        #expect(book.take(signature(challenge, 2)))
    }
}
