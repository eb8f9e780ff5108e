//! Rules 2 and 3: throttling, `Retry-After`, and the limiter. On paused time.

use std::time::Duration;

use sessionql_core::http::Scope;
use sessionql_plugin_abi::Reason;
use sessionql_plugin_abi::message::Rate;
use tokio::time::Instant;

use crate::server::{Seen, Server, answer, fetch, get, json, open};

const HOUR: Duration = Duration::from_secs(3600);

fn gaps_s(seen: &[Seen]) -> Vec<f64> {
    seen.windows(2).map(|pair| (pair[1].at - pair[0].at).as_secs_f64()).collect()
}

/// Header timeouts may not fire while paused time jumps.
fn patient(server: &Server) -> sessionql_core::http::HttpOptions {
    let mut options = server.options();
    options.timeout = Some(100 * HOUR);
    options
}

#[tokio::test(start_paused = true)]
async fn throttling_waits_longer_each_time_and_counts_no_attempts() {
    let server = Server::start(|n, _| if n < 12 { answer(429, &[], "") } else { json("1") }).await;
    let mut options = patient(&server);
    options.retry.patience = HOUR;
    let scope = Scope::default();
    open(options).send(&get("/rows"), &scope).await.unwrap();
    let gaps = gaps_s(&server.seen());
    assert_eq!(gaps.len(), 12);
    for (n, gap) in gaps.iter().enumerate() {
        let least = 2_f64.powi(i32::try_from(n).unwrap()).min(60.0);
        assert!(*gap >= least, "gap {n}: {gap} s");
    }
    assert!(gaps[0] < 60.0, "{gaps:?}");
    assert!(scope.account.usage().waited >= Duration::from_secs(300));
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_never_shortened() {
    let date = ("date", "Tue, 15 Nov 1994 08:12:31 GMT");
    let forms: &[&[(&str, &str)]] =
        &[&[("retry-after", "86400")], &[date, ("retry-after", "Wed, 16 Nov 1994 08:12:31 GMT")]];
    for form in forms {
        let form: Vec<(String, String)> =
            form.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let server = Server::start(move |n, _| {
            let form: Vec<(&str, &str)> =
                form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            if n == 0 { answer(429, &form, "") } else { json("1") }
        })
        .await;
        let mut options = patient(&server);
        options.retry.patience = 48 * HOUR;
        fetch(&open(options)).await.unwrap();
        let gaps = gaps_s(&server.seen());
        assert!((86_400.0..86_500.0).contains(&gaps[0]), "{gaps:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_past_the_deadline_fails_at_once() {
    let server = Server::start(|_, _| answer(429, &[("retry-after", "300")], "")).await;
    let client = open(patient(&server));
    let began = Instant::now();
    let deadline = Some(began + Duration::from_secs(60));
    let scope = Scope { deadline, ..Scope::default() };
    let error = client.send(&get("/rows"), &scope).await.unwrap_err();
    assert_eq!(error.code, Reason::Timeout);
    assert!(error.message.contains("asks to wait 5 min"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(1));
    // So does the next request, which is not even sent.
    let error = client.send(&get("/rows"), &scope).await.unwrap_err();
    assert_eq!(error.code, Reason::Timeout);
    assert!(error.message.contains("asks to wait 5 min"), "{error}");
    assert_eq!(server.n_seen(), 1);
}

#[tokio::test(start_paused = true)]
async fn patience_ends_without_an_accepted_request() {
    let server = Server::start(|_, _| answer(429, &[], "")).await;
    let began = Instant::now();
    let error = fetch(&open(patient(&server))).await.unwrap_err();
    assert_eq!(error.code, Reason::ProviderError);
    assert!(error.message.contains("no request was accepted for 15 min"), "{error}");
    assert!(began.elapsed() > HOUR / 4 && began.elapsed() < HOUR, "{:?}", began.elapsed());

    let server =
        Server::start(|_, _| answer(429, &[("retry-after", "99999999999999999999")], "")).await;
    let began = Instant::now();
    let error = fetch(&open(patient(&server))).await.unwrap_err();
    assert!(error.message.contains("waits 15 min at most"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn resource_exhausted_is_throttling_whatever_its_status() {
    for status in [400, 429, 503] {
        let server = Server::start(move |n, _| match n {
            0..10 => answer(status, &[], r#"{"code":"resource_exhausted","message":"slow"}"#),
            _ => json("1"),
        })
        .await;
        assert_eq!(fetch(&open(patient(&server))).await.unwrap(), "1");
        assert_eq!(server.n_seen(), 11);
    }
}

#[tokio::test(start_paused = true)]
async fn the_limiter_does_not_wait_until_it_is_told() {
    let server = Server::start(|_, _| json("1")).await;
    let mut options = patient(&server);
    let rate = Some(Rate { burst: 1, refill: 1, per_ms: 60_000 });
    options.patterns.iter_mut().for_each(|pattern| pattern.rate = rate);
    let client = open(options);
    let began = Instant::now();
    for _ in 0..50 {
        fetch(&client).await.unwrap();
    }
    assert!(began.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn the_limiter_follows_a_token_bucket_in_headers() {
    let server = Server::start(|n, _| {
        let remaining = 3_usize.saturating_sub(n).to_string();
        let headers = [
            ("x-ratelimit-remaining", remaining.as_str()),
            ("x-ratelimit-burst-capacity", "20"),
            ("x-ratelimit-replenish-rate", "1"),
            ("x-ratelimit-replenish-time", "15"),
        ];
        answer(200, &headers, "1")
    })
    .await;
    let client = open(patient(&server));
    for _ in 0..7 {
        fetch(&client).await.unwrap();
    }
    let gaps = gaps_s(&server.seen());
    assert!(gaps[..3].iter().all(|gap| *gap < 1.0), "{gaps:?}");
    assert!(gaps[3..].iter().all(|gap| (14.9..16.0).contains(gap)), "{gaps:?}");
}

#[tokio::test(start_paused = true)]
async fn the_limiter_follows_a_window_in_headers() {
    let server = Server::start(|n, _| {
        let remaining = (9 - n % 10).to_string();
        answer(200, &[("x-ratelimit-remaining", &remaining), ("x-ratelimit-reset", "30")], "1")
    })
    .await;
    let client = open(patient(&server));
    for _ in 0..12 {
        fetch(&client).await.unwrap();
    }
    let gaps = gaps_s(&server.seen());
    assert!((29.9..31.0).contains(&gaps[9]), "{gaps:?}");
    assert!(gaps[..9].iter().all(|gap| *gap < 1.0), "{gaps:?}");
}

#[tokio::test(start_paused = true)]
async fn the_published_rate_holds_after_the_first_429() {
    let server = Server::start(|n, _| if n == 5 { answer(429, &[], "") } else { json("1") }).await;
    let mut options = patient(&server);
    let rate = Some(Rate { burst: 5, refill: 1, per_ms: 10_000 });
    options.patterns.iter_mut().for_each(|pattern| pattern.rate = rate);
    let client = open(options);
    for _ in 0..8 {
        fetch(&client).await.unwrap();
    }
    let gaps = gaps_s(&server.seen());
    assert!(gaps[..5].iter().all(|gap| *gap < 1.0), "{gaps:?}");
    assert!(gaps[5..].iter().all(|gap| (9.9..11.0).contains(gap)), "{gaps:?}");
}

#[tokio::test(start_paused = true)]
async fn a_rate_that_was_only_measured_is_forgotten_in_time() {
    let server = Server::start(|n, _| if n == 20 { answer(429, &[], "") } else { json("1") }).await;
    let client = open(patient(&server));
    for _ in 0..100 {
        fetch(&client).await.unwrap();
    }
    let gaps = gaps_s(&server.seen());
    assert!(gaps[20] >= 1.0, "{gaps:?}");
    assert!(gaps[21] > 0.05, "{gaps:?}");
    assert!(gaps[99] < 0.1, "{gaps:?}");
}

#[tokio::test(start_paused = true)]
async fn a_configured_rate_holds_from_the_start() {
    let server = Server::start(|_, _| answer(200, &[("x-ratelimit-remaining", "99")], "1")).await;
    let mut options = patient(&server);
    options.rate_limit = Some(Rate { burst: 2, refill: 1, per_ms: 5_000 });
    let client = open(options);
    for _ in 0..5 {
        fetch(&client).await.unwrap();
    }
    let gaps = gaps_s(&server.seen());
    assert!(gaps[0] < 1.0 && gaps[1..].iter().all(|gap| (4.9..6.0).contains(gap)), "{gaps:?}");
}

#[tokio::test(start_paused = true)]
async fn all_scans_wait_when_one_is_throttled() {
    let server = Server::start(|n, _| match n {
        0 => answer(429, &[("retry-after", "40")], ""),
        _ => json("1"),
    })
    .await;
    let client = open(patient(&server));
    let other = client.clone();
    let first = tokio::spawn(async move { fetch(&client).await });
    let second = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(5)).await;
        fetch(&other).await
    });
    first.await.unwrap().unwrap();
    second.await.unwrap().unwrap();
    assert!(gaps_s(&server.seen())[0] >= 40.0);
}
