import GimbalSigning
import GimbalWire

extension RequestSignature.Target {
    /// - Parameter body: nil for a request without one.
    init(method: String, path: String, query: String, body: [UInt8]?, _ primitives: SodiumPrimitives) {
        self.init(method: method, path: path, query: query, sha512: body.map(primitives.sha512))
    }
}
