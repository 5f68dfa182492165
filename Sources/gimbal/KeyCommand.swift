import ArgumentParser
import Foundation
import GimbalSigning
import GimbalStore

struct KeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key",
        abstract: "Prints the public key of a node, for pivot --allow.",
        discussion: """
            With --create the data folder and its key are made if they are not there yet, so that a node can be allowed before \
            its first start. For a node whose key file was lost, --create makes another key: what waits in the node is sent \
            under it once the pivot allows it.
            """)

    @Argument(help: "The data folder of a followed space, or a key file.") var place: String
    @Flag(help: "Make the folder and the key if they are not there.") var create = false

    func run() async throws {
        try await reporting {
            var isFolder: ObjCBool = false
            let exists = FileManager.default.fileExists(atPath: place, isDirectory: &isFolder)
            if exists, !isFolder.boolValue { return print(try KeyFile.read(place).author) }
            if let key = try KeyFile.readIfThere("\(place)/keys/node.key") { return print(key.author) }
            guard create else {
                let what = exists ? "there is no node's key in \(place)" : "\(place) is not there"
                throw CommandFailure(code: "key-missing", sentence: "\(what): --create makes one")
            }
            let folder = try DataFolder(place)
            try folder.require(.node)
            print(try folder.key("node").key.author)
        }
    }
}
