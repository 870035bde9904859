//! What is guarded, seen and put back of bash's own files.

use super::*;

#[test]
fn bash_may_do_what_it_does_and_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let (home, state) = (folder.path().join("home"), folder.path().join("history"));
    fs::create_dir_all(&home).unwrap();
    fs::create_dir_all(&state).unwrap();
    let file = home.join(DEFAULT);
    let text = |range: std::ops::Range<u32>| -> String { range.map(|n| format!("line {n}\n")).collect() };
    let mut lists = Lists::new(&state.join("m.log"), Some(&home));
    let mut look = || lists.look(&Writers::new());
    fs::write(&file, text(0..300)).unwrap();
    assert_eq!(look(), [], "it is copied");
    fs::write(&file, text(10..310)).unwrap();
    assert_eq!(look(), [], "bash cut the oldest");
    fs::write(&file, "").unwrap();
    let news = look();
    assert!(news[0].title.contains("emptied") && news[0].undo && news[0].is_loss);
    fs::write(&file, "since\n").unwrap();
    assert_eq!(look(), [], "it was told");
    assert_eq!(lists.restore(&file).unwrap(), "300 lines put back");
    assert_eq!(fs::read_to_string(&file).unwrap(), text(10..310) + "since\n");
    let mut look = || lists.look(&Writers::new());
    assert_eq!(look(), []);
    fs::write(&file, text(12..310) + "since\n").unwrap();
    assert_eq!(look(), [], "two of the oldest");
    fs::write(&file, text(12..100) + &text(101..310)).unwrap();
    let news = look();
    assert!(!news[0].undo && !news[0].is_loss, "{news:?}");
    assert!(lists.restore(&file).is_ok());
    assert!(fs::read_to_string(&file).unwrap().contains("line 100\n"));
    assert!(lists.restore(&home.join("other")).is_err());
}

#[test]
fn what_a_file_holds_while_a_cut_waits_survives_the_next_cut() {
    let cut_twice = || {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(DEFAULT);
        let mut lists = Lists::new(&folder.path().join("m.log"), Some(folder.path()));
        fs::write(&file, "a\nb\nc\nd\n").unwrap();
        assert_eq!(lists.look(&Writers::new()), []);
        for (text, told) in [
            ("", 1),
            ("since\n", 0),
            ("since\ntwo\n", 0),
            ("", 0),
            ("three\n", 0),
        ] {
            fs::write(&file, text).unwrap();
            assert_eq!(lists.look(&Writers::new()).len(), told, "{text:?}");
            assert_eq!(lists.waits(&file), Some(true));
        }
        (folder, file, lists)
    };
    let whole = "a\nb\nc\nd\nsince\ntwo\nthree\n";
    let (_folder, file, mut lists) = cut_twice();
    lists.restore(&file).unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), whole);
    assert_eq!(lists.waits(&file), Some(false));
    // By another worker.
    let (folder, file, _ended) = cut_twice();
    fs::write(&file, "").unwrap();
    let mut lists = Lists::new(&folder.path().join("m.log"), Some(folder.path()));
    assert_eq!(lists.look(&Writers::new()).len(), 1);
    lists.restore(&file).unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), whole);
    // The other answer keeps it beside, and can be taken back.
    let (_folder, file, mut lists) = cut_twice();
    lists.accept().unwrap();
    assert_eq!(
        (fs::read_to_string(&file).unwrap().as_str(), lists.waits(&file)),
        ("three\n", Some(false))
    );
    assert_eq!(lists.look(&Writers::new()), []);
    lists.restore(&file).unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), whole);
    // One that was removed is accepted as gone.
    fs::remove_file(&file).unwrap();
    assert_eq!(lists.look(&Writers::new()).len(), 1);
    lists.accept().unwrap();
    lists.files[0].seen = None;
    assert_eq!(lists.look(&Writers::new()), []);
}

#[test]
fn sessions_name_further_files() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("m.log");
    let file = folder.path().join("elsewhere");
    fs::write(&file, "a\nb\n").unwrap();
    let mut lists = Lists::new(&log, None);
    assert_eq!(lists.look(&Writers::new()), []);
    fs::write(
        log.with_extension("lists"),
        format!("{}\nrelative\n", file.display()),
    )
    .unwrap();
    assert_eq!(lists.look(&Writers::new()), []);
    fs::remove_file(&file).unwrap();
    let news = lists.look(&Writers::new());
    assert!(news[0].title.contains("removed") && !news[0].undo, "{news:?}");
}

#[test]
fn as_many_are_guarded_as_there_is_room_for_and_what_waits_is_not_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("m.log");
    let path = |n: usize| folder.path().join(format!("hist-{n}"));
    let name = |range: std::ops::Range<usize>| {
        let names: String = range.map(|n| format!("{}\n", path(n).display())).collect();
        fs::write(log.with_extension("lists"), names).unwrap();
    };
    let most = history_names::GUARDED_MAX;
    for n in 0..2 * most {
        fs::write(path(n), "a\nb\nc\n").unwrap();
    }
    let mut lists = Lists::new(&log, Some(folder.path()));
    name(0..most - 1);
    assert_eq!(lists.look(&Writers::new()), []);
    assert_eq!(lists.files().count(), most);
    for n in [3, most - 2] {
        fs::write(path(n), "").unwrap();
        assert_eq!(lists.look(&Writers::new()).len(), 1, "{n}");
    }
    // Those that are named last are those of sessions that live.
    name(0..2 * most);
    assert_eq!(lists.look(&Writers::new()), []);
    fs::write(path(2 * most - 1), "").unwrap();
    assert_eq!(lists.look(&Writers::new()).len(), 1);
    lists.restore(&path(3)).unwrap();
    assert_eq!(fs::read_to_string(path(3)).unwrap(), "a\nb\nc\n");
}
