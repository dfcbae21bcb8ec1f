import Glibc
package import Logging
import Primitives
package import ServerConfiguration

/// The log output: one line per event on standard error, as text or JSON. Level and format can change while loggers
/// are in use.
package final class LogOutput: UpdatableComponent {
    /// The level and format; a reload replaces them.
    package struct Settings: Sendable, Equatable {
        package var level: LogLevel
        package var format: LogFormat

        package init(level: LogLevel = .info, format: LogFormat = .text) {
            self.level = level
            self.format = format
        }
    }

    private let settings: Locked<Settings>
    private let write: @Sendable (String) -> Void

    /// - Parameter write: receives each line with its newline; nil writes to standard error.
    package init(_ settings: Settings, write: (@Sendable (String) -> Void)? = nil) {
        self.settings = Locked(settings)
        self.write =
            write ?? { line in
                var bytes = Array(line.utf8)[...]
                while !bytes.isEmpty {
                    let n = bytes.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
                    if n < 0, errno == EINTR { continue }
                    // A failing log must not stop the mail service.
                    guard n > 0 else { return }
                    bytes.removeFirst(n)
                }
            }
    }

    package func update(_ settings: Settings) { self.settings.withLock { $0 = settings } }

    /// Makes a logger that writes to this output.
    package func logger(_ label: String) -> Logger {
        var logger = Logger(label: label) { Handler(label: $0, output: self) }
        // The output filters by level, so that a reload also affects existing loggers.
        logger.logLevel = .trace
        return logger
    }

    fileprivate func emit(
        _ level: Logger.Level, _ message: String, _ metadata: Logger.Metadata, _ label: String
    ) {
        let settings = settings.withLock { $0 }
        guard level >= settings.level.level else { return }
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let time = Timestamp.iso8601(Int64(now.tv_sec))
        let name = level.pythonName
        switch settings.format {
        case .text:
            let extra = metadata.sorted { $0.key < $1.key }.map { " \($0.key)=\(LogText.value("\($0.value)"))" }
                .joined()
            write("\(time) \(name) \(label): \(LogText.message(message))\(extra)\n")
        case .json:
            var fields: [String: JSONValue] = [
                "time": .string(time), "level": .string(name), "logger": .string(label), "message": .string(message),
            ]
            for (key, value) in metadata where fields[key] == nil { fields[key] = .string("\(value)") }
            write(ConfigurationText.line(.object(fields)) + "\n")
        }
    }

    private struct Handler: LogHandler {
        let label: String
        let output: LogOutput
        var metadata: Logger.Metadata = [:]
        var logLevel: Logger.Level = .trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let all = event.metadata.map { metadata.merging($0) { $1 } } ?? metadata
            output.emit(event.level, "\(event.message)", all, label)
        }
    }
}

extension LogLevel {
    package var level: Logger.Level {
        switch self {
        case .debug: .debug
        case .info: .info
        case .warning: .warning
        case .error: .error
        case .critical: .critical
        }
    }
}

extension Logger.Level {
    fileprivate var pythonName: String {
        switch self {
        case .trace, .debug: "DEBUG"
        case .info, .notice: "INFO"
        case .warning: "WARNING"
        case .error: "ERROR"
        case .critical: "CRITICAL"
        }
    }
}
