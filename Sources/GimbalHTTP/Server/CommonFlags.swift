import ArgumentParser
import Foundation
import GimbalClient
import GimbalSigning
import GimbalStorage
import GimbalStore

/// The flags that both servers have.
public struct CommonFlags: ParsableArguments {
    @Option(name: .long, help: ArgumentHelp("Address to listen on; port 0 takes any free one.", valueName: "host:port"))
    public var listen: String?

    @Option(name: .long, help: ArgumentHelp("Folder that keeps keys and data.", valueName: "dir"))
    public var data: String?

    @Option(name: .long, help: ArgumentHelp("JSON file with settings.", valueName: "file"))
    public var config: String?

    @Option(name: .long, help: ArgumentHelp("trace, debug, info, notice, warning, error or critical.", valueName: "level"))
    public var logLevel: String?

    @Option(
        name: .long, help: ArgumentHelp("standard, or small for nodes of which many share a machine.", valueName: "name"))
    public var profile: String?

    @Flag(name: .long, help: "Listen on an address that other machines can reach, with no authentication of clients.")
    public var insecure = false

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Origin whose pages may use the client API, such as https://app.example.com; repeatable.", valueName: "origin"))
    public var allowOrigin: [String] = []

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Name under which clients and proxies reach this server, such as gimbal.example.com; repeatable.",
            valueName: "name"))
    public var allowHost: [String] = []

    public init() {}

    public var flags: ServerOptions.Flags {
        var flags = ServerOptions.Flags()
        flags.listen = listen
        flags.data = data
        flags.config = config
        flags.logLevel = logLevel
        flags.profile = profile
        flags.isInsecure = insecure
        flags.allowedOrigins = allowOrigin
        flags.allowedHosts = allowHost
        return flags
    }
}

/// How a server that cannot start or go on says so: one line on standard error, with a stable code, and an exit status.
public enum ServerExit {
    /// A setting is wrong.
    public static let usage = ProgramArguments.usageStatus
    /// Two spaces of one process want the same paths.
    public static let overlap: Int32 = 65
    /// The data folder or its contents cannot be used.
    public static let data: Int32 = 74
    /// The address cannot be listened on.
    public static let address: Int32 = 69

    public static func reporting(_ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch {
            let (code, status) = classify(error)
            FileHandle.standardError.write(Data("error [\(code)]: \(error)\n".utf8))
            throw ExitCode(status)
        }
    }

    static func classify(_ error: any Error) -> (code: String, status: Int32) {
        switch error {
        case is ServerOptions.Failure: ("usage", usage)
        case is SpaceClaims.Overlap: (SpaceClaims.Overlap.code, overlap)
        case let error as ListenAddress.Failure: (error.code, address)
        case let error as DataFolder.Failure: (error.code, data)
        case is DurableFile.Failure: ("data-not-writable", data)
        case let error as LedSpace.Failure: (error.code, data)
        case let error as StoreError: (error.code, data)
        case let error as StorageError: (error.code, data)
        case let error as KeyFile.Failure: (error.code, data)
        default: ("failed", 1)
        }
    }
}
