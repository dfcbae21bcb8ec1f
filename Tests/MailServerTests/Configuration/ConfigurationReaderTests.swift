import Primitives
import ShardFS
import Testing

@testable import ServerConfiguration

private func read(
    _ json: String, environment: [String: String] = [:]
) throws(ConfigurationError) -> Configuration {
    try Configuration.read(Array(json.utf8), environment: environment).configuration
}

private func problems(_ json: String, environment: [String: String] = [:]) -> [String] {
    do {
        _ = try read(json, environment: environment)
        return []
    } catch {
        return error.problems.map(\.description)
    }
}

@Suite struct ConfigurationReaderTests {
    @Test func anEmptyObjectIsTheDefaults() throws {
        #expect(try read("{}") == Configuration())
    }

    @Test func theSeedsExampleReads() throws {
        let configuration = try read(
            """
            {
              "hostname": "mail.example.com", "mail_root": "./mailstore", "domains": ["example.com"],
              "log_level": "INFO",
              "smtp": {"host": "0.0.0.0", "port": 25, "submission_port": 587, "smtps_port": 465,
                "max_message_size": 52428800, "max_recipients": 50, "max_connections": 100,
                "max_messages_per_connection": 50},
              "imap": {"host": "0.0.0.0", "port": 143, "imaps_port": 993, "max_connections": 100},
              "exchange_api": {"host": "0.0.0.0", "port": 9002, "secure_port": 9003, "token_secret": null},
              "delivery": {"workers": 4},
              "tls": {"cert_file": null, "key_file": null},
              "rate_limit": {"enabled": true, "connection_rate": 20, "connection_period": 60, "message_rate": 30,
                "message_period": 60, "auth_failure_limit": 5, "auth_failure_lockout": 600,
                "max_concurrent_per_ip": 10, "whitelist": ["127.0.0.1", "::1"]}
            }
            """)
        var expected = Configuration()
        // The old program's 50 is less than RFC 5321 asks for; who wrote it down keeps it.
        expected.smtp.maxRecipients = 50
        #expect(configuration == expected)
    }

    @Test func theDefaultDocumentReadsBackAndHoldsEveryKey() throws {
        let text = ConfigurationText.document(Configuration())
        #expect(try read(text) == Configuration())
        let document = try JSONValue.parse(Array(text.utf8), name: "x")
        for key in ConfigurationKey.all {
            let parts = key.path.split(separator: ".").map(String.init)
            let value = parts.count == 1 ? document[parts[0]] : document[parts[0]]?[parts[1]]
            #expect(value == key.get(Configuration()), "\(key.path)")
        }
        #expect(text.hasPrefix("{\n  \"hostname\": \"mail.example.com\",\n  \"mail_root\": \"./mailstore\",\n"))
        #expect(text.contains("    \"whitelist\": [\"127.0.0.1\", \"::1\"],\n"))
    }

    @Test func pathsAndEnvironmentNamesAreUnique() {
        #expect(Set(ConfigurationKey.all.map(\.path)).count == ConfigurationKey.all.count)
        #expect(Set(ConfigurationKey.all.map(\.environmentName)).count == ConfigurationKey.all.count)
    }

    @Test func valuesReachTheirProperties() throws {
        let configuration = try read(
            """
            {"hostname": "MX.Example.ORG.", "domains": ["Example.ORG"], "log_level": "debug", "log_format": "json",
             "smtp": {"port": null, "submission_port": 0}, "limits": {"lock_wait": 2.5},
             "relay": {"nameservers": ["127.0.0.1:5353", "[::1]:53"], "retry_schedule": [1, 2]},
             "storage": {"durability": "full", "threads": 3, "shared": true, "node": "n-1"}}
            """)
        #expect(configuration.hostname == "mx.example.org")
        #expect(configuration.domains == ["example.org"])
        #expect(configuration.logLevel == .debug)
        #expect(configuration.logFormat == .json)
        #expect(configuration.smtp.port == nil)
        #expect(configuration.smtp.submissionPort == 0)
        #expect(configuration.limits.lockWait == 2.5)
        #expect(configuration.relay.nameservers == ["127.0.0.1:5353", "[::1]:53"])
        #expect(configuration.relay.retrySchedule == [1, 2])
        #expect(configuration.storage.durability == .full)
        #expect(configuration.storage.threads == 3)
        #expect(configuration.storage.shared == true)
        #expect(configuration.storage.node == "n-1")
    }

    @Test(arguments: [
        (#"{"smpt": {"port": 25}}"#, "smpt is not a setting of rmail; did you mean smtp?"),
        (#"{"smtp": {"prot": 25}}"#, "smtp.prot is not a setting of rmail; did you mean smtp.port?"),
        (#"{"hostnam": "a.b"}"#, "hostnam is not a setting of rmail; did you mean hostname?"),
        (#"{"xyzzyxyzzy": 1}"#, "xyzzyxyzzy is not a setting of rmail; remove it"),
        (#"{"smtp.port": 25, "smtp": []}"#, "smtp must be an object of settings in braces"),
        (
            #"{"smtp": {"port": "25"}}"#,
            #"smtp.port must be a port from 1 to 65535, 0 for any free port, or null for off, not "25""#
        ),
        (
            #"{"smtp": {"port": 65536}}"#,
            "smtp.port must be a port from 1 to 65535, 0 for any free port, or null for off, not 65536"
        ),
        (#"{"smtp": {"max_recipients": 0}}"#, "smtp.max_recipients must be a whole number from 1 to 1000000, not 0"),
        (#"{"smtp": {"max_recipients": -1}}"#, "smtp.max_recipients must be a whole number from 1 to 1000000, not -1"),
        (
            #"{"smtp": {"max_recipients": 1.5}}"#,
            "smtp.max_recipients must be a whole number from 1 to 1000000, not 1.5"
        ),
        (
            #"{"log_level": "LOUD"}"#,
            #"log_level must be one of "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", not "LOUD""#
        ),
        (#"{"tls": {"enabled": 1}}"#, "tls.enabled must be true or false, not 1"),
        (
            #"{"domains": ["a b"]}"#,
            #"domains must be a list of domain names such as ["example.com"], not the list given"#
        ),
        (
            #"{"exchange_api": {"token_secret": "short"}}"#,
            "exchange_api.token_secret must be text of at least 16 characters, or null for one generated at first start"
        ),
        (#"{"imap": {"port": 25}}"#, "imap.port and smtp.port are both 25; give each listener its own port"),
        (
            #"{"imap": {"host": "127.0.0.1", "imaps_port": 587}}"#,
            "imap.imaps_port and smtp.submission_port are both 587; give each listener its own port"
        ),
        (#"{"tls": {"cert_file": "x"}}"#, "tls.cert_file is set, so tls.key_file must name its key"),
        (#"[]"#, "config.json must be a JSON object in braces"),
        (#"{"a": "#, "config.json is not valid JSON"),
    ])
    func mistakesAreNamed(json: String, message: String) {
        #expect(problems(json).contains(message), "\(problems(json))")
    }

    @Test func allMistakesAreReported() {
        let found = problems(#"{"nope1234": 1, "smtp": {"port": true, "prot": 1}, "imap": {"port": -1}}"#)
        #expect(found.count == 4)
    }

    @Test func theEnvironmentOverrides() throws {
        let configuration = try read(
            #"{"smtp": {"port": 2525}, "hostname": "a.example"}"#,
            environment: [
                "RMAIL_SMTP_PORT": "0", "RMAIL_SMTP_SUBMISSION_PORT": "", "RMAIL_HOSTNAME": "b.example",
                "RMAIL_DOMAINS": "a.example, b.example,", "RMAIL_TLS_ENABLED": "no",
                "RMAIL_RELAY_RETRY_SCHEDULE": "1,2,3", "RMAIL_LIMITS_LOCK_WAIT": "0.5", "HOME": "/root",
                "RMAIL_STORAGE_DURABILITY": "none", "RMAIL_RELAY_NAMESERVERS": "",
            ])
        #expect(configuration.smtp.port == 0)
        #expect(configuration.smtp.submissionPort == nil)
        #expect(configuration.hostname == "b.example")
        #expect(configuration.domains == ["a.example", "b.example"])
        #expect(configuration.tls.enabled == false)
        #expect(configuration.relay.retrySchedule == [1, 2, 3])
        #expect(configuration.limits.lockWait == 0.5)
        #expect(configuration.storage.durability == .none)
        #expect(configuration.relay.nameservers == nil)
    }

    @Test func environmentMistakesNameTheVariable() throws {
        let found = problems("{}", environment: ["RMAIL_IMAP_PORT": "many"])
        #expect(
            found == [
                "the environment variable RMAIL_IMAP_PORT must be a port from 1 to 65535, 0 for any free port, "
                    + #"or null for off, not "many""#
            ])
        let warnings = try Configuration.read(nil, environment: ["RMAIL_SMTP_PROT": "1"]).warnings
        #expect(
            warnings == [
                "the environment variable RMAIL_SMTP_PROT matches no setting and is ignored; "
                    + "did you mean RMAIL_SMTP_PORT?"
            ])
    }

    @Test func everyKeyRefusesAValueOfNoType() {
        for key in ConfigurationKey.all {
            var configuration = Configuration()
            #expect(!key.set(&configuration, .object(["x": .null])), "\(key.path)")
            #expect(key.set(&configuration, key.get(Configuration())), "\(key.path)")
        }
    }
}
