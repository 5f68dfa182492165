// swift-tools-version: 6.3
import PackageDescription

let package = Package(
    name: "EmbeddedNode",
    dependencies: [.package(name: "Gimbal", path: "../../..")],
    targets: [
        .executableTarget(
            name: "EmbeddedNode",
            dependencies: [
                .product(name: "GimbalClient", package: "Gimbal"), .product(name: "GimbalHTTP", package: "Gimbal"),
            ])
    ],
    swiftLanguageModes: [.v6]
)
