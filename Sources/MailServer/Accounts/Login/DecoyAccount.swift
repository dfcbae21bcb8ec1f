package import DurableFiles
import Primitives
package import ShardFS

/// A file that is read in place of an account that is not there: a login costs the same work whether its name is
/// anybody's or not, so that its duration does not tell.
package struct DecoyAccount: Sendable {
    private let files: PathFiles
    private let path: String
    private let address: AccountAddress

    /// Publishes the file, which looks like any account's.
    /// - Parameter path: in an existing directory outside the store.
    package init(at path: String, files: PathFiles) throws(AccountError) {
        self.files = files
        self.path = path
        address = try AccountAddress(login: "nobody@decoy.invalid")
        let account = UserAccount(
            address: address,
            password: PasswordHash(
                hash: SecureRandom.bytes(PasswordHash.defaultLength), salt: SecureRandom.bytes(16),
                iterations: PasswordHash.defaultIterations),
            createdAt: Timestamp.iso8601(0))
        let json = try account.json()
        do throws(FileError) {
            try files.publish(json, at: path, replacing: true)
        } catch {
            throw AccountError(error)
        }
    }

    /// The work of finding an account. Blocks.
    fileprivate func hit() { find(path) }

    /// The work of finding none. Blocks.
    fileprivate func miss() { find(path + ".none") }

    private func find(_ path: String) {
        // A failure tells nothing that anybody could use.
        _ = try? files.stamp(path)
        guard let json = try? files.read(path) else { return }
        _ = try? UserAccount(address: address, json: json)
    }
}

extension AccountStore {
    /// As `find`, with the same work for every name: one file that is there is read, and one that is not is looked for.
    /// - Parameter address: nil for a name that cannot be an account's.
    package func find(
        _ address: AccountAddress?, orWorkOn decoy: DecoyAccount
    ) throws(AccountError) -> (account: UserAccount, stamp: FileStamp)? {
        if let address {
            if let found = try find(address) {
                decoy.miss()
                return found
            }
        } else {
            decoy.miss()
        }
        decoy.hit()
        return nil
    }
}
