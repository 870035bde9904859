//! The page on judgement is the one that this code writes.

use lle_sim::judgement::report::{SECTIONS, fingerprint, page};
use lle_sim::judgement::{COMMAND, CORPUS_VERSION, SMALL};

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
