import FuzzProperties
import Glibc

/// `fuzz TARGET [libFuzzer's options and corpus folders]`, `fuzz --list`, `fuzz --seeds VECTORS FOLDER`, `fuzz --hostile`.
@main
struct Fuzz {
    /// Tells libFuzzer's child processes, which get its own arguments only, what they are for.
    private static let variable = "GIMBAL_FUZZ_TARGET"

    static func main() {
        let arguments = CommandLine.arguments
        if arguments.dropFirst().first == "--list" { return print(FuzzTarget.allCases.map(\.rawValue).joined(separator: "\n")) }
        if arguments.dropFirst().first == "--hostile" {
            installAllocationMeter()
            return print("\(HostileInputs.check()) large hostile inputs hold")
        }
        if arguments.count == 4, arguments[1] == "--seeds" { return Seeds.write(vectors: arguments[2], into: arguments[3]) }
        var rest = arguments
        if rest.count > 1, FuzzTarget(rawValue: rest[1]) != nil { setenv(variable, rest.remove(at: 1), 1) }
        guard target != nil else {
            print("usage: fuzz TARGET [options] [folders]; targets: \(FuzzTarget.allCases.map(\.rawValue))")
            exit(2)
        }
        installAllocationMeter()
        // Beside libFuzzer's own figures: on a busy machine only this one says how fast a target is.
        atexit {
            print("stat::cpu_seconds: \(Double(clock()) / Double(CLOCKS_PER_SEC))")
            fflush(nil)
        }
        run(rest)
    }

    private static let target = getenv(variable).flatMap { FuzzTarget(rawValue: String(cString: $0)) }

    private static func run(_ arguments: [String]) -> Never {
        var count = CInt(arguments.count)
        var pointers = arguments.map { strdup($0) } + [nil]
        let status = pointers.withUnsafeMutableBufferPointer { buffer -> CInt in
            guard var start = buffer.baseAddress else { return 2 }
            return runDriver(&count, &start) { start, count in
                Fuzz.target?.check(Array(UnsafeBufferPointer(start: start, count: count)))
                return 0
            }
        }
        exit(status)
    }
}

/// libFuzzer's entrance for a program with a `main` of its own: compiler-rt, FuzzerInterface.h.
@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ argumentCount: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ property: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt
