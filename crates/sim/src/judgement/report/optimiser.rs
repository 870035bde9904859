//! The section on the optimiser: every trial a row, and what all of them came to.

use std::fmt::Write as _;

use super::super::optimiser;
use super::{Size, met, percent, quantile};

/// Of levers that change nothing, or harm, so many may be kept: the looks together are wrong one time in twenty.
const WRONG_MAX: f64 = 0.05;

pub(super) fn section(size: Size, out: &mut String) {
    let _ = writeln!(
        out,
        "Levers whose true effect is known are tried by the engine itself, with lines that one to three sessions type: every\n\
         effect in every setting, n = {} of each, and every trial is a row. Steady lines differ by a quarter, noisy ones by two\n\
         thirds; with heavy tails one in twelve takes 3 to 100 times as long; a machine that drifts gets faster and slower by the\n\
         quarter of an hour; one that was suspended is slow for some lines. `names.keep` is tried because the engine saw an\n\
         opportunity, the others because somebody asks. The effect is the true change of what a line costs, the geometric mean,\n\
         which the interval (98.75 % at each look, 95 % of all looks together) is to hold; where a lever stalls one line in forty,\n\
         what it costs in all stands beside it, and that is what counts as harm.\n\
         The judge does not see that truth: it goes by what all lines of the trial cost together, and by how many stalled.\n",
        size.optimiser
    );
    let trials = optimiser::run(size.first..size.first + size.optimiser);
    sums(&trials, out);
    out.push_str("| lever | setting | true effect | estimate | verdict | minutes typed |\n");
    out.push_str("| --- | --- | --- | --- | --- | --- |\n");
    for trial in &trials {
        let of = |ratio: f64| (ratio - 1.0) * 100.0;
        let setting = optimiser::SETTINGS.iter().find(|row| row.0 == trial.setting);
        let in_all = match trial.effect.stalls {
            true => format!(", {:+.0} % in all", of(trial.effect.in_all())),
            false => String::new(),
        };
        let estimate = trial.estimate.map_or("–".to_owned(), |seen| {
            let (at, low, high) = (of(seen.ratio), of(seen.low), of(seen.high));
            format!("{at:+.1} % ({low:+.1} to {high:+.1}), {} pairs", seen.pairs)
        });
        let _ = writeln!(
            out,
            "| `{}` | {} | {:+.0} %{in_all} | {estimate} | {}{} | {} |",
            trial.change,
            setting.map_or("", |row| row.1),
            of(trial.effect.typical()),
            trial.verdict,
            if trial.kept { ", kept" } else { "" },
            trial.minutes,
        );
    }
}

/// What all trials together came to.
fn sums(trials: &[optimiser::Trial], out: &mut String) {
    let count =
        |is: &dyn Fn(&optimiser::Trial) -> bool| trials.iter().filter(|trial| is(trial)).count() as u64;
    let helps = |trial: &optimiser::Trial| trial.effect.in_all() < 1.0;
    let harmful = count(&|trial| trial.effect.in_all() > 1.0);
    let none = count(&|trial| trial.effect.in_all() == 1.0);
    let (harm, none_kept) = (
        count(&|trial| trial.harms()),
        count(&|trial| trial.kept && trial.effect.in_all() == 1.0),
    );
    let shown = count(&|trial| trial.holds().is_some());
    let held = count(&|trial| trial.holds() == Some(true));
    // The geometric mean: what keeping one after another would come to, each.
    let kept: Vec<_> = trials.iter().filter(|trial| trial.kept).collect();
    let mean = |of: &dyn Fn(&optimiser::Trial) -> f64| {
        let sum: f64 = kept.iter().map(|trial| of(trial).ln()).sum();
        ((sum / kept.len().max(1) as f64).exp() - 1.0) * 100.0
    };
    let _ = writeln!(
        out,
        "Of {} trials {} ended with the right value in force. Of {harmful} levers that harm {harm} were kept, of {none} that change\n\
         nothing {none_kept}. Target: at most {:.0} % of either. {}.\n",
        trials.len(),
        percent(count(&optimiser::Trial::is_right), trials.len() as u64),
        WRONG_MAX * 100.0,
        met(harm as f64 <= harmful as f64 * WRONG_MAX && none_kept as f64 <= none as f64 * WRONG_MAX)
    );
    let stalls = |trial: &optimiser::Trial| trial.effect.stalls;
    let of_stalls = |is: &dyn Fn(&optimiser::Trial) -> bool| count(&|trial| stalls(trial) && is(trial));
    let _ = writeln!(
        out,
        "Of {} that stall one line in forty {} were kept, {} were told to be worse, and {} were left undecided and not kept.\n",
        count(&stalls),
        of_stalls(&|trial| trial.kept),
        of_stalls(&|trial| trial.verdict == "worse"),
        of_stalls(&|trial| trial.verdict == "inconclusive"),
    );
    let _ = writeln!(
        out,
        "Intervals held the true effect in {} of {shown}. Target: {:.0} %, less what chance explains. {}.\n",
        percent(held, shown),
        (1.0 - WRONG_MAX) * 100.0,
        met(holds_enough(held, shown))
    );
    let _ = writeln!(
        out,
        "Of {} levers that help {} were kept. Gain of what was kept, the mean of each: {:.1} % by the trials, {:.1} % in truth. An\n\
         effect of less than 3 % is not looked for, and one of 15 % is often left undecided: by setting,\n",
        count(&helps),
        percent(count(&|trial| helps(trial) && trial.kept), count(&helps)),
        -mean(&|trial| trial.estimate.map_or(1.0, |seen| seen.ratio)),
        -mean(&|trial| trial.effect.in_all()),
    );
    out.push_str("| setting | of levers that help, kept | that do nothing, kept | that harm, kept | that harm, called worse | minutes, half |\n");
    out.push_str("| --- | --- | --- | --- | --- | --- |\n");
    for (setting, name) in optimiser::SETTINGS {
        let of =
            |is: &dyn Fn(&optimiser::Trial) -> bool| count(&|trial| trial.setting == *setting && is(trial));
        let harms = |trial: &optimiser::Trial| trial.effect.in_all() > 1.0;
        let nothing = |trial: &optimiser::Trial| trial.effect.in_all() == 1.0;
        let mut minutes: Vec<f64> = trials
            .iter()
            .filter(|trial| trial.setting == *setting)
            .map(|trial| trial.minutes as f64)
            .collect();
        minutes.sort_by(f64::total_cmp);
        let _ = writeln!(
            out,
            "| {name} | {} of {} | {} of {} | {} of {} | {} of {} | {:.0} |",
            of(&|trial| helps(trial) && trial.kept),
            of(&helps),
            of(&|trial| nothing(trial) && trial.kept),
            of(&nothing),
            of(&|trial| harms(trial) && trial.kept),
            of(&harms),
            of(&|trial| harms(trial) && trial.verdict == "worse"),
            of(&harms),
            quantile(&minutes, 0.5).unwrap_or(0.0),
        );
    }
    out.push('\n');
}

/// Whether so many of so many are 95 %, or so near that chance explains it (two standard errors).
fn holds_enough(held: u64, shown: u64) -> bool {
    let (n, wanted) = (shown.max(1) as f64, 1.0 - WRONG_MAX);
    held as f64 / n >= wanted - 1.96 * (wanted * WRONG_MAX / n).sqrt()
}
