import Foundation

/// Swift reads a program's arguments from /proc/self/cmdline. Where that is hidden they look as if there were none, and to go on
/// would be to do something else than what was asked.
public enum ProgramArguments {
    /// The exit status of a program that was not told what to do, or in words that it does not know.
    public static let usageStatus: Int32 = 64

    /// To be called before anything waits or uses another thread: libdispatch needs /proc as well, and traps without it.
    public static func endIfHidden() {
        // Even a program that was started without arguments has its own name among them.
        guard CommandLine.arguments.isEmpty else { return }
        let sentence = "/proc/self/cmdline cannot be read, so it is not known what was asked for: /proc has to be mounted"
        FileHandle.standardError.write(Data("error [no-arguments]: \(sentence)\n".utf8))
        exit(usageStatus)
    }
}
