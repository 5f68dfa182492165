import ArgumentParser
import Foundation

/// Which space of a server is meant.
struct SpaceSelection: ParsableArguments {
    @Option(
        name: .customLong("space"),
        help: ArgumentHelp("Name or id of a space; needed where the server holds several.", valueName: "space"))
    var space: String?

    /// The target with the selection in its query.
    func target(_ target: String) -> String {
        guard let space else { return target }
        let escaped = space.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? space
        return target + (target.contains("?") ? "&" : "?") + "space=\(escaped)"
    }
}
