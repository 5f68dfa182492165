import GimbalCRDT
import GimbalSigning
import GimbalWire

/// Signed requests (RFC 9421). The input is fields parted by a byte that no header has: method, path, query and body of a
/// request, method, path and query of another, and the texts of two headers.
enum RequestProperties {
    static let separator: UInt8 = 0x1e
    private static let sodium = SodiumPrimitives()
    private static let nonce = [UInt8](repeating: 0xab, count: RequestSignature.nonceByteCount)

    static func check(_ bytes: [UInt8]) {
        let fields = bytes.split(separator: separator, omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        guard fields.count == 9 else { return }
        let hash = fields[3].isEmpty ? nil : sodium.sha512(Array(fields[3].utf8))
        let target = RequestSignature.Target(method: fields[0], path: fields[1], query: fields[2], sha512: hash)
        let other = RequestSignature.Target(method: fields[4], path: fields[5], query: fields[6], sha512: hash)
        checkSigned(target, other)
        checkHeaders(fields[7], fields[8], of: target)
    }

    /// A signature holds for what was signed, and for nothing else.
    private static func checkSigned(_ target: RequestSignature.Target, _ other: RequestSignature.Target) {
        let signed = RequestSignature(
            signing: target, nonce: nonce, with: HashSigner(author: AuthorID(words: Words32(1, 2, 3, 4))))
        let headers = Dictionary(uniqueKeysWithValues: signed.headers(for: target))
        func verified(_ target: RequestSignature.Target) -> RequestSignature? {
            try? RequestSignature(verifying: target, header: { headers[$0] }, HashPrimitives())
        }
        let isSendable = [target.method, target.path, target.query].allSatisfy { text in
            text.unicodeScalars.allSatisfy { $0 >= " " && $0 != "\u{7f}" }
        }
        require(verified(target) == (isSendable ? signed : nil), "what is signed here is verified there")
        let isSame = zip([target.method, target.path, target.query], [other.method, other.path, other.query])
            .allSatisfy { $0.utf8.elementsEqual($1.utf8) }
        require(verified(other) == nil || isSame, "another request is not what was signed")
    }

    /// What is taken for a signature has one form.
    private static func checkHeaders(_ input: String, _ signature: String, of target: RequestSignature.Target) {
        let headers = [
            RequestSignature.inputHeader: input, RequestSignature.signatureHeader: signature,
            RequestSignature.digestHeader: target.digest ?? "",
        ]
        let read = try? RequestSignature(verifying: target, header: { headers[$0] }, TrustingPrimitives())
        for header in read?.headers(for: target) ?? [] {
            requireSame(Array(header.value.utf8), as: (headers[header.name] ?? "").utf8)
        }
    }

    /// Requests as nodes send them, and their headers.
    static var seeds: [[UInt8]] {
        let scene = Scene.shared
        return [("GET", "epoch=1-2&position=3&follow=1", ""), ("POST", "", "body")].map { method, query, body in
            let path = "/_pivot/v1/spaces/\(scene.space.hex)/log"
            let target = RequestSignature.Target(
                method: method, path: path, query: query, sha512: body.isEmpty ? nil : sodium.sha512(Array(body.utf8)))
            let headers = RequestSignature(signing: target, nonce: nonce, with: scene.anna).headers(for: target)
            let fields = [method, path, query, body, method, path, query, headers[0].value, headers[1].value]
            return Array(fields.joined(separator: "\u{1e}").utf8)
        }
    }
}
