// swift-tools-version: 6.2
import PackageDescription

// A separate package, so that it does not slow down the product's build; without traits it needs none of the server's
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
        // The client of `make bench-imap`; it uses sockets and nothing of the server.
        .executableTarget(
            name: "imap-bench", dependencies: [.product(name: "TestSupport", package: "rmail")],
            swiftSettings: [.swiftLanguageMode(.v6)]),
    ]
)
