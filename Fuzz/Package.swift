// swift-tools-version: 6.2
import PackageDescription

// A separate package: everything in it is built with libFuzzer's coverage. `scripts/fuzz` builds and runs it.

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

func fuzzer(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: ["CFuzzer"] + dependencies, swiftSettings: settings)
}

let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let codecs = Target.Dependency.product(name: "Codecs", package: "rmail")
let server = Target.Dependency.product(name: "Server", package: "rmail")
let shardFS = Target.Dependency.product(name: "ShardFS", package: "rmail")

let package = Package(
    name: "rmail-fuzz",
    dependencies: [
        .package(name: "rmail", path: ".."),
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-crypto.git", from: "4.5.2"),
    ],
    targets: [
        .target(name: "CFuzzer"),
        fuzzer("FuzzIMAP", [codecs, nioCore]),
        fuzzer("FuzzSMTP", [codecs, nioCore]),
        fuzzer("FuzzMIME", [codecs]),
        fuzzer("FuzzNames", [shardFS]),
        fuzzer("FuzzLog", [shardFS]),
        fuzzer("FuzzSession", [codecs, nioCore, nioPosix, server, shardFS]),
        fuzzer("FuzzServer", [codecs, nioCore, crypto, server]),
    ]
)
