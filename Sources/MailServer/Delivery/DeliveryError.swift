package import MailAccounts
import SMTPCodec
package import ShardFS

/// A failed file operation of the delivery, or a refusal found during one.
package enum DeliveryError: Error, CustomStringConvertible {
    case accounts(AccountError)
    case store(StoreError)
    /// Not a failure: the answer to the client.
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
    /// The refusal sent to the client for this error.
    package var refusal: Refusal {
        switch code {
        case .overQuota: .aMailboxFull
        case .noSpace: .noSpace
        default: .cannotStore
        }
    }
}

/// Runs storage engine calls and wraps their errors.
package func storing<R>(_ body: () throws(StoreError) -> R) throws(DeliveryError) -> R {
    do throws(StoreError) { return try body() } catch { throw .store(error) }
}
