// swift-tools-version: 6.3
import PackageDescription

// A package of its own, so that the root carries none of its tools. It does not depend on the root either: it drives the
// real `pivot` and `node` programs from outside, as a client would.

let settings: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
]

let package = Package(
    name: "GimbalBenchmarks",
    products: [
        .executable(name: "benchmarks", targets: ["Benchmarks"]),
        .executable(name: "nio-peer", targets: ["NIOPeer"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    ],
    targets: [
        .systemLibrary(name: "CLinux"),
        .executableTarget(
            name: "Benchmarks",
            dependencies: ["CLinux", .product(name: "ArgumentParser", package: "swift-argument-parser")],
            swiftSettings: settings),
        .executableTarget(
            name: "NIOPeer",
            dependencies: [
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            swiftSettings: settings),
    ],
    swiftLanguageModes: [.v6]
)
