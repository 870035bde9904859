//! What a value may look like.
//!
//! Invariant: a number is read whole or not at all; where a comma may be either of two things, not at all.

use super::fields::Field;

/// What stands where a value is missing.
const MISSING: &[&str] = &["", "na", "n/a", "nan", "null", "none", "-"];

/// What is expected where a value stands.
pub(super) const VALUE: &str = "a number";
/// The same, of one with a comma that may be either.
pub(super) const COMMA: &str = "a number such as 1234.5: this comma may stand for thousands or for decimals";

/// A number, or none where one is missing. Commas are for thousands where a point says so or several do, and for decimals where
/// commas do not separate fields.
pub(super) fn value(field: &Field<'_>, separator: char) -> Result<f64, &'static str> {
    let text = field.text;
    if let Ok(number) = text.parse::<f64>() {
        return Ok(held(number, text));
    }
    if MISSING.iter().any(|known| text.eq_ignore_ascii_case(known)) {
        return Ok(f64::NAN);
    }
    if !text.contains(',') {
        return Err(VALUE);
    }
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1.0, digits),
        None => (1.0, text),
    };
    let number = match (digits.matches(',').count(), digits.contains('.')) {
        (_, true) if digits.rfind(',') < digits.find('.') => grouped(digits, ',', '.'),
        (1, true) => grouped(digits, '.', ','),
        (1, false) if separator == ',' => {
            return Err(if grouped(digits, ',', '.').is_some() {
                COMMA
            } else {
                VALUE
            });
        }
        (1, false) => grouped(digits, '.', ','),
        (_, false) => grouped(digits, ',', '.'),
        _ => None,
    };
    number.map(|number| sign * held(number, digits)).ok_or(VALUE)
}

/// A number that is larger than any that can be counted with is a large one, and none that is missing.
fn held(number: f64, text: &str) -> f64 {
    let has_digits = text.bytes().any(|byte| byte.is_ascii_digit());
    if number.is_infinite() && has_digits {
        f64::MAX.copysign(number)
    } else {
        number
    }
}

/// Reads digits in groups of three, and what stands after the decimal mark.
fn grouped(text: &str, group: char, decimal: char) -> Option<f64> {
    let (whole, part) = match text.split_once(decimal) {
        Some((whole, part)) => (whole, Some(part)),
        None => (text, None),
    };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mut groups = whole.split(group);
    let first = groups.next()?;
    let mut digits = first.to_owned();
    for three in groups {
        if !(1..=3).contains(&first.len()) || three.len() != 3 || !is_number(three) {
            return None;
        }
        digits += three;
    }
    if !is_number(first) || part.is_some_and(|part| !is_number(part)) {
        return None;
    }
    format!("{digits}.{}", part.unwrap_or("0")).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_programs_and_people_write_them() {
        fn check(text: &str, separator: char, expect: Result<f64, &'static str>) {
            let field = Field {
                text,
                column: 0,
                is_quoted: true,
            };
            assert_eq!(value(&field, separator), expect, "{text:?} between {separator:?}");
        }
        check("1.5", ',', Ok(1.5));
        check("-1e3", ';', Ok(-1e3));
        check("1,234.5", ',', Ok(1_234.5));
        check("-1,234,567", ',', Ok(-1_234_567.0));
        check("1,234", ',', Err(COMMA));
        check("1,5", ',', Err(VALUE));
        check("1,5", ';', Ok(1.5));
        check("-0,25", '\t', Ok(-0.25));
        check("1.234,5", ';', Ok(1_234.5));
        check("1.234,5", ',', Ok(1_234.5));
        check("1,23,4", ',', Err(VALUE));
        check("1,2345.6", ',', Err(VALUE));
        check("1.2.3,4", ';', Err(VALUE));
        check(",5", ';', Err(VALUE));
        check("1e309", ',', Ok(f64::MAX));
        check("-1e309", ';', Ok(f64::MIN));
        check(&"9".repeat(400), ',', Ok(f64::MAX));
        check("inf", ',', Ok(f64::INFINITY));
        check("two", ',', Err(VALUE));
        check("1,x", ';', Err(VALUE));
    }
}
