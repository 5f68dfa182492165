import Configuration
import Foundation
import GimbalCRDT
import GimbalStore
import GimbalWire
import Logging
import NIOCore
import SystemPackage

/// What a server can be told, from flags, the environment (`GIMBAL_LISTEN`, …) and a JSON file, in this order of strength.
public struct ServerOptions: Sendable {
    public var host: String
    public var port: Int
    /// Keeps the local space, the operator's socket, and the folders of spaces that have none elsewhere.
    public var dataFolder: String
    public var spaces: [SpacePlan]
    public var isInsecure: Bool
    public var logLevel: Logger.Level
    public var readDeadline: TimeAmount
    /// How long a connection to a pivot may take to open.
    public var connectTimeout: TimeAmount
    public var timeouts: ConnectionTimeouts
    public var storeOptions: SpaceOptions
    public var profile: Profile
    /// How many connections are taken at once, if there are descriptors for so many.
    public var maxConnections: Int
    /// The longest that clients can keep the server from stopping.
    public var shutdown: TimeAmount
    let door: Door

    /// The face under which the server was started: what its flags are about.
    public enum Program: String, Sendable {
        case pivot, node
    }

    /// How much of the machine the process may take.
    public enum Profile: String, Sendable {
        case standard
        /// For nodes of which many share a machine: one event loop, one background thread, small caches.
        case small
    }

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
        public var profile: String?
        public var reachableAt: String?
        public var triggerNetworks: [String] = []
        public var allowedOrigins: [String] = []
        public var allowedHosts: [String] = []
        public var valueBytes: Int?
        public var maxClockAheadSeconds: Int?

        public init() {}

        /// Whether one says something about a space: what several spaces are is said in the file alone.
        var concernSpaces: Bool {
            !(sync + allow + triggerNetworks).isEmpty || isEnrollmentOpen || [pivot, space, reachableAt].contains { $0 != nil }
                || valueBytes != nil || maxClockAheadSeconds != nil
        }
    }

    public struct Failure: Error, CustomStringConvertible {
        public var description: String
    }

    /// - Parameters:
    ///   - flags: stronger than the environment, which is stronger than the file that they may name.
    ///   - program: what the flags are about.
    ///   - readsEnvironment: false for a server inside of another program, whose environment is its own matter.
    public init(_ flags: Flags, for program: Program, readsEnvironment: Bool = true) async throws {
        let settings = try await Self.reader(flags.config, readsEnvironment)
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
        let plans = SpacePlanReader(settings: settings, dataFolder: data)
        let names = try Self.list("spaces", settings)
        let isAboutOne = [
            "sync", "allow", "pivot", "openEnrollment", "reachableAt", "triggerNetworks", "valueBytes", "maxClockAheadSeconds",
        ].contains { key in
            settings.string(forKey: ConfigKey(key)) != nil || settings.stringArray(forKey: ConfigKey(key)) != nil
                || settings.bool(forKey: ConfigKey(key)) != nil || settings.int(forKey: ConfigKey(key)) != nil
        }
        guard names.isEmpty || !(flags.concernSpaces || isAboutOne) else {
            throw Failure(
                description: "\"spaces\" and settings of one space beside it exclude each other: they belong under space.NAME")
        }
        spaces = names.isEmpty ? [try plans.single(flags, for: program)] : try plans.named(names)
        isInsecure = flags.isInsecure || settings.bool(forKey: "insecure", default: false)
        let level = flags.logLevel ?? settings.string(forKey: "logLevel") ?? "notice"
        guard let logLevel = Logger.Level(rawValue: level) else {
            throw Failure(description: "--log-level takes trace, debug, info, notice, warning, error or critical, not \(level)")
        }
        self.logLevel = logLevel
        readDeadline = .milliseconds(Int64(settings.int(forKey: "readDeadlineMilliseconds", default: 250)))
        connectTimeout = try Self.connectTimeout(settings)
        timeouts = ConnectionTimeouts(settings)
        let profileName = flags.profile ?? settings.string(forKey: "profile") ?? Profile.standard.rawValue
        guard let profile = Profile(rawValue: profileName) else {
            throw Failure(description: "--profile takes standard or small, not \(profileName)")
        }
        self.profile = profile
        storeOptions = profile == .small ? .small : SpaceOptions()
        if let megabytes = settings.int(forKey: "cacheMegabytes") {
            storeOptions.cacheBytes = min(max(0, megabytes), 1 << 20) << 20
        }
        storeOptions.wallOffsetMilliseconds = Int64(settings.int(forKey: "wallOffsetMilliseconds", default: 0))
        storeOptions.takeRetention(settings)
        door = try Door(settings, flags, listening: host)
        maxConnections = try Self.positive("maxConnections", settings) ?? .max
        shutdown = .seconds(Int64(try Self.positive("shutdownSeconds", settings) ?? 10))
        guard isLoopback || isInsecure else {
            throw Failure(
                description:
                    "\(host) can be reached from other machines and there is no authentication of clients yet: listen on a loopback address, or say --insecure"
            )
        }
    }

    private var isLoopback: Bool { host == "localhost" || host == "::1" || host.hasPrefix("127.") }

    /// A lost packet of the handshake costs a second alone, and a satellite is far away.
    private static func connectTimeout(_ settings: ConfigReader) throws -> TimeAmount {
        let key = ConfigKey("connectSeconds")
        let seconds = settings.double(forKey: key)
        guard seconds != nil || settings.string(forKey: key) == nil, (0.05...3600).contains(seconds ?? 10) else {
            throw Failure(description: "\"connectSeconds\" takes a number of seconds from 0.05 to 3600")
        }
        return .nanoseconds(Int64((seconds ?? 10) * 1e9))
    }

    private static func reader(_ file: String?, _ readsEnvironment: Bool) async throws -> ConfigReader {
        let environment: any ConfigProvider =
            readsEnvironment ? EnvironmentVariablesProvider().prefixKeys(with: "gimbal") : InMemoryProvider(values: [:])
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
    static func list(_ name: String, _ settings: ConfigReader) throws -> [String] {
        if let values = settings.stringArray(forKey: ConfigKey(name)) { return values }
        guard settings.string(forKey: ConfigKey(name)) == nil else {
            throw Failure(description: "\"\(name)\" in the configuration file takes a list of texts, such as [\"things/*\"]")
        }
        return []
    }

    /// A whole number from 1 to a billion; nil where nothing is said.
    static func positive(_ name: String, _ settings: ConfigReader, _ flag: Int? = nil) throws -> Int? {
        guard let value = flag ?? settings.int(forKey: ConfigKey(name)) else {
            guard settings.string(forKey: ConfigKey(name)) == nil, settings.double(forKey: ConfigKey(name)) == nil else {
                throw Failure(description: "\"\(name)\" takes a whole number from 1")
            }
            return nil
        }
        guard (1...1_000_000_000).contains(value) else {
            throw Failure(description: "\"\(name)\" takes a whole number from 1, not \(value)")
        }
        return value
    }

    static func parse<Value>(_ text: String, _ make: (String) -> Value?, _ what: String) throws -> Value {
        guard let value = make(text) else { throw Failure(description: "\"\(text)\" is not \(what)") }
        return value
    }
}

extension SpaceOptions {
    /// What a number that is out of all proportion stands for: a position or a time may still be added to it.
    private static let unbounded = Limits.ordinalLimit - 1

    /// How much of the log is kept, and how snapshots travel.
    fileprivate mutating func takeRetention(_ settings: ConfigReader) {
        func number(_ key: String, _ unit: Int, _ value: UInt64) -> UInt64 {
            settings.int(forKey: ConfigKey(key)).map { given in
                let (product, overflow) = UInt64(max(0, given)).multipliedReportingOverflow(by: UInt64(unit))
                return overflow ? Self.unbounded : min(product, Self.unbounded)
            } ?? value
        }
        retention.keptEntries = number("logKeptEntries", 1, retention.keptEntries)
        retention.mostEntries = number("logMostEntries", 1, retention.mostEntries)
        retention.mostBytes = number("logMostMegabytes", 1 << 20, retention.mostBytes)
        retention.liveMilliseconds = number("liveNodeSeconds", 1000, retention.liveMilliseconds)
        retention.snapshotMilliseconds = number("snapshotKeptSeconds", 1000, retention.snapshotMilliseconds)
        retention.intervalMilliseconds = max(
            1, settings.int(forKey: "retentionIntervalMilliseconds", default: retention.intervalMilliseconds))
        stagedChunkBytes = Int(number("snapshotChunkKilobytes", 1 << 10, UInt64(stagedChunkBytes)))
        snapshotFrameBytes = Int(number("snapshotFrameKilobytes", 1 << 10, UInt64(snapshotFrameBytes)))
    }
}
