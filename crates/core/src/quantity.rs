//! Numbers as people read them.

const MINUTE_S: u64 = 60;
const HOUR_S: u64 = 60 * MINUTE_S;
const DAY_S: u64 = 24 * HOUR_S;

/// Writes a measured time: `180 µs`, `1.2 ms`.
pub fn duration(ns: f64) -> String {
    scaled(ns, &[(1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns")])
}

/// Writes a size: `32 KiB`, `4.1 MiB`.
pub fn bytes(bytes: f64) -> String {
    scaled(
        bytes,
        &[
            (1024.0 * 1024.0 * 1024.0, "GiB"),
            (1024.0 * 1024.0, "MiB"),
            (1024.0, "KiB"),
            (1.0, "B"),
        ],
    )
}

/// Writes a share in hundredths, with as many digits as the targets need: `99.95 %`, `0.1 %`. What is not quite the
/// whole never reads as the whole.
pub fn percent(value: f64) -> String {
    let value = if value < 100.0 { value.min(99.999) } else { value };
    let text = format!("{value:.3}");
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

/// Writes a number with its thousands apart: `12,345`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Writes a number with what it counts: `1 panic`, `1,234 panics`.
pub fn several(n: u64, one: &str, more: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { more })
}

/// Writes how long something has been going on, in its two largest units: `2 h 5 min`, `3 s`.
pub fn age(ns: u64) -> String {
    let s = ns / 1_000_000_000;
    let pair = |large: u64, name: &str, small: u64, small_name: &str| match s % large / small {
        0 => format!("{} {name}", s / large),
        rest => format!("{} {name} {rest} {small_name}", s / large),
    };
    match s {
        ..MINUTE_S => format!("{s} s"),
        MINUTE_S..HOUR_S => pair(MINUTE_S, "min", 1, "s"),
        HOUR_S..DAY_S => pair(HOUR_S, "h", MINUTE_S, "min"),
        DAY_S.. => pair(DAY_S, "d", HOUR_S, "h"),
    }
}

/// Two or three significant digits in the largest unit the value reaches.
fn scaled(value: f64, units: &[(f64, &str)]) -> String {
    // What would be rounded to a thousand is written in the next unit.
    let reached = units
        .iter()
        .find(|(size, _)| value.abs() >= *size * 0.9995)
        .or(units.last());
    let (size, name) = reached.copied().unwrap_or((1.0, ""));
    let value = value / size;
    let rounded = (value * 10.0).round() / 10.0;
    let digits = if value.abs() >= 100.0 || rounded.fract() == 0.0 {
        0
    } else {
        1
    };
    format!("{value:.digits$} {name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        fn check(ns: f64, expect: &str) {
            assert_eq!(duration(ns), expect);
        }
        check(0.0, "0 ns");
        check(63.0, "63 ns");
        check(180_000.0, "180 µs");
        check(1_234_567.0, "1.2 ms");
        check(999_999.0, "1 ms");
        check(2.0e9, "2 s");
        check(-400_000.0, "-400 µs");
    }

    #[test]
    fn sizes() {
        fn check(size: f64, expect: &str) {
            assert_eq!(bytes(size), expect);
        }
        check(1.0, "1 B");
        check(1.24, "1.2 B");
        check(32_768.0, "32 KiB");
        check(4_300_000.0, "4.1 MiB");
    }

    #[test]
    fn shares() {
        fn check(value: f64, expect: &str) {
            assert_eq!(percent(value), expect);
        }
        check(100.0, "100 %");
        check(99.95, "99.95 %");
        check(0.1, "0.1 %");
        check(0.0, "0 %");
        check(-2.5, "-2.5 %");
        check(99.9999, "99.999 %");
    }

    #[test]
    fn counts() {
        fn check(n: u64, expect: &str) {
            assert_eq!(count(n), expect);
        }
        check(0, "0");
        check(999, "999");
        check(1_000, "1,000");
        check(12_345_678, "12,345,678");
    }

    #[test]
    fn what_is_counted() {
        assert_eq!(several(0, "panic", "panics"), "0 panics");
        assert_eq!(several(1, "panic", "panics"), "1 panic");
        assert_eq!(several(1_234, "panic", "panics"), "1,234 panics");
    }

    #[test]
    fn ages() {
        fn check(s: u64, expect: &str) {
            assert_eq!(age(s * 1_000_000_000), expect);
        }
        check(0, "0 s");
        check(59, "59 s");
        check(60, "1 min");
        check(61, "1 min 1 s");
        check(7_500, "2 h 5 min");
        check(86_400, "1 d");
        check(100_000, "1 d 3 h");
    }
}
