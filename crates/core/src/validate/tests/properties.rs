//! Whatever was measured: a verdict is earned.

use proptest::prelude::*;

use super::*;

prop_compose! {
    fn numbers()(
        value in prop_oneof![any::<f64>(), 0.0..200.0, 1e3..1e8],
        worst in prop::option::of(prop_oneof![any::<f64>(), 0.0..2e6]),
        samples in prop_oneof![0..200_u64, any::<u64>()],
    ) -> (f64, Option<f64>, u64) {
        (value, worst, samples)
    }
}

proptest! {
    #[test]
    fn met_takes_a_number_within_the_target_from_enough_samples(
        at in 0..LIVE.len(),
        (value, worst, samples) in numbers(),
        from_bench in any::<bool>(),
    ) {
        let (live, mut evidence) = (LIVE[at], Evidence::default());
        if from_bench {
            evidence.bench.insert(live.budget.to_owned(), bench(value, worst, samples));
        } else {
            evidence.live.values.insert(live.budget, measured(value, worst, samples));
        }
        let validation = validate(&evidence);
        let (budget, reading) = (Budget::named(live.budget).unwrap(), &row(&validation, live.budget).reading);
        prop_assert!(!reading.why.is_empty());
        if reading.verdict == Verdict::Met {
            prop_assert_eq!(reading.value, Some(value));
            prop_assert!(value <= budget.at_most);
            prop_assert!(from_bench || samples >= live.least);
            prop_assert!(samples > 0);
            prop_assert!(!budget.critical || worst.unwrap() < 1e6);
        }
        // What one budget is given, no other is judged by.
        prop_assert!(validation.budgets.iter().all(|row| row.id == live.budget || row.reading.value.is_none()));
    }

    #[test]
    fn a_share_is_met_only_by_enough(part in 0..5_000_u64, more in 0..5_000_u64) {
        let share = Some(Share { part, of: part + more });
        let inputs = SuccessInputs { recovery: share, operations: share, ..SuccessInputs::default() };
        for metric in ["recovery", "operations"].map(|name| Metric::named(name).unwrap()) {
            let judged = metric.judge(&inputs);
            if judged.verdict != Verdict::Unknown {
                prop_assert!(part + more >= metric.least);
                prop_assert_eq!(judged.verdict == Verdict::Met, metric.target.holds(judged.value.unwrap()));
            }
        }
    }
}
