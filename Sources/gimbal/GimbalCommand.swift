import ArgumentParser
import GimbalWire

@main
struct GimbalCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gimbal",
        abstract: "Looks into Gimbal servers, reads and writes keys, and verifies bundles with no server at all.",
        discussion: """
            SERVER is a URL such as http://127.0.0.1:7000, or the data folder of a server that runs on this machine.
            Errors go to standard error as `error [code]: sentence`; the exit status is not 0.
            """,
        version: GimbalVersion.current,
        subcommands: [
            KeyCommand.self, StatusCommand.self, MemberCommand.self, GetCommand.self, SetCommand.self, PushCommand.self,
            DeleteCommand.self,
            ListCommand.self, ExplainCommand.self, ResolveCommand.self, DeadLettersCommand.self, ExportCommand.self,
            VerifyCommand.self, ImportCommand.self, InspectCommand.self,
        ])
}
