//! What one point of a series costs, beside its budget.
//!
//! The clock is read around each single point, so its own cost is in the number.
#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]

use std::hint::black_box;
use std::time::Instant;

use lle_core::budget::Budget;
use lle_core::series::detect::Detector;

/// Points judged: a year of five-minute points.
const POINTS: i64 = 365 * 288;
const MINUTES_5: i64 = 300 * 1_000_000_000;
const START: i64 = 1_700_438_400 * 1_000_000_000;

fn main() {
    let budget = Budget::named("series_point").expect("it has a row");
    let mut detector = Box::new(Detector::new());
    let mut took: Vec<f64> = (0..POINTS)
        .map(|at| {
            let value = value(at);
            let began = Instant::now();
            black_box(detector.observe(START + at * MINUTES_5, black_box(value)));
            began.elapsed().as_nanos() as f64
        })
        .collect();
    took.sort_by(f64::total_cmp);
    let at = |share: f64| took[(took.len() as f64 * share) as usize];
    let mean = took.iter().sum::<f64>() / took.len() as f64;
    println!("bytes of a detector: {}", size_of::<Detector>());
    println!(
        "{:32} mean {} p50 {} p99 {} budget {}",
        budget.operation,
        budget.show(mean),
        budget.show(at(0.5)),
        budget.show(at(0.99)),
        budget.show(budget.at_most)
    );
}

/// A day's load with even noise.
fn value(at: i64) -> f64 {
    let mut mixed = (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let noise = (mixed >> 11) as f64 / (1u64 << 53) as f64;
    100.0 + 20.0 * (at as f64 / 288.0 * std::f64::consts::TAU).sin() + 5.0 * noise
}
