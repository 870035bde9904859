//! Edits while another one is on trial: the newest is taken back first, the one before it goes on being judged, and what was
//! applied for a while keeps its deadline whatever is edited meanwhile.

#[path = "committing/house.rs"]
mod house;

use house::{House, SECOND_NS, SLOW};
use lle_core::config::{CATALOGUE, Origin, RawConfig};
use lle_metrics::Liveness;

const LIGHT: &str = "# precious\neditor.theme = \"light\"\n";

/// What tells what a text says from what others say.
fn mark(text: &str) -> String {
    let layer = RawConfig::parse(Origin::User, "", text).check(&CATALOGUE);
    CATALOGUE.merge(&[layer]).expect("it is sound").config.mark()
}

/// Applies a text for so long, as `lusush maint config apply --for` does.
fn apply(house: &mut House, text: &str, seconds: u64) {
    house.arm(mark(text), seconds * 1_000);
    house.save(text);
}

#[test]
fn a_regression_takes_back_the_newest_edit_and_goes_on_judging_the_one_before() {
    let mut house = House::new("# mine\n");
    assert_eq!(house.use_it(20), None);
    house.save(LIGHT);
    assert_eq!(house.use_it(2), None);
    house.save(&format!("{LIGHT}{SLOW}"));
    house.use_it(30).expect("it is slower");
    assert_eq!(house.text(), LIGHT, "the harmless edit stays");
    let trials = house.trials();
    let open = &trials["open"][0];
    assert_eq!(
        (&open["config_version"], &open["earlier"]),
        (&4.into(), &1.into()),
        "{trials}"
    );
    assert_eq!(house.use_it(70), None, "it is as quick as the one before");
    assert!(
        house
            .told
            .iter()
            .any(|text| text.starts_with("config version 3 taken back: prompts")
                && text.ends_with("`lusush maint config diff 2 3`")),
        "{:?}",
        house.told
    );
    assert_eq!(
        house.trials()["ended"]
            .as_array()
            .and_then(|all| all.last().cloned())
            .map(|last| last["outcome"].clone()),
        Some("confirmed".into())
    );
}

#[test]
fn an_edit_below_that_is_slower_goes_as_well() {
    let mut house = House::new("# mine\n");
    house.use_it(20);
    house.save(SLOW);
    house.use_it(1);
    house.save(&format!("{SLOW}editor.theme = \"light\"\n"));
    house.use_it(30).expect("it is slower");
    assert_eq!(house.text(), SLOW);
    house.use_it(30).expect("so is that");
    assert_eq!(house.text(), "# mine\n");
    assert_eq!(house.trials()["open"].as_array().map(Vec::len), Some(0));
}

#[test]
fn a_comment_changes_nothing_of_a_trial() {
    let mut house = House::new("# mine\n");
    house.use_it(20);
    house.save(SLOW);
    house.use_it(1);
    house.save(&format!("{SLOW}# why\n"));
    let trials = house.trials();
    let open = &trials["open"][0];
    assert_eq!(
        (&open["config_version"], &open["earlier"]),
        (&3.into(), &1.into()),
        "{trials}"
    );
    assert_eq!(trials["ended"].as_array().map(Vec::len), Some(0), "{trials}");
    house.use_it(30).expect("it is slower");
    assert_eq!(house.text(), "# mine\n");
}

#[test]
fn what_was_applied_for_a_while_goes_back_to_what_the_file_said_just_before() {
    let mut house = House::new("");
    house.use_it(20);
    house.save(LIGHT);
    house.use_it(2);
    apply(&mut house, "editor.theme = \"deep\"\n", 40);
    house.use_it(30).expect("nobody confirms it");
    assert_eq!(house.text(), LIGHT);
    assert_eq!(
        house.trials()["open"][0]["config_version"],
        3,
        "which is on trial again"
    );
}

#[test]
fn edits_keep_the_deadline_of_what_was_applied_for_a_while() {
    for edit in ["# why\n", "editor.suggest = false\n"] {
        let mut house = House::new(LIGHT);
        house.use_it(20);
        let applied = "editor.theme = \"deep\"\n";
        apply(&mut house, applied, 60);
        house.use_it(2);
        house.save(&format!("{applied}{edit}"));
        let trials = house.trials();
        let open = &trials["open"][0];
        assert_eq!(
            (&open["needs_word"], &open["active_ns_max"]),
            (&true.into(), &(60 * SECOND_NS).into()),
            "{trials}"
        );
        let looks = house.use_it(30).expect("nobody confirms it");
        assert!(looks <= 6, "{edit}: the time before counts: {looks}");
        assert_eq!(house.text(), LIGHT, "{edit}");
    }
}

#[test]
fn a_command_before_prompts_that_never_ends_is_taken_back() {
    let mut house = House::new("# mine\n");
    house.use_it(20);
    house.save("prompt.command = \"while :; do :; done\"\n");
    house.use_it(1);
    let wall_ns = house.world.now.wall_ns;
    house.world.sessions[0].enter_command(wall_ns);
    house.wait(10);
    assert_ne!(
        house.text(),
        "# mine\n",
        "somebody may have to wait for something"
    );
    house.wait(20);
    assert_eq!(house.text(), "# mine\n");
    let trials = house.trials();
    let why = trials["ended"][0]["why"].as_str().unwrap_or_default();
    assert!(
        why.starts_with("prompt.command did not come to an end within 10 s"),
        "{trials}"
    );
}

#[test]
fn a_session_that_ends_in_the_command_takes_back_what_brought_it_and_nothing_else() {
    for brought in [true, false] {
        let command = "prompt.command = \"exit\"\n";
        let mut house = House::new(if brought { "# mine\n" } else { command });
        house.use_it(20);
        let text = format!("{command}editor.theme = \"light\"\n");
        house.save(&text);
        house.use_it(1);
        let wall_ns = house.world.now.wall_ns;
        house.world.sessions[0].enter_command(wall_ns);
        house.world.sessions[0].liveness = Liveness::Dead;
        house.wait(10);
        house.wait(10);
        assert_eq!(house.text() == "# mine\n", brought, "{}", house.text());
    }
}
