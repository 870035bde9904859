//! The models that a job made, in the running engine: when one is due, and who forecasts by them.

use lle_core::plan::{Action, Check, Plan, Planned, Step};
use lle_core::task::TaskKind;
use serde_json::{Value, json};

use super::{Engine, Watched};
use crate::models::{AGE_MIN_NS, Fitted, Models};
use crate::world::{Now, World};

/// How old models may become, in nanoseconds: a week, as baselines.
const AGE_MAX_NS: i64 = 7 * 24 * 3_600 * 1_000_000_000;
/// How old they must be for a person's word to make them anew, in nanoseconds: an hour adds nothing to weeks.
const ASKED_AGE_MIN_NS: i64 = 3_600 * 1_000_000_000;

impl Engine {
    /// What a run of the optimiser does when there is nothing to try: models, if they are due.
    pub(crate) fn plan_models<W: World>(
        &self,
        world: &mut W,
        why: &str,
        now: Now,
        asked: bool,
    ) -> Option<Planned> {
        let age = |at: i64| now.wall_ns.saturating_sub(at);
        let installed = self.state.installed_wall_ns;
        // Before that there is too little to fit anything to.
        if installed == 0 || age(installed) < AGE_MIN_NS {
            return None;
        }
        let fresh = if asked { ASKED_AGE_MIN_NS } else { AGE_MAX_NS };
        let made = self.predict.models.as_ref().map(|models| models.made_wall_ns);
        // Those of a clock that was ahead are made anew, too.
        if made.is_some_and(|made| (0..fresh).contains(&age(made))) {
            return None;
        }
        let command = world.models_job()?;
        Some(Planned::Do(Plan {
            task: TaskKind::Performance.name().to_owned(),
            why: why.to_owned(),
            steps: vec![Step {
                action: Action::FitModels { command },
                verify: Check::ExitZero,
                undo: None,
            }],
        }))
    }

    /// Takes the models over that the last job made.
    pub(crate) fn read_models<W: World>(&mut self, world: &mut W) {
        self.predict.models = world.models().and_then(|bytes| Models::read(&bytes));
        for (metric, watch) in &mut self.predict.watches {
            watch.take_model(self.predict.models.as_ref().and_then(|models| models.of(metric)));
        }
    }

    /// When models were made, how many series have one, and of how many it is of use; none without.
    pub(crate) fn models_made(&self) -> Option<(i64, u64, u64)> {
        let models = self.predict.models.as_ref()?;
        let of = |keep: &dyn Fn(&Fitted) -> bool| {
            models.series.values().filter(|fitted| keep(fitted)).count() as u64
        };
        let fitted = of(&|fitted| matches!(fitted, Fitted::Model(_)));
        let of_use = of(&|fitted| matches!(fitted, Fitted::Model(model) if model.is_of_use()));
        Some((models.made_wall_ns, fitted, of_use))
    }

    /// The pattern of a series, or why none is known.
    pub(super) fn pattern(&self, row: &Watched) -> Value {
        let fitted = self
            .predict
            .models
            .as_ref()
            .and_then(|models| models.series.get(row.metric));
        match fitted {
            None => {
                json!({ "unknown": "unknown: no model was made yet; one is, weekly, from three weeks of samples on" })
            }
            Some(Fitted::Unknown(unknown)) => json!({ "unknown": unknown.to_string() }),
            Some(Fitted::Model(model)) => json!({
                "period": model.period(),
                "peak_hour_utc": model.peak().map(|(hour, _)| hour),
                "swing": model.peak().map(|(_, swing)| swing),
                "swing_shown": model.peak().map(|(_, swing)| row.unit.show(swing)),
                "skill": model.skill(),
                "tried": model.tried(),
                "hours": model.hours(),
                "of_use": model.is_of_use(),
            }),
        }
    }
}
