//! The page on judgement is the one that this code writes.

use lle_sim::judgement::report::{SECTIONS, fingerprint, page};
use lle_sim::judgement::{COMMAND, CORPUS_VERSION, SMALL, optimiser};

#[test]
fn the_page_is_of_this_corpus_and_these_detectors() {
    let written = include_str!("../../../docs/judgement.md");
    for part in [
        format!("Corpus version {CORPUS_VERSION}."),
        COMMAND.to_owned(),
        format!("{:016x}", fingerprint()),
    ] {
        assert!(
            written.contains(&part),
            "docs/judgement.md lacks {part:?}: write it anew by\n{COMMAND}"
        );
    }
    for (title, _) in SECTIONS {
        assert!(written.contains(&format!("## {title}\n")), "{title}");
    }
}

#[test]
fn the_same_seeds_give_the_same_page() {
    assert_eq!(page(SMALL), page(SMALL));
}

#[test]
fn the_same_seed_gives_the_same_trials_and_no_harm_is_kept() {
    let trials = optimiser::run(7..8);
    assert_eq!(trials, optimiser::run(7..8));
    assert_ne!(trials, optimiser::run(8..9), "another seed, other lines");
    assert_eq!(trials.len(), optimiser::SETTINGS.len() * optimiser::EFFECTS.len());
    // What stalls one line in forty is among them; how often one is kept all the same is in the page.
    let harm: Vec<_> = trials.iter().filter(|trial| trial.harms()).collect();
    assert!(harm.is_empty(), "{harm:#?}");
    let much_better: Vec<_> = trials
        .iter()
        .filter(|trial| trial.effect.ratio < 0.5 && trial.setting != optimiser::Setting::Short)
        .collect();
    assert!(!much_better.is_empty(), "{trials:#?}");
    assert!(much_better.iter().all(|trial| trial.kept), "{much_better:#?}");
    // What a trial came to and what is in force are one thing.
    assert!(
        trials
            .iter()
            .all(|trial| trial.kept == (trial.verdict == "better")),
        "{trials:#?}"
    );
}
