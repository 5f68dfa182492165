// swift-tools-version: 6.3
import PackageDescription

// Built by run.sh, with the sanitizers and `GIMBAL_CORE=1`.

let settings: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

let package = Package(
    name: "Fuzz",
    dependencies: [.package(name: "Gimbal", path: "..")],
    targets: [
        .target(name: "AllocationMeter"),
        .target(
            name: "FuzzProperties",
            dependencies: [
                "AllocationMeter",
                .product(name: "GimbalCRDT", package: "Gimbal"),
                .product(name: "GimbalWire", package: "Gimbal"),
                .product(name: "GimbalSigning", package: "Gimbal"),
                .product(name: "GimbalReplication", package: "Gimbal"),
                .product(name: "GimbalStorage", package: "Gimbal"),
                .product(name: "GimbalStore", package: "Gimbal"),
            ],
            swiftSettings: settings),
        .executableTarget(name: "fuzz", dependencies: ["FuzzProperties"], swiftSettings: settings),
    ],
    swiftLanguageModes: [.v6]
)
