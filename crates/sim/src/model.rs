//! What the engine has said yes to, kept beside it.
//!
//! Invariant: an answer is a promise. Without power loss the last one stands; with it, the last one that was durable or
//! any later one.

use std::collections::BTreeMap;

use lle_maintenance::api::Request;
use lle_maintenance::state::Durable;

/// Everything promised, by name.
#[derive(Debug, Default)]
pub struct Model {
    promises: BTreeMap<String, Vec<Promise>>,
}

#[derive(Clone, Debug)]
struct Promise {
    value: String,
    durable: bool,
}

/// What a request is about, by the name of the promise; none if it promises nothing.
pub fn subject(request: &Request) -> Option<String> {
    Some(match request {
        Request::Pause { task: Some(task) }
        | Request::Resume { task: Some(task) }
        | Request::Cancel { task } => {
            format!("task/{task}")
        }
        Request::Pause { task: None } | Request::Resume { task: None } | Request::Start => "paused".into(),
        Request::Schedule(asked) => format!("task/{}", asked.name),
        Request::SetMode { area, .. } => format!("mode/{area}"),
        Request::SignOff { item, .. } => format!("review/{item}"),
        Request::Acknowledge { id } => format!("alert/{id}"),
        _ => return None,
    })
}

/// What the state says on a subject.
pub fn says(state: &Durable, subject: &str) -> String {
    let (kind, name) = subject.split_once('/').unwrap_or((subject, ""));
    match kind {
        "paused" => state.paused.to_string(),
        "mode" => format!("{:?}", state.modes.get(name)),
        "review" => state
            .sign_offs
            .get(name)
            .map(|found| found.note.clone())
            .unwrap_or_default(),
        "alert" => {
            let open = state.alerts.open().find(|alert| alert.id.to_string() == name);
            // One that is over needs nobody's word.
            open.is_none_or(|alert| alert.acknowledged.is_some()).to_string()
        }
        _ => state.tasks.get(name).map_or_else(String::new, |known| {
            let task = &known.task;
            format!(
                "{} {:?} {:?} {} {}",
                task.schedule, task.command, task.cleanup, task.enabled, known.paused
            )
        }),
    }
}

impl Model {
    /// A request was granted, and this is what the state says now.
    pub fn promise(&mut self, subject: String, value: String) {
        let promise = Promise {
            value,
            durable: false,
        };
        if let Some(task) = subject.strip_prefix("task/")
            && promise.value.is_empty()
        {
            // The mode of a task that is removed goes with it.
            self.promises.remove(&format!("mode/{task}"));
        }
        self.promises.entry(subject).or_default().push(promise);
    }

    /// Nobody knows how a request ended: either is right.
    pub fn doubt(&mut self, subject: &str) {
        self.promises.remove(subject);
        if let Some(task) = subject.strip_prefix("task/") {
            self.promises.remove(&format!("mode/{task}"));
        }
    }

    /// An alert is quiet until what it is about gets worse.
    pub fn forget_what_got_worse(&mut self, state: &Durable) {
        self.promises
            .retain(|subject, _| !subject.starts_with("alert/") || says(state, subject) == "true");
    }

    /// Everything promised so far is durable.
    pub fn durable(&mut self) {
        for promises in self.promises.values_mut() {
            promises.drain(..promises.len().saturating_sub(1));
            promises.iter_mut().for_each(|promise| promise.durable = true);
        }
    }

    /// Compares with the state; says what was not kept.
    pub fn check(&self, state: &Durable) -> Vec<String> {
        let broken = |(subject, promises): (&String, &Vec<Promise>)| {
            let (promised, found) = (&promises.last()?.value, says(state, subject));
            // One that was not acknowledged, since that was lost with the power, may be over by now.
            if subject.starts_with("alert/") && promised == "false" {
                return None;
            }
            (*promised != found)
                .then(|| format!("acknowledged: {subject} is {found:?} and was promised to be {promised:?}"))
        };
        self.promises.iter().filter_map(broken).collect()
    }

    /// Compares with the state after power loss, and goes on from there.
    pub fn check_after_power_loss(&mut self, state: &Durable) -> Vec<String> {
        let mut broken = Vec::new();
        for (subject, promises) in &mut self.promises {
            let found = says(state, subject);
            let was_durable = promises.iter().any(|promise| promise.durable);
            // As above: an alert whose acknowledgement an earlier loss took may be over by now.
            let may_be_over =
                subject.starts_with("alert/") && promises.iter().any(|promise| promise.value == "false");
            if was_durable && !may_be_over && promises.iter().all(|promise| promise.value != found) {
                broken.push(format!("durable: {subject} is {found:?} and was {promises:?}"));
            }
            *promises = vec![Promise {
                value: found,
                durable: was_durable,
            }];
        }
        broken
    }
}
