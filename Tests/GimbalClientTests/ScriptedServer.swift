import GimbalClient
import GimbalWire
import Synchronization
import Testing

/// A server that says what its script says: one connection after the other.
final class ScriptedServer: Transport {
    enum Connection: Sendable {
        /// These messages, then the connection breaks.
        case messages([String])
        /// These messages, then silence.
        case open([String])
        case refusal(GimbalError)
    }

    private let script: Mutex<[Connection]>
    private let asked = Mutex<[String]>([])

    init(_ script: [Connection]) { self.script = Mutex(script) }

    /// The versions that came with each connection; `-` for none.
    var versions: [String] { asked.withLock { $0 } }

    var client: GimbalClient {
        var options = GimbalClient.Options()
        options.reconnect = Reconnect(firstDelay: .milliseconds(1), greatestDelay: .milliseconds(2), attempts: 3)
        return GimbalClient(transport: self, options: options)
    }

    func send(_ request: TransportRequest) async throws(GimbalError) -> TransportAnswer { throw .shutDown }

    func open(_ target: String, since version: String?) async throws(GimbalError) -> MessageStream {
        asked.withLock { $0.append(version ?? "-") }
        let next = script.withLock { script in script.isEmpty ? nil : script.removeFirst() }
        let pipe = MessagePipe(onDemand: {}, onCancel: {})
        switch next {
        case .messages(let messages):
            for message in messages { pipe.offer(Array(message.utf8)) }
            pipe.end("over")
        case .open(let messages): for message in messages { pipe.offer(Array(message.utf8)) }
        case .refusal(let error): throw error
        case nil: throw .shutDown
        }
        return MessageStream(pipe)
    }

    func shutdown() async {}
}

/// A key as servers show it.
func meta(_ path: String, _ value: String, created: Int = 1, updated: Int = 0) -> String {
    let index = path.split(separator: "/").last ?? ""
    return #"{"created":\#(created),"updated":\#(updated),"index":"\#(index)","path":"\#(path)","data":\#(value)}"#
}

func snapshot(_ version: String, _ data: String) -> String { #"{"snapshot":true,"version":"\#(version)","data":\#(data)}"# }
func patch(_ version: String, _ data: String) -> String { #"{"snapshot":false,"version":"\#(version)","data":\#(data)}"# }
