import Foundation

/// What a program prints about its version: the first line with a digit in it, from either stream.
func programVersion(_ program: String, _ flag: String) -> String {
    let process = Process()
    let pipe = Pipe()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin", program, flag]
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = pipe
    process.standardError = pipe
    guard (try? process.run()) != nil else { return "not found" }
    let text = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { return "not found" }
    return text.split(separator: "\n").first { $0.contains(where: \.isNumber) }.map(String.init) ?? "unknown"
}
