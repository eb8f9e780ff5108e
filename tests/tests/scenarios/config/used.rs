//! Mistakes that are found when a connection is used, and only then.

use super::{Place, VPN, code, said, stdout};

/// Each replacement in the connection `vpn` is wrong when the connection is used, and only then.
fn wrong_when_used(cases: &[(&str, &str, &str)]) {
    for (old, new, expected) in cases {
        let config = VPN.replacen(old, new, 1);
        assert_ne!(config, VPN, "{old}");
        assert_eq!(said(&config, "SELECT id FROM vpn", Some("hush")), *expected, "{new}");
        let place = Place::of(&config);
        let unused = place.run("SELECT 1 AS a", None);
        assert_eq!((code(&unused), stdout(&unused)), (0, "a\n1\n".to_owned()), "{new}");
        assert_eq!(place.stderr(&unused), "", "{new}");
    }
}

#[test]
fn options_of_the_plugin() {
    const SECRET: &str = "client_secret = { env = \"VPN_SECRET\" }";
    wrong_when_used(&[
        (
            "client_id = \"reader\"\n",
            "",
            "1: connection `vpn`: option `client_id` is needed and not set | `client_id`: Id of the API credentials.",
        ),
        ("\"reader\"", "5", "4: connection `vpn`: option `client_id` must be text"),
        (
            "client_secret",
            "client_secrte",
            "5: connection `vpn`: plugin `openvpn` has no option `client_secrte`; option `client_secret` is needed and not set | did you mean `client_secret`?",
        ),
        (
            "client_id",
            "timeot = \"5s\"\nclient_id",
            "4: connection `vpn`: plugin `openvpn` has no option `timeot` | did you mean `timeout`?",
        ),
        (
            SECRET,
            "client_secret = \"hush\"",
            "5: connection `vpn`: option `client_secret` is a secret in a file that others can read | write `client_secret = { env = \"…\" }` or `{ file = \"…\" }`, or give the file mode 0600",
        ),
        (
            "VPN_SECRET",
            "OTHER_SECRET",
            "5: connection `vpn`: option `client_secret`: the environment variable `OTHER_SECRET` is not set",
        ),
        (
            SECRET,
            "client_secret = { file = \"no-such-secret\" }",
            "5: connection `vpn`: option `client_secret`: the file `no-such-secret` cannot be read: No such file or directory (os error 2)",
        ),
    ]);
}

#[test]
fn where_requests_go() {
    const URL: &str = "http://127.0.0.1:9";
    let plain = "sends credentials to `vpn.example.com` over plain http | use https, or set `allow_http = true` if the network is trusted";
    wrong_when_used(&[
        (
            URL,
            "http://vpn.example.com",
            format!("3: connection `vpn`: option `base_url` {plain}").as_str(),
        ),
        (
            URL,
            "ftp://vpn.example.com",
            "3: connection `vpn`: option `base_url` has the scheme `ftp`, but only http and https are spoken",
        ),
        (
            URL,
            "https://a:b@vpn.example.com",
            "3: connection `vpn`: option `base_url` contains a user name or a password, which belong in options of their own",
        ),
        (
            URL,
            "https://vpn.example.com/?a=1",
            "3: connection `vpn`: option `base_url` has a query or a fragment, which it may not have",
        ),
        ("base_url = \"http://127.0.0.1:9\"\n", "", "1: connection `vpn`: no `base_url` is set"),
        (
            "client_id",
            "token_url = \"http://vpn.example.com/\"\nclient_id",
            format!("4: connection `vpn`: option `token_url` {plain}").as_str(),
        ),
        (
            "client_id",
            "proxy = \"nonsense\"\nclient_id",
            "4: connection `vpn`: option `proxy` is not the URL of an HTTP proxy | write it like `http://proxy.example.com:3128`",
        ),
        (
            "client_id",
            "proxy = \"proxy.example.com:3128\"\nclient_id",
            "4: connection `vpn`: option `proxy` is not the URL of an HTTP proxy | write it like `http://proxy.example.com:3128`",
        ),
    ]);
}

#[test]
fn files_of_tls() {
    let https = |key: &str| format!("https://127.0.0.1:9\"\n{key}\nclient_id = \"reader");
    let url = "http://127.0.0.1:9\"\nclient_id = \"reader";
    for (key, expected) in [
        (
            "ca_file = \"no.pem\"",
            "4: connection `vpn`: option `ca_file` names `no.pem`, which cannot be read: No such file or directory (os error 2)",
        ),
        (
            "ca_file = \"config.toml\"",
            "4: connection `vpn`: option `ca_file` names a file without PEM certificates",
        ),
        (
            "client_cert = \"no.pem\"",
            "4: connection `vpn`: option `client_cert` names `no.pem`, which cannot be read: No such file or directory (os error 2)",
        ),
        (
            "client_cert = \"config.toml\"",
            "4: connection `vpn`: option `client_cert` and `client_key` name no PEM certificate with its private key",
        ),
        (
            "client_key = \"config.toml\"",
            "4: connection `vpn`: option `client_key` is set, but `client_cert` is not",
        ),
    ] {
        wrong_when_used(&[(url, https(key).as_str(), expected)]);
    }
}
