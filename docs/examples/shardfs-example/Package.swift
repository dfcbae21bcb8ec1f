// swift-tools-version: 6.2
import PackageDescription

// A package that depends on the engine alone: with no traits, none of the server's dependencies is fetched or built.
// Outside this repository the dependency is `.package(url: "…", from: "0.1.0", traits: [])`.
let package = Package(
    name: "shardfs-example",
    dependencies: [.package(name: "rmail", path: "../../..", traits: [])],
    targets: [
        .executableTarget(
            name: "shardfs-example", dependencies: [.product(name: "ShardFS", package: "rmail")],
            swiftSettings: [.swiftLanguageMode(.v6)])
    ]
)
