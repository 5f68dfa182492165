import GimbalWire
import Logging
import NIOCore

/// Follows one key or list over as many connections as it takes. Everything happens in the task that asks for the next
/// change; what nobody asks for waits at the server, which keeps little and then sends everything anew.
struct Follower {
    private let transport: any Transport
    private let target: String
    private let reconnect: Reconnect
    private let logger: Logger?
    private var mirror: Mirror
    /// Of the last message; nil until there is one, and when the copy has to be made anew.
    private var version: String?
    private var stream: MessageStream?
    private var backoff: Backoff
    private var pending = CircularBuffer<ItemChange>()
    private var isFinished = false

    init(_ target: String, _ shape: Mirror.Shape, _ transport: any Transport, _ reconnect: Reconnect, _ logger: Logger?) {
        self.target = target
        self.transport = transport
        self.reconnect = reconnect
        self.logger = logger
        mirror = Mirror(shape)
        backoff = Backoff(reconnect)
    }

    /// The next change; nil once the task is cancelled or the client shut down.
    mutating func next(isolation: isolated (any Actor)? = #isolation) async throws(GimbalError) -> ItemChange? {
        while !isFinished {
            if let change = pending.popFirst() { return change }
            if let stream {
                take(await stream.next())
            } else {
                try await open()
            }
            if stream == nil, !isFinished { await pause() }
        }
        return nil
    }

    private mutating func open(isolation: isolated (any Actor)? = #isolation) async throws(GimbalError) {
        do throws(GimbalError) {
            stream = try await transport.open(target, since: version)
        } catch {
            switch error {
            case .cancelled, .shutDown: isFinished = true
            case _ where !error.isTransient, _ where backoff.failures >= reconnect.attempts ?? .max:
                isFinished = true
                throw error
            default: log("cannot subscribe: \(error)")
            }
        }
    }

    /// The wait before the next attempt.
    private mutating func pause(isolation: isolated (any Actor)? = #isolation) async {
        do { try await Task.sleep(for: backoff.next()) } catch { isFinished = true }
    }

    private mutating func take(_ delivery: MessagePipe.Delivery) {
        switch delivery {
        case .cancelled:
            stream = nil
            isFinished = true
        case .ended(let reason):
            log("subscription interrupted: \(reason)")
            stream = nil
        case .message(let bytes):
            do throws(Item.Malformed) {
                let message = try Message(bytes)
                pending += try mirror.take(isSnapshot: message.isSnapshot, message.data)
                version = message.version
                backoff = Backoff(reconnect)
            } catch {
                log("a message does not fit: everything is asked for anew")
                version = nil
                stream = nil
            }
        }
    }

    private func log(_ message: Logger.Message) {
        logger?.info(message, metadata: ["target": "\(target)", "version": "\(version ?? "none")"])
    }
}

/// `{"snapshot":…,"version":…,"data":…}`
private struct Message {
    var isSnapshot: Bool
    var version: String
    var data: JSONValue

    init(_ bytes: [UInt8]) throws(Item.Malformed) {
        guard let json = try? JSONValue(parsing: bytes), let isSnapshot = json["snapshot"]?.bool,
            let version = json["version"]?.string, let data = json["data"]
        else { throw Item.Malformed() }
        self.isSnapshot = isSnapshot
        self.version = version
        self.data = data
    }
}
