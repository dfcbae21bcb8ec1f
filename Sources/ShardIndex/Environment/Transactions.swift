import CLMDB

/// A cursor in the database within a read transaction.
struct ReadCursor {
    enum Step {
        case at(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer)
        case end
        case failed(LMDBEnvironment.Outcome)
    }

    let cursor: OpaquePointer
    /// The size of the file: no entry is longer.
    let maximumBytes: Int

    /// Moves to the first entry whose key is not below `key`.
    func seek(_ key: UnsafeRawBufferPointer) -> Step {
        step(MDB_val(mv_size: key.count, mv_data: UnsafeMutableRawPointer(mutating: key.baseAddress)), MDB_SET_RANGE)
    }

    func next() -> Step { step(MDB_val(), MDB_NEXT) }

    @inline(__always)
    private func step(_ key: MDB_val, _ operation: MDB_cursor_op) -> Step {
        var key = key
        var value = MDB_val()
        let code = mdb_cursor_get(cursor, &key, &value, operation)
        if code == MDB_NOTFOUND { return .end }
        guard code == 0 else { return .failed(LMDBEnvironment.outcome(code)) }
        guard value.mv_size <= maximumBytes else { return .failed(.wrong("an entry is longer than the file")) }
        return .at(
            key: UnsafeRawBufferPointer(start: key.mv_data, count: key.mv_size),
            value: UnsafeRawBufferPointer(start: value.mv_data, count: value.mv_size))
    }
}

/// A write transaction; each method returns LMDB's code.
struct WriteTransaction {
    let transaction: OpaquePointer
    let database: MDB_dbi

    func put(_ key: [UInt8], _ payload: [UInt8]) -> Int32 {
        key.withUnsafeBytes { key in
            var name = MDB_val(mv_size: key.count, mv_data: UnsafeMutableRawPointer(mutating: key.baseAddress))
            var value = MDB_val(mv_size: CachedValue.headerBytes + payload.count, mv_data: nil)
            let code = mdb_put(transaction, database, &name, &value, UInt32(MDB_RESERVE))
            guard code == 0, let place = value.mv_data else { return code }
            payload.withUnsafeBytes {
                CachedValue.write(
                    $0, key: key, to: UnsafeMutableRawBufferPointer(start: place, count: value.mv_size))
            }
            return 0
        }
    }

    func delete(_ key: [UInt8]) -> Int32 {
        key.withUnsafeBytes { key in
            var name = MDB_val(mv_size: key.count, mv_data: UnsafeMutableRawPointer(mutating: key.baseAddress))
            let code = mdb_del(transaction, database, &name, nil)
            return code == MDB_NOTFOUND ? 0 : code
        }
    }

    /// Deletes entries whose keys begin with `prefix`, at most `limit`, and adds their number to `deleted`.
    func delete(prefix: [UInt8], limit: Int, deleted: inout Int) -> Int32 {
        var made: OpaquePointer?
        var code = mdb_cursor_open(transaction, database, &made)
        guard code == 0, let cursor = made else { return code }
        defer { mdb_cursor_close(cursor) }
        while deleted < limit {
            code = prefix.withUnsafeBytes { start in
                var key = MDB_val(
                    mv_size: start.count, mv_data: UnsafeMutableRawPointer(mutating: start.baseAddress))
                var value = MDB_val()
                let code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE)
                guard code == 0 else { return code }
                let found = UnsafeRawBufferPointer(start: key.mv_data, count: key.mv_size)
                return found.starts(with: start) ? 0 : MDB_NOTFOUND
            }
            if code == 0 { code = mdb_cursor_del(cursor, 0) }
            if code == MDB_NOTFOUND { return 0 }
            guard code == 0 else { return code }
            deleted += 1
        }
        return 0
    }
}
