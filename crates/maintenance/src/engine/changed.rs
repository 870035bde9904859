//! What changes beside the engine while it runs: the rules, the time zone, whether anybody wants it.
//!
//! Invariant: rules that forbid hold from the moment that they are known, and are recorded; what already runs ends as it
//! was authorised.

use jiff::tz::TimeZone;
use lle_core::policy::{self, Operation, Policy, Target, Who};

use super::Engine;
use super::audit::Entry;
use crate::world::{Now, World};

impl Engine {
    /// The rules in force.
    pub fn policy(&self) -> &Policy {
        &self.config.policy
    }

    /// Goes by these rules from now on; `problems` are what is wrong with their files. Whether they are others.
    pub fn set_policy<W: World>(
        &mut self,
        world: &mut W,
        now: Now,
        policy: Policy,
        problems: Vec<String>,
    ) -> bool {
        if policy == self.config.policy && problems == self.config.problems {
            return false;
        }
        let why = match problems.as_slice() {
            [] => "its files were read again".to_owned(),
            problems => problems.join("; "),
        };
        self.config.policy = policy;
        self.config.problems = problems;
        self.record(world, now, &Entry::noticed("the policy has changed", &why));
        true
    }

    /// Goes by this time zone from now on: times of the calendar are due when it is that time there. Whether it is
    /// another.
    pub fn set_zone<W: World>(&mut self, world: &mut W, now: Now, zone: TimeZone) -> bool {
        if zone == self.config.zone {
            return false;
        }
        let name = |zone: &TimeZone| zone.iana_name().unwrap_or("one without a name").to_owned();
        let why = format!("from {} to {}", name(&self.config.zone), name(&zone));
        self.config.zone = zone;
        self.record(world, now, &Entry::noticed("the time zone has changed", &why));
        true
    }

    /// Somebody wrote down that nobody wants a worker, since they could not tell it. The owner's word, within the rules.
    pub fn is_unwanted<W: World>(&mut self, world: &mut W, now: Now) {
        let owner = Who::peer(self.config.uid, None, self.config.uid);
        let (operation, target) = (Operation::Stop, "");
        match policy::authorise(owner, operation, Target::All, (), &self.config.policy) {
            Ok(_granted) => {
                let entry = Entry::request("intent", &owner, operation.name(), target, "");
                self.record(world, now, &entry.because("by the file `stopped`"));
                self.stopping = true;
            }
            Err(refusal) => {
                self.worker.refused += 1;
                let entry = Entry::refused(&owner, operation.name(), target, &refusal.to_string());
                self.record(world, now, &entry);
            }
        }
    }
}
