import GimbalCRDT
import GimbalSigning
import GimbalWire
import Testing

/// Signed requests: one form, and nothing but what was signed.
struct RequestSignatureTests {
    private static let key = BundleFixture.key(9)
    private static let nonce = RequestSignature.nonce(challenge: Array(1...16), counter: 258)

    private static func target(method: String = "POST", body: String? = "body") -> RequestSignature.Target {
        let hash = body.map { SodiumPrimitives().sha512(Array($0.utf8)) }
        return RequestSignature.Target(method: method, path: "/a/b", query: "c=d", sha512: hash)
    }

    private static func headers(_ target: RequestSignature.Target) -> [String: String] {
        let signed = RequestSignature(signing: target, nonce: nonce, with: key)
        return Dictionary(uniqueKeysWithValues: signed.headers(for: target).map { ($0.name, $0.value) })
    }

    private static func verify(
        _ target: RequestSignature.Target, _ headers: [String: String]
    ) throws(RequestSignature.Failure) -> RequestSignature {
        try RequestSignature(verifying: target, header: { headers[$0] }, SodiumPrimitives())
    }

    @Test("what is signed is verified, with a body and without one")
    func signed() throws {
        for target in [Self.target(), Self.target(method: "GET", body: nil)] {
            let signature = try Self.verify(target, Self.headers(target))
            #expect(signature.author == Self.key.author && signature.nonce == Self.nonce)
            #expect(signature.challenge == Array(1...16) && signature.counter == 258)
        }
    }

    @Test("another method, path, query or body is not what was signed")
    func others() {
        let headers = Self.headers(Self.target())
        for change: (inout RequestSignature.Target) -> Void in [
            { $0.method = "PUT" }, { $0.path = "/a/c" }, { $0.query = "" },
        ] {
            var other = Self.target()
            change(&other)
            #expect(throws: RequestSignature.Failure.wrongSignature) { try Self.verify(other, headers) }
        }
        #expect(throws: RequestSignature.Failure.wrongDigest) { try Self.verify(Self.target(body: "other"), headers) }
        #expect(throws: RequestSignature.Failure.malformed) { try Self.verify(Self.target(body: nil), headers) }
    }

    @Test("a line break cannot make two requests look the same")
    func lines() {
        let target = RequestSignature.Target(method: "GET", path: "/a", query: "b\n\"@path\": /c", sha512: nil)
        #expect(throws: RequestSignature.Failure.malformed) { try Self.verify(target, Self.headers(target)) }
    }

    @Test("headers have one form, to the byte: a fuzzer's finds")
    func oneForm() throws {
        let target = Self.target()
        let right = Self.headers(target)
        func refused(_ name: String, _ value: String, _ failure: RequestSignature.Failure = .malformed) {
            #expect(throws: failure, "\(value)") { try Self.verify(target, right.merging([name: value]) { $1 }) }
        }
        let input = try #require(right[RequestSignature.inputHeader])
        let signature = try #require(right[RequestSignature.signatureHeader])
        let digest = try #require(right[RequestSignature.digestHeader])
        // U+037E is equal to a semicolon for Swift's `==`, U+212A to a K.
        refused(RequestSignature.inputHeader, input.replacing(";", with: "\u{37e}"))
        refused(RequestSignature.inputHeader, input.replacing(";alg", with: "\u{37e}alg"))
        refused(RequestSignature.inputHeader, input + " ")
        refused(RequestSignature.inputHeader, input.replacing("010203", with: "01020g"))
        refused(RequestSignature.inputHeader, "")
        refused(RequestSignature.signatureHeader, String(signature.dropLast(1)))
        refused(RequestSignature.signatureHeader, "gimbal=:")
        // The last digit before the padding has four bits that no byte needs.
        let spare = try #require(Self.withSpareBits(signature))
        refused(RequestSignature.signatureHeader, spare)
        if digest.contains("K") { refused(RequestSignature.digestHeader, digest.replacing("K", with: "\u{212a}"), .wrongDigest) }
        #expect(throws: RequestSignature.Failure.missing) { try Self.verify(target, [:]) }
    }

    private static func withSpareBits(_ signature: String) -> String? {
        let digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        let last = signature.dropLast(3)
        guard let digit = last.last, let place = digits.firstIndex(of: digit) else { return nil }
        return last.dropLast() + String(digits[digits.index(after: place)]) + "==:"
    }
}
