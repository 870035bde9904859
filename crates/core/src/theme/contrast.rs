//! How readable one colour is on another: the contrast ratio of WCAG 2.2 (1.4.3).
//!
//! Invariant: only colours that are the same in every terminal are judged. The first sixteen are what each terminal makes
//! of them.

use super::{Colour, Role};

/// The least contrast of what is typed (WCAG 2.2, AA, text).
pub const TEXT_MIN: f64 = 4.5;
/// The least contrast of hints, which stand back on purpose (WCAG 2.2, AA, large text and what is no text).
pub const DIM_MIN: f64 = 3.0;

/// The least contrast of a role.
pub fn least(role: Role) -> f64 {
    if role.is_dim() { DIM_MIN } else { TEXT_MIN }
}

/// The contrast ratio of two colours, from 1 to 21.
pub fn ratio(a: Colour, b: Colour) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

/// Relative luminance (WCAG 2.2), from 0 to 1.
fn luminance(colour: Colour) -> f64 {
    let linear = |channel: u8| {
        let share = f64::from(channel) / 255.0;
        if share <= 0.04045 {
            share / 12.92
        } else {
            libm::pow((share + 0.055) / 1.055, 2.4)
        }
    };
    let [red, green, blue] = colour.map(linear);
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

/// The colour of a number from 16 on, as xterm has it: a cube of six steps, then 24 greys.
pub fn indexed(number: u8) -> Option<Colour> {
    let step = |n: u8| if n == 0 { 0 } else { 55 + 40 * n };
    match number {
        0..16 => None,
        16..232 => {
            let n = number - 16;
            Some([step(n / 36), step(n / 6 % 6), step(n % 6)])
        }
        232.. => Some([8 + 10 * (number - 232); 3]),
    }
}

/// The colour that SGR parameters give text, where `own` is the terminal's own; none if it is the terminal's to say.
pub fn foreground(sgr: &str, own: Colour) -> Option<Colour> {
    let mut colour = Some(own);
    let mut parameters = sgr
        .split(';')
        .map(|parameter| parameter.parse::<u8>().unwrap_or(0));
    while let Some(parameter) = parameters.next() {
        match parameter {
            30..38 | 90..98 => colour = None,
            39 => colour = Some(own),
            38 => match parameters.next() {
                Some(5) => colour = parameters.next().and_then(indexed),
                Some(2) => {
                    let mut channel = || parameters.next();
                    colour = match (channel(), channel(), channel()) {
                        (Some(red), Some(green), Some(blue)) => Some([red, green, blue]),
                        _ => None,
                    };
                }
                _ => colour = None,
            },
            // Faint is what each terminal makes of it.
            2 => colour = None,
            _ => {}
        }
    }
    colour
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::theme::{ROLES, THEMES};

    #[test]
    fn known_ratios() {
        fn check(a: Colour, b: Colour, expect: f64) {
            assert!((ratio(a, b) - expect).abs() < 0.01, "{}", ratio(a, b));
        }
        check([0; 3], [255; 3], 21.0);
        check([255; 3], [255; 3], 1.0);
        // The grey that is just readable on white.
        check([118; 3], [255; 3], 4.54);
        assert_eq!(indexed(16), Some([0, 0, 0]));
        assert_eq!(indexed(231), Some([255; 3]));
        assert_eq!(indexed(28), Some([0, 135, 0]));
        assert_eq!(indexed(244), Some([128; 3]));
        assert_eq!(indexed(15), None);
    }

    #[test]
    fn every_role_is_readable_in_every_theme_that_names_its_background() {
        let mut judged = (0, 0);
        let mut bad = Vec::new();
        for theme in THEMES {
            let Some((background, own)) = theme.made_for else {
                continue;
            };
            if luminance(background) < 0.5 {
                judged.0 += 1;
            } else {
                judged.1 += 1;
            }
            for role in ROLES {
                let colour = foreground(theme.sgr(*role), own);
                let colour =
                    colour.unwrap_or_else(|| panic!("{} leaves {} to the terminal", theme.name, role.name()));
                let found = ratio(colour, background);
                if found < least(*role) {
                    bad.push(format!("{} {}: {found:.2}", theme.name, role.name()));
                }
            }
        }
        assert!(bad.is_empty(), "{bad:#?}");
        assert!(
            judged.0 >= 2 && judged.1 >= 2,
            "two dark ones and two light ones: {judged:?}"
        );
    }
}
