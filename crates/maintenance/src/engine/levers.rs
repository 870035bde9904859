//! Levers, opportunities and trials as documents.

use lle_core::lever::{LEVERS, Levers};
use lle_core::optimise::{self, Opportunity, targets};
use lle_core::task::{TaskKind, performance};
use lle_core::trial::paired::{self, Paired};
use lle_core::trial::{Ended, Trial};

use super::Engine;
use crate::api::VERSION;
use crate::api::trials::{
    BaselineDocument, EstimateDocument, LeverDocument, OpportunityDocument, TargetDocument, TrialDocument,
    TrialsDocument,
};
use crate::world::Now;

impl Engine {
    /// What is tried, what was, and what would be worth it.
    pub(super) fn trials(&self, now: Now) -> TrialsDocument {
        let levers = self.levers();
        let tried: Vec<Ended> = self.state.trials_ended.iter().cloned().collect();
        let name = TaskKind::Performance.name();
        let costs = self.recent_costs();
        let found = optimise::opportunities(&costs, &levers, &tried, now.wall_ns);
        TrialsDocument {
            version: VERSION,
            now_wall_ns: now.wall_ns,
            mode: self.mode_of(name).name().to_owned(),
            levers: LEVERS.iter().map(|row| lever(row, &levers)).collect(),
            opportunities: found.iter().map(|found| opportunity(found, &levers)).collect(),
            no_opportunity: found
                .is_empty()
                .then(|| performance::why_none(&costs, &levers, &tried, now.wall_ns)),
            waits: self.trials_wait().map(str::to_owned),
            baseline: self.state.targets.as_ref().map(baseline),
            open: self
                .state
                .trials
                .iter()
                .filter(|(_, trial)| trial.configured.is_none())
                .map(|(id, trial)| open(*id, trial))
                .collect(),
            ended: tried
                .iter()
                .filter(|ended| ended.config.is_none())
                .map(ended)
                .collect(),
        }
    }
}

fn lever(row: &lle_core::lever::Row, levers: &Levers) -> LeverDocument {
    LeverDocument {
        name: row.name.to_owned(),
        value: row.show(levers.value(row.lever)),
        default: row.show(row.default),
        range: row.range(),
        component: row.component.to_owned(),
        cost: row.cost.name().to_owned(),
        about: row.about.to_owned(),
    }
}

fn opportunity(found: &Opportunity, levers: &Levers) -> OpportunityDocument {
    let row = found.lever.row();
    OpportunityDocument {
        lever: row.name.to_owned(),
        current: row.show(levers.value(found.lever)),
        candidate: row.show(found.candidate),
        cost: row.cost.name().to_owned(),
        gain_percent: found.gain * 100.0,
        evidence: found.evidence.clone(),
    }
}

fn open(id: u64, trial: &Trial) -> TrialDocument {
    let paired = trial.paired.as_ref();
    TrialDocument {
        id,
        change: trial.change.clone(),
        lever: paired.map(|paired| paired.lever.clone()),
        current: paired.map(|paired| paired.current.clone()),
        candidate: paired.map(|paired| paired.candidate.clone()),
        metric: trial.metric.clone(),
        pairs: paired.map_or(0, Paired::pairs),
        pairs_next: paired.and_then(|paired| paired::LOOKS.get(paired.looks).copied()),
        // What is seen between two looks decides nothing, so it is not shown either.
        estimate: paired.and_then(|paired| paired.seen.as_ref()).map(estimate),
        active_ns: trial.active_ns,
        active_ns_max: Some(trial.active_ns_max),
        verdict: None,
        why: None,
        kept: false,
        ended_wall_ns: None,
    }
}

fn ended(ended: &Ended) -> TrialDocument {
    let lever = ended.lever.clone();
    TrialDocument {
        id: ended.id,
        change: ended.change.clone(),
        lever: lever.as_ref().map(|lever| lever.0.clone()),
        current: lever.as_ref().map(|lever| lever.1.clone()),
        candidate: lever.map(|lever| lever.2),
        metric: ended.metric.clone(),
        pairs: ended.estimate.map_or(0, |estimate| estimate.pairs),
        pairs_next: None,
        estimate: ended.estimate.as_ref().map(estimate),
        active_ns: ended.active_ns,
        active_ns_max: None,
        verdict: Some(ended.verdict.name().to_owned()),
        why: Some(ended.why.clone()),
        kept: ended.kept,
        ended_wall_ns: Some(ended.wall_ns),
    }
}

fn baseline(targets: &targets::Targets) -> BaselineDocument {
    let of = |(cost, target): (&String, &targets::Target)| TargetDocument {
        cost: cost.clone(),
        usual_ns: target.usual_ns,
        target_ns: target.target_ns,
    };
    BaselineDocument {
        taken_wall_ns: targets.wall_ns,
        costs: targets.costs.iter().map(of).collect(),
        levers: targets.levers.clone(),
    }
}

fn estimate(seen: &paired::Estimate) -> EstimateDocument {
    let percent = |ratio: f64| (ratio - 1.0) * 100.0;
    let in_all = seen.in_all;
    EstimateDocument {
        percent: percent(seen.ratio),
        percent_low: percent(seen.low),
        percent_high: percent(seen.high),
        current_ns: seen.current_ns,
        candidate_ns: seen.candidate_ns,
        percent_in_all: in_all.and_then(|in_all| in_all.ratio()).map(percent),
        current_stalls: in_all.map(|in_all| in_all.current_stalls),
        candidate_stalls: in_all.map(|in_all| in_all.candidate_stalls),
    }
}

#[cfg(test)]
mod tests {
    use lle_core::lever::Cost;
    use lle_metrics::Timer;

    #[test]
    fn every_cost_is_a_timer() {
        for cost in Cost::ALL {
            let is_timer = Timer::ALL.iter().any(|timer| timer.name() == cost.name());
            assert!(is_timer, "{}", cost.name());
        }
    }
}
