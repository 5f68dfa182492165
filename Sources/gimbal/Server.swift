import ArgumentParser
import AsyncHTTPClient
import Foundation
import GimbalClient
import GimbalSigning
import GimbalStore
import GimbalWire
import NIOCore
import NIOHTTP1

/// Something that went wrong, as a person and a script can read it.
struct CommandFailure: Error, CustomStringConvertible {
    var code: String
    var sentence: String

    var description: String { "\(code): \(sentence)" }
}

/// A server as the operator names it: a URL, or the data folder in which a running one listens.
struct Server {
    private let url: @Sendable (String) throws -> String
    /// Of requests whose URL names no host.
    private let host: String?

    init(_ name: String) throws {
        if name.contains("://") {
            let base: String
            do {
                base = try ServerAddress(name).base
            } catch {
                throw CommandFailure(code: "invalid-url", sentence: "this is not the URL of a server: \(error)")
            }
            url = { base + $0 }
            host = nil
            return
        }
        let socket = OperatorSocketPath.inFolder(name)
        guard FileManager.default.fileExists(atPath: socket) else {
            throw CommandFailure(
                code: "not-running",
                sentence: "no server listens in \(name): it is neither a URL nor the data folder of a running server")
        }
        let reachable = try Self.reachablePath(socket, in: name)
        let escaped = reachable.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? reachable
        url = { "http+unix://\(escaped)\($0)" }
        host = "localhost"
    }

    /// A socket's path has at most 107 bytes; a longer one is reached through its folder's descriptor.
    private static func reachablePath(_ socket: String, in folder: String) throws -> String {
        guard socket.utf8.count > 100 else { return socket }
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY)
        guard descriptor >= 0 else { throw CommandFailure(code: "not-running", sentence: "\(folder) cannot be opened") }
        return "/proc/self/fd/\(descriptor)/operator.sock"
    }

    struct Reply {
        var headers: HTTPHeaders
        var body: ByteBuffer

        var text: String { String(buffer: body) }

        /// As it was written, numbers included.
        var json: JSONValue {
            get throws { try JSONValue(parsing: Array(body.readableBytesView)) }
        }
    }

    /// Sends a request and reads the whole answer; throws what the server refuses.
    func send(_ method: HTTPMethod, _ target: String, body: String? = nil) async throws -> Reply {
        let response = try await execute(method, target, body)
        let bytes = try await response.body.collect(upTo: 1 << 30)
        try Self.check(response, bytes)
        return Reply(headers: response.headers, body: bytes)
    }

    /// Sends a request and passes the answer on as it comes.
    func stream(_ target: String, to sink: (ByteBuffer) throws -> Void) async throws {
        let response = try await execute(.GET, target, nil, timeout: .hours(1))
        if response.status != .ok { try Self.check(response, try await response.body.collect(upTo: 1 << 16)) }
        for try await chunk in response.body { try sink(chunk) }
    }

    /// Sends a file as it is read.
    func upload(_ target: String, from file: FileHandle) async throws -> Reply {
        let chunks = AsyncStream<ByteBuffer>(unfolding: {
            guard let data = try? file.read(upToCount: 1 << 18), !data.isEmpty else { return nil }
            return ByteBuffer(bytes: data)
        })
        var request = try request(.POST, target)
        request.body = .stream(chunks, length: .unknown)
        let response = try await Self.reaching { try await Self.client.execute(request, timeout: .hours(1)) }
        let bytes = try await response.body.collect(upTo: 1 << 20)
        try Self.check(response, bytes)
        return Reply(headers: response.headers, body: bytes)
    }

    private static func reaching<Answer>(_ body: () async throws -> Answer) async throws -> Answer {
        do {
            return try await body()
        } catch {
            let reason = (error as? IOError).map { String(cString: strerror($0.errnoCode)) } ?? "\(error)"
            throw CommandFailure(code: "unreachable", sentence: "the server cannot be reached: \(reason)")
        }
    }

    private func request(_ method: HTTPMethod, _ target: String) throws -> HTTPClientRequest {
        var request = HTTPClientRequest(url: try url(target))
        request.method = method
        if let host { request.headers.add(name: "Host", value: host) }
        return request
    }

    private func execute(
        _ method: HTTPMethod, _ target: String, _ body: String?, timeout: TimeAmount = .seconds(60)
    ) async throws -> HTTPClientResponse {
        var request = try request(method, target)
        if let body { request.body = .bytes(ByteBuffer(string: body)) }
        return try await Self.reaching { [request] in try await Self.client.execute(request, timeout: timeout) }
    }

    /// Says at once that nobody listens; lives as long as the process.
    private static let client: HTTPClient = {
        var configuration = HTTPClient.Configuration()
        configuration.timeout.connect = .seconds(5)
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroup: HTTPClient.defaultEventLoopGroup, configuration: configuration)
    }()

    private static func check(_ response: HTTPClientResponse, _ body: ByteBuffer) throws {
        guard response.status.code >= 300 else { return }
        let code = response.headers.first(name: "Gimbal-Error") ?? "status-\(response.status.code)"
        throw CommandFailure(code: code, sentence: sentence(code, String(buffer: body)))
    }

    /// Some sentences are on the wire for clients of the ooo protocol and say nothing to a person here.
    private static func sentence(_ code: String, _ text: String) -> String {
        switch (code, text) {
        case ("not-found", "ooo: empty key"), ("not-found", "ooo: not found"), ("not-found", "storage: not found"):
            "there is nothing at that key"
        case ("invalid-path", "ooo: key is not valid"):
            "that is neither a key nor a pattern: segments of letters, digits, \".\", \"_\" and \"-\", joined by \"/\""
        case ("json-end", "EOF"): "the value is not JSON: it ends too early"
        default: text
        }
    }

    /// A path or pattern as it stands in a URL.
    static func target(_ key: String) throws -> String {
        guard let escaped = key.addingPercentEncoding(withAllowedCharacters: .urlPathAllowed), !key.isEmpty else {
            throw CommandFailure(code: "invalid-path", sentence: "\"\(key)\" is not a key")
        }
        return "/\(escaped)"
    }
}

/// Says what went wrong on standard error and ends with a status that is not 0.
func reporting(_ body: () async throws -> Void) async throws {
    do {
        try await body()
    } catch let exit as ExitCode {
        throw exit
    } catch {
        let code =
            switch error {
            case let error as KeyFile.Failure: error.code
            case let error as DataFolder.Failure: error.code
            default: "failed"
            }
        let failure = error as? CommandFailure ?? CommandFailure(code: code, sentence: "\(error)")
        FileHandle.standardError.write(Data("error [\(failure.code)]: \(failure.sentence)\n".utf8))
        throw ExitCode.failure
    }
}
