/// Where a running server listens for its operator: a socket in its data folder, which only the folder's owner can open.
public enum OperatorSocketPath {
    /// - Parameter folder: the server's data folder.
    public static func inFolder(_ folder: String) -> String { "\(folder)/operator.sock" }
}
