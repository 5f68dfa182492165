import Configuration
import Foundation
import GimbalCRDT
import GimbalStore
import Logging
import NIOCore
import SystemPackage

/// What a server can be told, from flags, the environment (`GIMBAL_LISTEN`, …) and a JSON file, in this order of strength.
public struct ServerOptions: Sendable {
    public var host: String
    public var port: Int
    public var dataFolder: String
    public var patterns: [Pattern]
    public var pivotURL: String?
    public var space: SpaceID?
    public var allowed: [AuthorID]
    public var isEnrollmentOpen: Bool
    public var isInsecure: Bool
    public var logLevel: Logger.Level
    public var readDeadline: TimeAmount
    public var storeOptions: SpaceOptions

    /// What was given as flags; nil and empty where nothing was.
    public struct Flags: Sendable {
        public var listen: String?
        public var data: String?
        public var sync: [String] = []
        public var pivot: String?
        public var space: String?
        public var allow: [String] = []
        public var isEnrollmentOpen = false
        public var isInsecure = false
        public var logLevel: String?
        public var config: String?

        public init() {}
    }

    public struct Failure: Error, CustomStringConvertible {
        public var description: String
    }

    public init(_ flags: Flags) async throws {
        let settings = try await Self.reader(flags.config)
        let listen = flags.listen ?? settings.string(forKey: "listen") ?? "127.0.0.1:0"
        guard let colon = listen.lastIndex(of: ":"), let port = Int(listen[listen.index(after: colon)...]),
            (0...65535).contains(port)
        else { throw Failure(description: "--listen takes HOST:PORT, not \(listen)") }
        host = listen[..<colon].trimmingCharacters(in: CharacterSet(charactersIn: "[]"))
        self.port = port
        guard let data = flags.data ?? settings.string(forKey: "data") else {
            throw Failure(description: "--data DIR is needed: the folder that keeps keys and data")
        }
        dataFolder = data
        let sync = flags.sync.isEmpty ? try Self.list("sync", settings) : flags.sync
        patterns = try sync.map { try Self.parse($0, Pattern.init(_:), "a pattern such as things/* or settings") }
        pivotURL = try (flags.pivot ?? settings.string(forKey: "pivot")).map(Self.baseURL)
        space = try (flags.space ?? settings.string(forKey: "space"))
            .map { try Self.parse($0, SpaceID.init(hex:), "a space id of 64 hexadecimal digits") }
        let allow = flags.allow.isEmpty ? try Self.list("allow", settings) : flags.allow
        allowed = try allow.map { try Self.parse($0, AuthorID.init(hex:), "a public key of 64 hexadecimal digits") }
        isEnrollmentOpen = flags.isEnrollmentOpen || settings.bool(forKey: "openEnrollment", default: false)
        isInsecure = flags.isInsecure || settings.bool(forKey: "insecure", default: false)
        let level = flags.logLevel ?? settings.string(forKey: "logLevel") ?? "notice"
        guard let logLevel = Logger.Level(rawValue: level) else {
            throw Failure(description: "--log-level takes trace, debug, info, notice, warning, error or critical, not \(level)")
        }
        self.logLevel = logLevel
        readDeadline = .milliseconds(Int64(settings.int(forKey: "readDeadlineMilliseconds", default: 250)))
        storeOptions = SpaceOptions(
            cacheBytes: settings.int(forKey: "cacheMegabytes", default: 64) << 20,
            wallOffsetMilliseconds: Int64(settings.int(forKey: "wallOffsetMilliseconds", default: 0)))
        guard isLoopback || isInsecure else {
            throw Failure(
                description:
                    "\(host) can be reached from other machines and there is no authentication of clients yet: listen on a loopback address, or say --insecure"
            )
        }
    }

    private var isLoopback: Bool { host == "localhost" || host == "::1" || host.hasPrefix("127.") }

    private static func reader(_ file: String?) async throws -> ConfigReader {
        let environment = EnvironmentVariablesProvider().prefixKeys(with: "gimbal")
        guard let file else { return ConfigReader(provider: environment) }
        do {
            return ConfigReader(providers: [
                environment, try await FileProvider<JSONSnapshot>(filePath: FilePath(file)),
            ])
        } catch {
            throw Failure(description: "the configuration file \(file) cannot be used: \(error)")
        }
    }

    /// A list that is missing is empty; what is there and no list is refused, not ignored.
    private static func list(_ name: String, _ settings: ConfigReader) throws -> [String] {
        if let values = settings.stringArray(forKey: ConfigKey(name)) { return values }
        guard settings.string(forKey: ConfigKey(name)) == nil else {
            throw Failure(description: "\"\(name)\" in the configuration file takes a list of texts, such as [\"things/*\"]")
        }
        return []
    }

    private static func parse<Value>(_ text: String, _ make: (String) -> Value?, _ what: String) throws -> Value {
        guard let value = make(text) else { throw Failure(description: "\"\(text)\" is not \(what)") }
        return value
    }

    private static func baseURL(_ text: String) throws -> String {
        guard let url = URL(string: text), let scheme = url.scheme, ["http", "https"].contains(scheme), let host = url.host()
        else {
            throw Failure(description: "--pivot takes a URL such as http://10.0.0.1:7000, not \(text)")
        }
        return "\(scheme)://\(host)\(url.port.map { ":\($0)" } ?? "")"
    }
}
