import ArgumentParser
import GimbalClient
import GimbalHTTP
import GimbalWire

@main
struct PivotCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pivot",
        abstract: "Leads a Gimbal space: merges what its nodes write, and serves it to clients.",
        discussion: """
            The first start founds the space and prints where its root key is: keep a copy of that file in a safe place.
            Every option can also be set in the environment (GIMBAL_LISTEN, GIMBAL_DATA, …) or in a JSON file (--config); a
            flag is stronger than the environment, the environment stronger than the file. A file that names several spaces
            makes one process lead some and follow others (docs/operations.md).
            """,
        version: GimbalVersion.current)

    @MainActor
    static func main() async {
        ProgramArguments.endIfHidden()
        await main(nil)
    }

    @OptionGroup var common: CommonFlags

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Paths of the space, such as 'things/*' or settings; repeatable. All by default.", valueName: "pattern"))
    var sync: [String] = []

    @Option(name: .long, help: ArgumentHelp("Public key of a node that may join; repeatable.", valueName: "key"))
    var allow: [String] = []

    @Flag(name: .long, help: "Let any node join.")
    var openEnrollment = false

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Network in which nodes may be told to pull although their requests come from elsewhere; repeatable.",
            valueName: "network"))
    var triggerNetwork: [String] = []

    @Option(
        name: .long,
        help: ArgumentHelp(
            "The greatest value that the space takes, 1048576 at the founding and at most 16777216.", valueName: "bytes"))
    var valueBytes: Int?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "How far a node's clock may be ahead before its stamps are capped, 30 at the founding.", valueName: "seconds"))
    var maxClockAhead: Int?

    func run() async throws {
        var flags = common.flags
        flags.sync = sync
        flags.allow = allow
        flags.isEnrollmentOpen = openEnrollment
        flags.triggerNetworks = triggerNetwork
        flags.valueBytes = valueBytes
        flags.maxClockAheadSeconds = maxClockAhead
        try await ServerExit.reporting { try await GimbalServer.run(ServerOptions(flags, for: .pivot), as: .pivot) }
    }
}
