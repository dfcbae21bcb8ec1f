package import MailAccounts
import SMTPCodec
package import ShardFS

/// The reason why a piece of the delivery's work on files failed.
package enum DeliveryError: Error, CustomStringConvertible {
    case accounts(AccountError)
    case store(StoreError)
    /// No failure: the answer to the client.
    case refused(Refusal)

    package var description: String {
        switch self {
        case .accounts(let error): "\(error)"
        case .store(let error): "\(error)"
        case .refused(let refusal): "\(refusal.reply.code) \(refusal.status) \(refusal.text)"
        }
    }
}

extension StoreError {
    /// The refusal of a message that met this error.
    package var refusal: Refusal {
        switch code {
        case .overQuota: .aMailboxFull
        case .noSpace: .noSpace
        default: .cannotStore
        }
    }
}

/// Runs calls of the engine whose errors are the delivery's.
package func storing<R>(_ body: () throws(StoreError) -> R) throws(DeliveryError) -> R {
    do throws(StoreError) { return try body() } catch { throw .store(error) }
}
