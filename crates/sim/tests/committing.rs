//! Trials of configurations through the engine, where what happens is known: found within a few prompts, told once, and
//! decided as agreed if nobody can tell.

#[path = "committing/house.rs"]
mod house;

use house::{House, SECOND_NS, SLOW};
use lle_maintenance::engine::Event;

#[test]
fn two_hundred_milliseconds_are_found_within_a_few_prompts_and_told_once() {
    let mut house = House::new("# mine\n");
    assert_eq!(house.use_it(20), None);
    house.save(SLOW);
    let found = house.use_it(30).expect("it is slower");
    // The look in which it comes into force is of both.
    assert!(found <= 7, "{found}");
    assert_eq!(house.text(), "# mine\n");
    house.use_it(30);
    let told: Vec<&String> = house
        .told
        .iter()
        .filter(|text| text.contains("config version"))
        .collect();
    assert_eq!(told.len(), 1, "{:?}", house.told);
    assert!(
        told[0].starts_with("config version 2 taken back: prompts were 200 ms slower (")
            && told[0].ends_with("; `lusush maint config diff 1 2`"),
        "{told:?}"
    );
    let verdicts = house.world.files.as_ref().map(|files| files.verdicts.clone());
    assert_eq!(verdicts, Some([(2, false)].into()));
}

#[test]
fn what_nobody_can_tell_ends_as_agreed_and_says_so() {
    let check = |decided: &str, outcome: &str, stays: bool| {
        // Nothing is known of before: the session has just begun.
        let mut house = House::new("");
        let text = format!("trial.inconclusive = \"{decided}\"\n{SLOW}");
        house.save(&text);
        let changed = house.use_it(70);
        assert_eq!(changed.is_none(), stays, "{changed:?}");
        // Ten minutes of use, and not before.
        assert!(
            changed.is_none_or(|looks| (60..=62).contains(&looks)),
            "{changed:?}"
        );
        // It is told above the next prompt.
        house.use_it(5);
        let trials = house.trials();
        let ended = &trials["ended"][0];
        assert_eq!(
            (&ended["outcome"], &ended["why"]),
            (&outcome.into(), &"too few to tell: prompts".into())
        );
        assert_eq!(trials["open"].as_array().map(Vec::len), Some(0));
        let told = house
            .told
            .iter()
            .filter(|text| text.contains("taken back: too few to tell"))
            .count();
        assert_eq!(told, usize::from(!stays), "{:?}", house.told);
    };
    check("keep", "kept, undecided", true);
    check("revert", "taken back, undecided", false);
}

#[test]
fn what_costs_nothing_is_confirmed_when_its_time_is_up() {
    let mut house = House::new("# mine\n");
    house.use_it(20);
    house.save("prompt.command = \"true\"\n");
    assert_eq!(house.use_it(70), None);
    let trials = house.trials();
    assert_eq!(trials["ended"][0]["outcome"], "confirmed", "{trials}");
    let verdicts = house.world.files.as_ref().map(|files| files.verdicts.clone());
    assert_eq!(verdicts, Some([(2, true)].into()));
    assert!(
        !house.told.iter().any(|text| text.contains("config version")),
        "{:?}",
        house.told
    );
}

#[test]
fn a_suspended_machine_confirms_nothing() {
    let mut house = House::new("# mine\n");
    house.use_it(20);
    house.save("prompt.command = \"true\"\n");
    house.world.pass(30 * 24 * 3_600 * SECOND_NS, false);
    house.use_it(3);
    // Nor does a night in which nobody types.
    for _ in 0..600 {
        house.world.pass(60 * SECOND_NS, true);
        let now = house.world.now;
        house
            .engine
            .handle(&mut house.world.hands(true), now, Event::Tick);
    }
    assert_eq!(house.trials()["open"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_session_that_ends_without_a_word_takes_it_back_unless_a_command_ran() {
    use lle_metrics::Liveness;
    for busy in [true, false] {
        let mut house = House::new("# mine\n");
        house.use_it(8);
        house.save("editor.theme = \"light\"\n");
        house.use_it(2);
        if busy {
            house.world.sessions[0].run_something();
            house.world.pass(10 * SECOND_NS, true);
            let now = house.world.now;
            house
                .engine
                .handle(&mut house.world.hands(true), now, Event::Tick);
        }
        house.world.sessions[0].liveness = Liveness::Dead;
        house.world.pass(60 * SECOND_NS, true);
        let now = house.world.now;
        house
            .engine
            .handle(&mut house.world.hands(true), now, Event::Tick);
        assert_eq!(house.text() == "# mine\n", !busy, "busy: {busy}");
    }
}
