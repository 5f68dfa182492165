import ArgumentParser
import GimbalClient
import GimbalHTTP
import GimbalWire

@main
struct NodeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "node",
        abstract: "Holds a full copy of a Gimbal space, takes reads and writes on its own, and synchronises through a pivot.",
        discussion: """
            The node keeps to the space that it first saw at its pivot, or that --space names. Starting it with the URL of a
            pivot of another space is a pivot change: once that pivot has admitted the node, the old space is kept in a
            rescue bundle under DIR/rescue, and the node starts empty. The URL of the same space at a new address changes
            nothing.
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

    @Option(name: .long, help: ArgumentHelp("Where the pivot is, such as http://10.0.0.1:7000.", valueName: "url"))
    var pivot: String?

    @Option(
        name: .long,
        help: ArgumentHelp("The space to follow, by id or name; needed where the pivot leads several.", valueName: "space"))
    var space: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Where the pivot can tell this node to pull while it does not follow, such as http://10.0.0.5:7001.",
            valueName: "url"))
    var reachableAt: String?

    func run() async throws {
        var flags = common.flags
        flags.pivot = pivot
        flags.space = space
        flags.reachableAt = reachableAt
        try await ServerExit.reporting { try await GimbalServer.run(ServerOptions(flags, for: .node), as: .node) }
    }
}
