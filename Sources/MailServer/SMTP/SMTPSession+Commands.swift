import NIOCore
import SMTPCodec

extension SMTPSession {
    mutating func handle(_ command: SMTPCommand) -> [SMTPSessionAction] {
        switch command {
        case .ehlo(let name): return greet(Hello(name: name, isExtended: true))
        case .helo(let name): return greet(Hello(name: name, isExtended: false))
        case .mail(let sender, let parameters): return mail(sender, parameters)
        case .rcpt(let path, let parameters): return rcpt(path, parameters)
        case .data: return data()
        case .bdat(let size, let last): return chunk(size, last: last)
        case .rset: return endTransaction() + [.reply(.ok)]
        case .noop: return [.reply(.ok)]
        case .quit: return end(with: .closing(configuration.hostname), draining: false)
        case .vrfy: return [.reply(.cannotVerify)]
        case .help: return [.reply(.help)]
        case .startTLS: return startTLS()
        case .auth(let mechanism, let response): return auth(mechanism, response)
        case .expn: return refuse(.notImplemented)
        case .lhlo, .unknown: return refuse(.unknownCommand)
        }
    }
}
