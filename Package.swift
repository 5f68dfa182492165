// swift-tools-version: 6.3
import PackageDescription

// `GIMBAL_CORE=1` leaves out everything that needs the server packages, so that the pure targets,
// signing and storage build and test in seconds (`make test-core`).
let coreOnly = Context.environment["GIMBAL_CORE"] == "1"

// `GIMBAL_DOCS=1` adds the documentation plugin (`make docs`), which ordinary builds have no use for.
let withDocumentation = Context.environment["GIMBAL_DOCS"] == "1"

let settings: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

func library(_ name: String, _ dependencies: [Target.Dependency] = [], resources: [Resource] = []) -> Target {
    .target(name: name, dependencies: dependencies, resources: resources, swiftSettings: settings)
}

func program(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: settings)
}

let package = Package(
    name: "Gimbal",
    products: [
        .library(name: "GimbalCRDT", targets: ["GimbalCRDT"]),
        .library(name: "GimbalWire", targets: ["GimbalWire"]),
        .library(name: "GimbalSigning", targets: ["GimbalSigning"]),
        .library(name: "GimbalReplication", targets: ["GimbalReplication"]),
        .library(name: "GimbalStorage", targets: ["GimbalStorage"]),
        .library(name: "GimbalRocksDB", targets: ["GimbalRocksDB"]),
        .library(name: "GimbalStore", targets: ["GimbalStore"]),
    ],
    targets: [
        .systemLibrary(name: "CSodium", pkgConfig: "libsodium", providers: [.apt(["libsodium-dev"]), .brew(["libsodium"])]),
        .systemLibrary(name: "CRocksDB", pkgConfig: "rocksdb", providers: [.apt(["librocksdb-dev"]), .brew(["rocksdb"])]),
        library("GimbalCRDT"),
        library("GimbalWire", ["GimbalCRDT"]),
        library("GimbalSigning", ["GimbalCRDT", "GimbalWire", "CSodium"]),
        library("GimbalReplication", ["GimbalCRDT", "GimbalWire"]),
        library("GimbalStorage"),
        .target(name: "CSystemTime"),
        library("GimbalRocksDB", ["GimbalStorage", "CRocksDB", "CSystemTime"]),
        library(
            "GimbalStore",
            ["GimbalCRDT", "GimbalWire", "GimbalSigning", "GimbalReplication", "GimbalStorage", "GimbalRocksDB"]),
        tests("GimbalCRDTTests", ["GimbalCRDT"]),
        tests("GimbalReplicationTests", ["GimbalCRDT", "GimbalWire", "GimbalReplication"]),
        // The histories and what must hold of them: a library, so that fuzzing can draw histories too.
        .target(
            name: "Laws", dependencies: ["GimbalCRDT", "GimbalWire", "GimbalReplication"], path: "Tests/Laws",
            swiftSettings: settings),
        tests(
            "LawTests", ["GimbalCRDT", "GimbalWire", "GimbalReplication", "Laws"], exclude: ["Counterexamples"]),
        tests("GimbalWireTests", ["GimbalCRDT", "GimbalWire", "GimbalSigning", "GimbalReplication", "Laws"]),
        .target(name: "TestFiles", path: "Tests/TestFiles", swiftSettings: settings),
        tests("GimbalSigningTests", ["GimbalSigning", "TestFiles"]),
        tests("GimbalStorageTests", ["GimbalStorage", "GimbalRocksDB", "TestFiles"]),
        tests(
            "GimbalStoreTests",
            ["GimbalCRDT", "GimbalWire", "GimbalSigning", "GimbalReplication", "GimbalStorage", "GimbalStore", "Laws"]),
    ],
    swiftLanguageModes: [.v6]
)

if !coreOnly {
    package.products += [
        .library(name: "GimbalHTTP", targets: ["GimbalHTTP"]),
        .library(name: "GimbalClient", targets: ["GimbalClient"]),
        .executable(name: "pivot", targets: ["pivot"]),
        .executable(name: "node", targets: ["node"]),
        .executable(name: "gimbal", targets: ["gimbal"]),
    ]
    package.dependencies += [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ]
    package.targets += [
        .systemLibrary(name: "CMalloc"),
        library(
            "GimbalClient",
            [
                "GimbalCRDT", "GimbalWire",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOWebSocket", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
            ]),
        library(
            "GimbalHTTP",
            [
                "CMalloc",
                "GimbalClient", "GimbalCRDT", "GimbalWire", "GimbalSigning", "GimbalReplication", "GimbalStorage", "GimbalStore",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOWebSocket", package: "swift-nio"),
                .product(name: "NIOHTTPCompression", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "SystemPackage", package: "swift-system"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            resources: [.embedInCode("Page")]),
        tests(
            "GimbalClientTests",
            [
                "GimbalClient", "GimbalWire",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOWebSocket", package: "swift-nio"),
            ]),
        // What of the server can be tested without a server.
        tests(
            "GimbalHTTPTests",
            [
                "GimbalCRDT", "GimbalWire", "GimbalSigning", "GimbalStore", "GimbalHTTP", "Laws",
                .product(name: "NIOCore", package: "swift-nio"),
            ]),
        tests(
            "EndToEndTests",
            [
                "TestFiles", "GimbalClient", "GimbalHTTP", "GimbalWire",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ]),
        program(
            "pivot",
            ["GimbalClient", "GimbalHTTP", "GimbalWire", .product(name: "ArgumentParser", package: "swift-argument-parser")]),
        program(
            "node",
            ["GimbalClient", "GimbalHTTP", "GimbalWire", .product(name: "ArgumentParser", package: "swift-argument-parser")]),
        program(
            "gimbal",
            [
                "GimbalClient", "GimbalCRDT", "GimbalWire", "GimbalSigning", "GimbalStore",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]),
    ]
}

if withDocumentation {
    package.dependencies.append(.package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.5.0"))
}
