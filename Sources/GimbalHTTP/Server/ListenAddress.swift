import Foundation
import NIOCore

/// Asks the system for the address before anything is founded or written: one that is taken or is not this machine's is a
/// matter of the command line, and leaves no trace.
enum ListenAddress {
    struct Failure: Error, CustomStringConvertible {
        var code: String
        var description: String

        /// - Parameter number: of the system's error.
        init(_ number: Int32, _ address: String) {
            switch number {
            case EADDRINUSE:
                code = "address-in-use"
                description = "another program listens on \(address): stop it, or listen elsewhere with --listen"
            case EACCES, EPERM:
                code = "address-forbidden"
                description = "this user may not listen on \(address): ports below 1024 are for root"
            default:
                code = "address-unusable"
                description = "\(address) is no address of this machine: \(String(cString: strerror(number)))"
            }
        }
    }

    static func check(_ host: String, _ port: Int) throws(Failure) {
        let text = "\(host.contains(":") ? "[\(host)]" : host):\(port)"
        let address: SocketAddress
        do {
            address = try SocketAddress.makeAddressResolvingHost(host, port: port)
        } catch {
            throw Failure(EADDRNOTAVAIL, text)
        }
        let descriptor = socket(
            Int32(address.protocol.rawValue), Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw Failure(errno, text) }
        defer { close(descriptor) }
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        let isBound = address.withSockAddr { bind(descriptor, $0, socklen_t($1)) == 0 && listen(descriptor, 1) == 0 }
        guard isBound else { throw Failure(errno, text) }
    }
}
