//! What programs ask the engine for: every request, known and unknown names, and what is hostile.

use lle_core::checklist::ITEMS;
use lle_core::policy::Who;
use lle_maintenance::api::{Fault, Request, ScheduleRequest};
use lle_maintenance::engine::Engine;
use serde_json::Value;

use super::{Run, UID};
use crate::model::{says, subject};
use crate::random::Random;

impl Run {
    pub(super) fn ask(&mut self) {
        let request = self.any_request();
        self.request(request);
    }

    /// A request of the owner.
    pub(super) fn request(&mut self, request: Request) -> Option<Result<Value, Fault>> {
        let about = subject(&request);
        let before = self
            .engine
            .as_ref()
            .zip(about.as_ref())
            .map(|(engine, about)| says(engine.durable(), about));
        self.world.tell(|| format!("asked: {request:?}"));
        let who = Who::peer(UID, Some(7), UID);
        let answered = self.with(|engine, hands, now| engine.request(hands, now, &who, &request));
        self.world
            .tell(|| format!("answered: {}", shorten(&format!("{answered:?}"))));
        let (Some(about), Some(engine)) = (about, &self.engine) else {
            // Killed meanwhile: it may have been done or not.
            subject(&request).iter().for_each(|about| self.model.doubt(about));
            self.after_stop(&request, answered.as_ref());
            return answered;
        };
        let after = says(engine.durable(), &about);
        match &answered {
            Some(Ok(_)) => self.model.promise(about, after),
            _ if self.world.disk.faults.is_none() => {}
            // A beginning of it may be on disk.
            _ => self.model.doubt(&about),
        }
        if let Some(Err(_)) = &answered
            && before.as_ref() != Some(&says(self.engine.as_ref()?.durable(), &subject(&request)?))
        {
            self.world
                .violate(format!("requests: a refused one changed something: {request:?}"));
        }
        self.after_stop(&request, answered.as_ref());
        answered
    }

    pub(super) fn after_stop(&mut self, request: &Request, answered: Option<&Result<Value, Fault>>) {
        if *request == Request::Stop && answered.is_some_and(Result::is_ok) {
            self.with(|engine, hands, now| engine.end(hands, now));
            self.world.tell(|| "the worker ends".into());
            self.engine = None;
            self.world.worker_died();
        }
    }

    pub(super) fn any_request(&mut self) -> Request {
        let state = self.engine.as_ref().map(Engine::durable);
        let names: Vec<String> = state
            .map(|state| state.tasks.keys().cloned().collect())
            .unwrap_or_default();
        let alert = state.and_then(|state| state.alerts.open().next().map(|alert| alert.id));
        let random = &mut self.world.random;
        let task = if names.is_empty() || random.once_in(9) {
            "no-such".to_owned()
        } else {
            random.pick(&names).clone()
        };
        let some = if random.once_in(3) {
            None
        } else {
            Some(task.clone())
        };
        match random.below(24) {
            0 => Request::Status,
            1 => Request::Health,
            2 => Request::Validate,
            3 => Request::Tasks,
            4 => Request::Start,
            5 if random.once_in(3) => Request::Stop,
            6 => Request::Pause { task: some },
            7 | 8 => Request::Resume { task: some },
            9..12 => Request::Run { task },
            12 | 13 => Request::Cancel { task },
            14 | 15 => Request::SetMode {
                area: task,
                mode: (*random.pick(&["observe", "advise", "automatic", "nonsense"])).into(),
            },
            16 => Request::Acknowledge {
                id: alert.unwrap_or(3),
            },
            17 => Request::SignOff {
                item: random.pick(ITEMS).id.into(),
                note: Some(format!("note {}", random.below(99))),
            },
            18 => Request::Audit {
                from: None,
                limit: Some(3),
            },
            _ => Request::Schedule(Box::new(self.any_schedule(&task))),
        }
    }

    pub(super) fn any_schedule(&mut self, known: &str) -> ScheduleRequest {
        let random = &mut self.world.random;
        let name = if random.once_in(3) {
            known.to_owned()
        } else {
            format!("job-{}", random.below(6))
        };
        let schedule = *random.pick(&[
            "every 1m",
            "every 10m",
            "every 6h",
            "30 2 * * *",
            "*/5 * * * *",
            "0 2 * * SUN",
            "manual",
            "nonsense",
            "30 1,2,3 * * *",
        ]);
        let ours = name.starts_with("job-");
        let word = |random: &mut Random| {
            if random.once_in(9) {
                "x".repeat(4_000)
            } else {
                "true".into()
            }
        };
        ScheduleRequest {
            name,
            description: random.once_in(4).then(|| "d".repeat(300)),
            schedule: (!random.once_in(4)).then(|| schedule.into()),
            command: ours.then(|| vec![word(random), "x".into()]),
            cleanup: (ours && random.once_in(2)).then(|| vec!["tidy".into()]),
            priority: random.once_in(3).then(|| "deferred".into()),
            budget_ms: Some(1_000 + random.below(120_000)),
            retries: Some(u32::try_from(random.below(3)).unwrap_or(0)),
            enabled: (!random.once_in(3)).then(|| !random.once_in(5)),
        }
    }

    /// Somebody who may not, or who asks for rubbish.
    pub(super) fn hostile(&mut self) {
        let random = &mut self.world.random;
        let stranger = random.once_in(2);
        let who = if stranger {
            Who::peer(1 + random.below(40) as u32, None, UID)
        } else {
            Who::peer(UID, None, UID)
        };
        let rubbish = (*random.pick(&["", "\x1b[2J", "../../x", "a b", "-"])).to_owned();
        let request = match random.below(5) {
            0 => Request::Cancel { task: rubbish },
            1 => Request::SetMode {
                area: rubbish.clone(),
                mode: rubbish,
            },
            2 => Request::Run { task: rubbish },
            3 => Request::SignOff {
                item: rubbish,
                note: Some("n".repeat(100_000)),
            },
            _ => Request::Schedule(Box::new(ScheduleRequest {
                name: if random.once_in(2) {
                    rubbish
                } else {
                    format!("large-{}", random.below(60))
                },
                schedule: Some("every 1h".into()),
                command: Some(vec!["y".repeat(4_000); 1 + random.index(70)]),
                budget_ms: Some(if random.once_in(3) { random.draw() } else { 60_000 }),
                ..ScheduleRequest::default()
            })),
        };
        self.world.tell(|| {
            format!(
                "a {} asks: {}",
                if stranger { "stranger" } else { "fool" },
                shorten(&format!("{request:?}"))
            )
        });
        if stranger {
            self.with(|engine, hands, now| engine.refused(hands, now, &who));
        }
        let answered = self.with(|engine, hands, now| engine.request(hands, now, &who, &request));
        match (answered, subject(&request)) {
            (Some(Ok(_)), _) if stranger => self
                .world
                .violate(format!("policy: a stranger was granted {request:?}")),
            (Some(Ok(_)), Some(about)) => {
                if let Some(engine) = &self.engine {
                    self.model.promise(about.clone(), says(engine.durable(), &about));
                }
            }
            (Some(Err(_)), _) if self.world.disk.faults.is_none() => {}
            (_, about) => about.iter().for_each(|about| self.model.doubt(about)),
        }
    }
}

fn shorten(text: &str) -> String {
    text.chars().take(300).collect()
}
