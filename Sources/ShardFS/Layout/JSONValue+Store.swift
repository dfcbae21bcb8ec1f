import Primitives

/// JSON documents of a store; failures are `StoreError`s.
extension JSONValue {
    /// Parses a document.
    /// - Parameter name: the document's name in error messages.
    /// - Throws: `damaged` if the bytes are not JSON.
    static func stored(_ bytes: [UInt8], name: String) throws(StoreError) -> JSONValue {
        do { return try parse(bytes, name: name) } catch { throw StoreError(.damaged, error.description) }
    }

    /// The document as the bytes of a file.
    func storable() throws(StoreError) -> [UInt8] {
        do { return try serialized() } catch { throw StoreError(.invalidArgument, error.description) }
    }
}
