use sessionql_grammar::*;
use std::time::Instant;
#[test]
fn shapes() {
    for open in [
        "(", "f(", "[", "ARRAY[", "a[", "(SELECT ", "CAST(", "TRY_CAST(", "EXISTS (", "EXISTS (SELECT ", "ANY (", "(VALUES (",
        "trim(both ", "f(both(", "f(DISTINCT (", "CASE WHEN ", "1 IN (", "(SELECT 1 FROM ", "(SELECT 1 FROM (VALUES (",
        "(SELECT DISTINCT ON (", "(SELECT 1 GROUP BY ROLLUP (", "(SELECT 1 GROUP BY GROUPING SETS ((", "(WITH a AS (",
        "sum(x) OVER (ROWS BETWEEN (", "sum(x) FILTER (WHERE (", "f(a => ", "extract(epoch FROM ", "(SELECT * EXCEPT (",
        "(SELECT 1 SINCE (", "(SELECT 1 FROM a JOIN (", "x::a(", "x BETWEEN (", "(a, ",
    ] { let mut out = String::new();
        for depth in [6, 10, 14] {
        let close: String = open.chars().rev().filter_map(|c| match c { '(' => Some(')'), '[' => Some(']'), _ => None }).collect();
        let t=Instant::now();
        for middle in ["1 2", "SELECT"] {
            let _ = parse(&format!("SELECT {}{middle}{}", open.repeat(depth), close.repeat(depth))).is_ok();
        }
        out.push_str(&format!(" {:?}", t.elapsed()));
        }
        println!("{open} {out}");
    }
}
#[test]
fn long() {
    let n = 100_000;
    for text in [
        format!("SELECT {}                           ", "a,".repeat(12500)),
        format!("SELECT {}", "a,".repeat(25000)),
        format!("SELECT {}", "a,".repeat(50000)),
        format!("SELECT {}", "b,".repeat(25000)),
        format!("SELECT f({})", "b,".repeat(25000)),
        format!("SELECT f({})", "b,".repeat(50000)),
    ] {
        let t=Instant::now();
        let r = parse(&text).map(|s| s.len()).map_err(|e| e.to_string());
        println!("{} {:?} {r:?}", &text[..20], t.elapsed());
    }
}
