// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

/// A product of another package. Only the server needs any, so without its trait none is fetched.
func server(_ name: String, _ package: String) -> Target.Dependency {
    .product(name: name, package: package, condition: .when(traits: ["Server"]))
}

func nio(_ name: String) -> Target.Dependency { server(name, "swift-nio") }

/// A target in a folder of Sources/MailServer.
func room(_ name: String, _ folder: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(
        name: name,
        dependencies: ["Primitives", "DurableFiles", nio("NIOCore")] + dependencies,
        path: "Sources/MailServer/\(folder)", swiftSettings: settings)
}

/// The names of all rooms.
let rooms = [
    "ServerConfiguration", "ServerRuntime", "MailAccounts", "MailAccess", "MailSMTP", "MailDelivery", "MailIMAP",
    "MailServer",
]

let package = Package(
    name: "rmail",
    products: [
        .library(name: "ShardFS", targets: ["ShardFS"]),
        .executable(name: "rmail", targets: ["rmail"]),
        // For the nested packages Benchmarks and Fuzz.
        .library(name: "Codecs", targets: ["Primitives", "IMAPCodec", "SMTPCodec", "MIME"]),
        .library(name: "TestSupport", targets: ["TestSupport"]),
        .library(name: "Server", targets: rooms + ["ShardIndex"]),
    ],
    traits: [
        .default(enabledTraits: ["Server"]),
        .trait(name: "Server", description: "The mail server; without it the storage engine alone."),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-crypto.git", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-certificates.git", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-asn1.git", from: "1.7.4"),
    ],
    targets: [
        // C: thin shims and system libraries.
        .target(name: "CPosix"),
        .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CLMDB", pkgConfig: "lmdb", providers: [.apt(["liblmdb-dev"])]),
        .target(name: "CUnistring", linkerSettings: [.linkedLibrary("unistring")]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),

        // Shared by all rooms: plain values, and files that survive a power cut.
        .target(name: "Primitives", dependencies: ["CUnistring"], swiftSettings: settings),
        .target(name: "DurableFiles", dependencies: ["Primitives", "CPosix"], swiftSettings: settings),

        // The storage engine, independent of the server.
        .target(
            name: "ShardFS", dependencies: ["DurableFiles", "Primitives", "CPosix", "COpenSSL"],
            swiftSettings: settings),

        // Its optional read cache.
        .target(
            name: "ShardIndex", dependencies: ["ShardFS", "DurableFiles", "Primitives", "CLMDB", "CPosix"],
            swiftSettings: settings),

        // Parsers and encoders, without sockets, disk or clock.
        .target(name: "MIME", dependencies: ["Primitives", "CUnistring"], swiftSettings: settings),
        .target(
            name: "IMAPCodec", dependencies: ["Primitives", nio("NIOCore")], path: "Sources/MailServer/IMAPCodec",
            swiftSettings: settings),
        .target(
            name: "SMTPCodec", dependencies: ["Primitives", nio("NIOCore")], path: "Sources/MailServer/SMTPCodec",
            swiftSettings: settings),

        // The rooms of the server; each imports only rooms above it.
        room("ServerConfiguration", "Configuration", []),
        room(
            "ServerRuntime", "Runtime",
            [
                "ServerConfiguration", "CPosix", "CZlib", nio("NIOPosix"), nio("NIOTLS"),
                server("NIOSSL", "swift-nio-ssl"),
                server("Crypto", "swift-crypto"),
                server("CryptoExtras", "swift-crypto"),
                server("X509", "swift-certificates"),
                server("SwiftASN1", "swift-asn1"),
                server("Logging", "swift-log"),
            ]),
        room(
            "MailAccounts", "Accounts",
            [
                "ServerRuntime", "ShardFS", "CUnistring",
                server("Crypto", "swift-crypto"),
                server("CryptoExtras", "swift-crypto"),
                server("Logging", "swift-log"),
            ]),
        room("MailAccess", "Access", ["ServerRuntime", "ShardFS", "ShardIndex", "MIME", "IMAPCodec"]),
        room(
            "MailDelivery", "Delivery",
            [
                "MailAccess", "MailAccounts", "ServerRuntime", "SMTPCodec", "MIME", "ShardFS", "ShardIndex",
                server("Logging", "swift-log"),
            ]),
        room(
            "MailSMTP", "SMTP",
            [
                "MailDelivery", "MailAccounts", "ServerRuntime", "ServerConfiguration", "SMTPCodec", "MIME", "ShardFS",
                server("Logging", "swift-log"),
            ]),
        room(
            "MailIMAP", "IMAP",
            [
                "MailAccess", "MailAccounts", "ServerRuntime", "ServerConfiguration", "IMAPCodec", "MIME", "ShardFS",
                "ShardIndex",
                server("Logging", "swift-log"),
            ]),
        room(
            "MailServer", "Application",
            [
                "MailIMAP", "MailSMTP", "MailDelivery", "MailAccess", "MailAccounts", "ServerRuntime",
                "ServerConfiguration", "MIME", "ShardFS", "ShardIndex", "CPosix", nio("NIOPosix"),
                server("Logging", "swift-log"),
            ]),
        .executableTarget(
            name: "rmail",
            dependencies: [
                "MailServer", "MailAccounts", "ServerRuntime", "ServerConfiguration", "ShardFS", "ShardIndex",
                "DurableFiles", "Primitives",
                server("ArgumentParser", "swift-argument-parser"),
            ], swiftSettings: settings),
        // Test helpers for several modules; imports none of them.
        .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: settings),
        .executableTarget(
            name: "shardfs-stress", dependencies: ["ShardFS", "TestSupport"],
            path: "StressTests/Sources/shardfs-stress",
            swiftSettings: settings),

        .testTarget(
            name: "ShardFSTests",
            dependencies: ["ShardFS", "DurableFiles", "Primitives", "TestSupport"],
            swiftSettings: settings),
        // A separate process for tests that kill the writer.
        .executableTarget(
            name: "shardindex-writer", dependencies: ["ShardFS", "ShardIndex"],
            path: "StressTests/Sources/shardindex-writer",
            swiftSettings: settings),
        .testTarget(
            name: "ShardIndexTests",
            dependencies: ["ShardIndex", "ShardFS", "Primitives", "TestSupport", "shardindex-writer"],
            swiftSettings: settings),
        .testTarget(
            name: "DurableFilesTests", dependencies: ["DurableFiles", "Primitives", "CPosix", "TestSupport"],
            swiftSettings: settings),
        .testTarget(name: "PrimitivesTests", dependencies: ["Primitives", "TestSupport"], swiftSettings: settings),
        .testTarget(name: "MIMETests", dependencies: ["MIME", "TestSupport"], swiftSettings: settings),
        .testTarget(
            name: "IMAPCodecTests", dependencies: ["IMAPCodec", "TestSupport", nio("NIOCore")], swiftSettings: settings),
        .testTarget(
            name: "SMTPCodecTests", dependencies: ["SMTPCodec", "Primitives", "TestSupport", nio("NIOCore")],
            swiftSettings: settings),
        .testTarget(
            name: "MailServerTests",
            dependencies: rooms.map { .init(stringLiteral: $0) } + [
                "ShardFS", "ShardIndex", "DurableFiles", "Primitives", "MIME", "IMAPCodec", "SMTPCodec",
                "TestSupport",
                nio("NIOCore"),
                nio("NIOPosix"), nio("NIOEmbedded"), nio("NIOConcurrencyHelpers"),
                server("NIOSSL", "swift-nio-ssl"),
                server("Crypto", "swift-crypto"),
                server("Logging", "swift-log"),
            ], swiftSettings: settings),
    ]
)
