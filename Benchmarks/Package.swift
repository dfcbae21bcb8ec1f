// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that the product's build pays nothing for it; without traits it needs none of the server's
// dependencies. `make bench` and `make bench-imap` run it.
let package = Package(
    name: "rmail-benchmarks",
    dependencies: [.package(name: "rmail", path: "..", traits: [])],
    targets: [
        .target(name: "CBare", cSettings: [.unsafeFlags(["-O2"])]),
        .executableTarget(
            name: "shardfs-bench",
            dependencies: ["CBare", .product(name: "ShardFS", package: "rmail")],
            swiftSettings: [.swiftLanguageMode(.v6)]),
        // Sockets and nothing else of the server: the client of `make bench-imap`.
        .executableTarget(
            name: "imap-bench", dependencies: [.product(name: "TestSupport", package: "rmail")],
            swiftSettings: [.swiftLanguageMode(.v6)]),
    ]
)
