import CMalloc
import Foundation
import Logging
import NIOCore
import ServiceLifecycle
import UnixSignals

/// Runs a server until it is told to stop: leads spaces, follows others, and keeps a local one. The programs `pivot` and
/// `node` are faces of it.
public enum GimbalServer {
    public static func run(_ options: ServerOptions, as program: ServerOptions.Program) async throws {
        Descriptors.raiseLimit()
        options.profile.apply()
        // Nothing that a server makes is for others, whatever makes it.
        umask(0o077)
        // A limit on the size of files fails a write like a full disk; by default it ends the process.
        signal(SIGXFSZ, SIG_IGN)
        let logger = ServerLog.make(program.rawValue, options.logLevel)
        let assembly = try await ServerAssembly(options, logger: logger, onListening: ServerLog.announce)
        var services = assembly.services
        services.append(HeapTrimmer(pause: .seconds(10)))
        do {
            try await ServerLog.runUntilStopped(services, options.shutdown, logger)
        } catch {
            await assembly.close()
            throw error
        }
        await assembly.close()
    }
}

extension ServerOptions.Profile {
    /// To be called before anything uses an event loop.
    fileprivate func apply() {
        // A heap for every thread that ever waited for another holds a third more than is in use.
        mallopt(M_ARENA_MAX, 2)
        guard self == .small else { return }
        NIOSingletons.groupLoopCountSuggestion = 1
        NIOSingletons.blockingPoolThreadCountSuggestion = 1
        // Threads share one heap, and what is large lies outside of it: freed pages of the log go back to the system.
        mallopt(M_ARENA_MAX, 1)
        mallopt(M_MMAP_THRESHOLD, 64 << 10)
        mallopt(M_TRIM_THRESHOLD, 128 << 10)
    }
}

/// Gives what the allocator holds and nobody uses back to the system, now and then: what a first sync leaves behind.
private struct HeapTrimmer: Service {
    let pause: Duration

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while (try? await Task.sleep(for: pause)) != nil { malloc_trim(0) }
        }
    }
}

/// Logging and shutdown, the same in both programs.
enum ServerLog {
    static func make(_ label: String, _ level: Logger.Level) -> Logger {
        var logger = Logger(label: label, factory: StreamLogHandler.standardError(label:))
        logger.logLevel = level
        return logger
    }

    /// Hummingbird and the service group tell of every start and stop; one line of ours is enough.
    static func quiet(_ logger: Logger) -> Logger {
        var logger = logger
        logger.logLevel = max(logger.logLevel, .warning)
        return logger
    }

    /// Unbuffered: whoever started this server waits for the line.
    static func announce(_ address: String) {
        FileHandle.standardOutput.write(Data("listening on \(address)\n".utf8))
    }

    static func runUntilStopped(_ services: [any Service], _ shutdown: TimeAmount, _ logger: Logger) async throws {
        var configuration = ServiceGroupConfiguration(
            services: services.map {
                .init(service: $0, successTerminationBehavior: .ignore, failureTerminationBehavior: .gracefullyShutdownGroup)
            },
            gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        // Connections end by themselves then; whatever else is under way is cancelled a little later.
        configuration.maximumGracefulShutdownDuration = .nanoseconds(shutdown.nanoseconds) + .seconds(1)
        try await ServiceGroup(configuration: configuration).run()
        logger.notice("stopped")
    }
}
