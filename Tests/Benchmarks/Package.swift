// swift-tools-version: 6.3
import PackageDescription

// A package of its own, so that the root carries none of its tools. `benchmarks` drives the real `pivot` and `node` programs
// from outside, as a client would; `core-benchmarks` measures stages inside one process and needs of the root what
// `GIMBAL_CORE=1` leaves of it.

let settings: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
]

let package = Package(
    name: "GimbalBenchmarks",
    products: [
        .executable(name: "benchmarks", targets: ["Benchmarks"]),
        .executable(name: "core-benchmarks", targets: ["CoreBenchmarks"]),
        .executable(name: "nio-peer", targets: ["NIOPeer"]),
    ],
    dependencies: [
        .package(name: "Gimbal", path: "../.."),
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
            name: "CoreBenchmarks",
            dependencies: [
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "GimbalCRDT", package: "Gimbal"),
                .product(name: "GimbalWire", package: "Gimbal"),
                .product(name: "GimbalSigning", package: "Gimbal"),
                .product(name: "GimbalReplication", package: "Gimbal"),
                .product(name: "GimbalStorage", package: "Gimbal"),
                .product(name: "GimbalRocksDB", package: "Gimbal"),
                .product(name: "GimbalStore", package: "Gimbal"),
            ],
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
