use super::*;

fn error(text: &str) -> String {
    let error = Config::parse(text).unwrap_err();
    let line = error.line.map_or(String::new(), |line| format!("{line}: "));
    let hint = error.hint.map_or(String::new(), |hint| format!(" ({hint})"));
    format!("{line}{}{hint}", error.message)
}

#[test]
fn reads_a_connection() {
    let config = Config::parse(
        r#"
        [connections.vpn]
        plugin = "openvpn"
        base_url = "https://acme.api.openvpn.com"
        client_id = "reader"
        client_secret = { env = "VPN_SECRET" }
        accept = ["history"]
        timeout = "90s"
        rate_limit = { burst = 20, refill = 1, per = "15s" }
        [settings]
        time_zone = "Europe/Berlin"
        memory_limit = "512MB"
        "#,
    )
    .unwrap();
    let vpn = &config.connections["vpn"];
    assert_eq!(vpn.plugin, "openvpn");
    assert_eq!(vpn.accept, [Reason::History]);
    assert_eq!(vpn.timeout, Some(Duration::from_secs(90)));
    assert_eq!(vpn.rate_limit, Some(Rate { burst: 20, refill: 1, per_ms: 15_000 }));
    assert_eq!(vpn.options.keys().collect::<Vec<_>>(), ["client_id", "client_secret"]);
    assert_eq!(config.settings.time_zone, chrono_tz::Europe::Berlin);
    assert_eq!(config.settings.memory_limit_bytes, 512_000_000);
}

#[test]
fn names_the_line_and_the_key() {
    assert_eq!(
        error("[conections.a]\n"),
        "1: the configuration has no key `conections` (did you mean `connections`?)"
    );
    assert_eq!(
        error("\n[settings]\ntimezone = \"UTC\"\n"),
        "3: `[settings]` has no key `timezone` (did you mean `time_zone`?)"
    );
    assert_eq!(
        error("[connections.a]\nbase_url = \"x\"\n"),
        "1: connection `a` has no `plugin` (name the provider, such as `plugin = \"openvpn\"`)"
    );
    assert_eq!(
        error("[connections.Bad]\nplugin = \"x\"\n"),
        "1: `Bad` cannot name a connection (names are lower-case letters, digits and `_`, and begin with no digit)"
    );
    assert_eq!(
        error("[connections.sessions]\nplugin = \"x\"\n").split(" (").next().unwrap(),
        "1: `sessions` is reserved and cannot name a connection"
    );
    assert_eq!(
        error("[connections.a]\nplugin = \"x\"\naccept = [\"late\"]\n"),
        "3: connection `a`: `accept` names `late`, which is no gap (gaps are `capped`, `history`, `clamped`, `budget`)"
    );
    assert_eq!(
        error("[connections.a]\nplugin = \"x\"\ntimeout = \"soon\"\n"),
        "3: `timeout`: `soon` is not a duration (write it like `90s`, `15m` or `1h30m`)"
    );
    assert_eq!(
        error("[connections.a]\nplugin = \"x\"\ns = { path = \"y\" }\n"),
        "3: `s`: a reference is `{ env = \"NAME\" }` or `{ file = \"PATH\" }`"
    );
    assert_eq!(
        error("[settings]\ntime_zone = \"Mars/Base\"\n"),
        "2: `time_zone`: no time zone `Mars/Base` (zones are named like `UTC` or `Europe/Berlin`)"
    );
    assert!(error("[settings\n").starts_with("1: not TOML: "), "{}", error("[settings\n"));
}

#[test]
fn isolation_has_limits() {
    let read = |keys: &str| {
        let config = Config::parse(&format!("[connections.a]\nplugin = \"x\"\n{keys}")).unwrap();
        config.connections["a"].isolation
    };
    assert_eq!(read(""), None);
    assert_eq!(read("isolation = \"process\""), Some(IsolationConfig::default()));
    assert_eq!(
        read("isolation = \"process\"\nmemory_limit = \"64MiB\"\ntime_limit = \"5s\""),
        Some(IsolationConfig { memory_limit_bytes: 64 << 20, time_limit: Duration::from_secs(5) })
    );
    let error = |keys: &str| error(&format!("[connections.a]\nplugin = \"x\"\n{keys}\n"));
    assert_eq!(
        error("isolation = \"thread\""),
        "3: connection `a`: `isolation` is `thread`, which is not known (write `isolation = \"process\"`, or leave it out)"
    );
    assert_eq!(
        error("time_limit = \"5s\""),
        "3: connection `a`: `time_limit` needs `isolation` (write `isolation = \"process\"` beside it)"
    );
    assert_eq!(
        error("isolation = \"process\"\nmemory_limit = \"1MB\""),
        "4: connection `a`: `memory_limit` must be at least 32MiB"
    );
    assert_eq!(
        error("isolation = \"process\"\nmemory_limit = \"much\""),
        "4: `memory_limit`: `much` is not a size (write a number with KB, MB or GB, such as `512MB`)"
    );
    assert_eq!(
        error("isolation = \"process\"\ntime_limit = \"0s\""),
        "4: `time_limit` must be above 0"
    );
}

#[test]
fn secrets_come_from_where_the_reference_says() {
    use secrecy::ExposeSecret as _;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("secret");
    std::fs::write(&file, "hush\n").unwrap();
    let secrets = Secrets::new(|name| (name == "A").then(|| "whisper".to_owned()));
    assert_eq!(secrets.resolve(&SecretRef::File(file)).unwrap().expose_secret(), "hush");
    assert_eq!(secrets.resolve(&SecretRef::Env("A".into())).unwrap().expose_secret(), "whisper");
    assert_eq!(
        secrets.resolve(&SecretRef::Env("B".into())).unwrap_err().message,
        "the environment variable `B` is not set"
    );
}

#[test]
fn sizes() {
    assert_eq!(parse_size("1GB"), Some(1_000_000_000));
    assert_eq!(parse_size("2 MiB"), Some(2 << 20));
    assert_eq!(parse_size("many"), None);
}
