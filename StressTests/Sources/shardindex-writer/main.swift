// Puts numbered summaries into a read cache: shardindex-writer PATH STORE_ID ADDRESS FIRST_UID LAST_UID. Prints the
// highest UID written after each flush; after LAST_UID it waits to be killed.

import Glibc
import ShardFS
import ShardIndex

let arguments = CommandLine.arguments
guard arguments.count == 6, let address = try? AccountAddress(parsing: arguments[3]), var uid = UInt32(arguments[4]),
    let last = UInt32(arguments[5])
else { exit(64) }
let index = ShardIndex(path: arguments[1])
guard let account = index.account(storeID: arguments[2], address) else { exit(64) }
let mailbox = MailboxKey(id: "0123456789abcdef0123456789abcdef", uidValidity: 7)
while uid <= last {
    for _ in 0..<100 {
        account.put(mailbox, uid: uid, Array("summary \(uid) ".utf8) + [UInt8](repeating: 0x2e, count: 500))
        uid += 1
    }
    account.flush()
    let line = "\(uid - 1)\n"
    _ = line.withCString { write(1, $0, strlen($0)) }
}
while true { pause() }
