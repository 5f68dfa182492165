// swift-tools-version: 6.3
import PackageDescription

let package = Package(
    name: "TalkingClient",
    dependencies: [.package(name: "Gimbal", path: "../../..")],
    targets: [
        .executableTarget(
            name: "TalkingClient",
            dependencies: [
                .product(name: "GimbalClient", package: "Gimbal")
            ])
    ],
    swiftLanguageModes: [.v6]
)
