import Primitives

/// Documents of a store, whose failures are the store's.
extension JSONValue {
    /// - Parameter name: what messages call it.
    /// - Throws: `damaged` when the bytes are not JSON.
    static func stored(_ bytes: [UInt8], name: String) throws(StoreError) -> JSONValue {
        do { return try parse(bytes, name: name) } catch { throw StoreError(.damaged, error.description) }
    }

    /// The bytes of a file.
    func storable() throws(StoreError) -> [UInt8] {
        do { return try serialized() } catch { throw StoreError(.invalidArgument, error.description) }
    }
}
