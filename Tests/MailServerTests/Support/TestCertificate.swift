import NIOSSL

@testable import ServerRuntime

/// A key and a self-signed certificate for tests only: the key is public, so it protects nothing.
///
/// P-256, for localhost, mail.example.com, 127.0.0.1 and ::1; valid for 30 years.
enum TestCertificate {
    static let certificatePEM = """
        -----BEGIN CERTIFICATE-----
        MIIB2zCCAYGgAwIBAgIUDZou+nulfL5s/8iU73j5PMGRyeIwCgYIKoZIzj0EAwIw
        ITEfMB0GA1UEAwwWcm1haWwgdGVzdCBjZXJ0aWZpY2F0ZTAgFw0yNjExMjEwMzAz
        MDRaGA8yMDU2MTEyMDAzMDMwNFowITEfMB0GA1UEAwwWcm1haWwgdGVzdCBjZXJ0
        aWZpY2F0ZTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABHR7eQ4DgP3tiHP1Iw1y
        b2PFrIXXAV+bExC4KE5cMJ1/AdBTG7EGLYY2gtDZ/xnXl/eahjQIKECvQ/mcpty6
        aLGjgZQwgZEwHQYDVR0OBBYEFNKZMzYeDpprQ9suQ/Wxu6oaiFqnMB8GA1UdIwQY
        MBaAFNKZMzYeDpprQ9suQ/Wxu6oaiFqnMD4GA1UdEQQ3MDWCCWxvY2FsaG9zdIIQ
        bWFpbC5leGFtcGxlLmNvbYcEfwAAAYcQAAAAAAAAAAAAAAAAAAAAATAPBgNVHRMB
        Af8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIQD2VCao2WwUCFkVjdwt41aANLOX
        FeV/fbluDR7Xk9uUgQIgdmpfm8AFgSZm9lR+LTPTAZ5bJSz0MLUKaOSPjvf2ZME=
        -----END CERTIFICATE-----

        """

    static let privateKeyPEM = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgJ8JHUIS9PSzNn5f3
        hpIM+RJjIDRiq7aQgoS4f16HHrehRANCAAR0e3kOA4D97Yhz9SMNcm9jxayF1wFf
        mxMQuChOXDCdfwHQUxuxBi2GNoLQ2f8Z15f3moY0CChAr0P5nKbcumix
        -----END PRIVATE KEY-----

        """

    /// A TLS provider for servers.
    static let provider: TLSProvider = {
        let certificates = try NIOSSLCertificate.fromPEMBytes(Array(certificatePEM.utf8))
        let key = try NIOSSLPrivateKey(bytes: Array(privateKeyPEM.utf8), format: .pem)
        return try NIOSSLContext(
            configuration: .makeServerConfiguration(
                certificateChain: certificates.map { .certificate($0) }, privateKey: .privateKey(key)))
    }
}
