import ArgumentParser
import Foundation
import GimbalClient
import GimbalWire

@main
struct GimbalCommand: CommandGroup {
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

    @MainActor
    static func main() async {
        ProgramArguments.endIfHidden()
        await main(nil)
    }
}

/// A command that does nothing by itself. Whoever asks for it alone is shown what there is, and no script takes that for
/// success.
protocol CommandGroup: AsyncParsableCommand {}

extension CommandGroup {
    func run() async throws {
        FileHandle.standardError.write(Data("\(GimbalCommand.helpMessage(for: Self.self))\n".utf8))
        throw ExitCode(ProgramArguments.usageStatus)
    }
}
