import ArgumentParser
import Foundation
import GimbalSigning

struct KeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key",
        abstract: "Prints the public key of a node, for pivot --allow.",
        discussion: """
            With a data folder the key is made if there is none yet, so that a node can be allowed before its first start.
            """)

    @Argument(help: "The data folder of a followed space, or a key file.") var place: String

    func run() async throws {
        try await reporting {
            var isFolder: ObjCBool = false
            let exists = FileManager.default.fileExists(atPath: place, isDirectory: &isFolder)
            if exists, !isFolder.boolValue { return print(try KeyFile.read(place).author) }
            try FileManager.default.createDirectory(
                atPath: "\(place)/keys", withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            print(try KeyFile.readOrCreate("\(place)/keys/node.key").key.author)
        }
    }
}
