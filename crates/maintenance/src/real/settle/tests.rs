//! Settling on real files: whatever lies there, one whole version is in force afterwards.

use super::back::restore;
use super::*;
use std::os::unix::fs::{PermissionsExt, symlink};

/// A user's folders, and the files in them.
struct Folders {
    files: ConfigFiles,
    folder: tempfile::TempDir,
}

impl Folders {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let below = |name: &str| folder.path().join(name);
        let files = ConfigFiles {
            system: below("etc/config.toml"),
            user: below("config/config.toml"),
            state: below("state"),
            maint: below("state/maint/m"),
        };
        fs::create_dir(below("etc")).unwrap();
        fs::create_dir(below("config")).unwrap();
        Self { files, folder }
    }

    fn settle(&self) -> ConfigFound {
        settle(&self.files, &by()).unwrap().found
    }

    fn write(&self, text: impl AsRef<[u8]>) {
        fs::write(&self.files.user, text).unwrap();
    }

    fn theme(&self, name: &str, text: &str) {
        fs::create_dir_all(self.files.themes()).unwrap();
        fs::write(self.files.themes().join(format!("{name}.toml")), text).unwrap();
    }

    /// Every version: its file, its cause, and how many bytes it has.
    fn versions(&self) -> Vec<(String, Cause, usize)> {
        let bytes = VersionLog::below(&self.files.state).bytes().unwrap();
        let known = versions::read(&bytes).unwrap();
        let of = |version: &Version<'_>| (version.file.to_owned(), version.cause, version.content.len());
        known.versions.iter().map(of).collect()
    }
}

fn by() -> Settler {
    Settler {
        wall_ns: 1,
        tool: "test",
        patience: Duration::from_secs(2),
    }
}

fn theme_of(found: &ConfigFound) -> String {
    found.in_force.value("editor.theme").unwrap().0.to_owned()
}

#[test]
fn every_state_that_is_sound_and_new_is_a_version_once() {
    let folders = Folders::new();
    assert!(folders.files.is_settled(), "there is nothing to settle");
    let found = folders.settle();
    assert_eq!(
        (found.in_force.version, theme_of(&found).as_str()),
        (0, "default")
    );
    assert!(folders.versions().is_empty());
    let check = |change: &dyn Fn(), version: u64, theme: &str| {
        change();
        assert!(!folders.files.is_settled(), "{theme}");
        for _ in 0..2 {
            let found = folders.settle();
            assert_eq!(
                (found.in_force.version, theme_of(&found).as_str()),
                (version, theme)
            );
            assert_eq!(folders.files.read_in_force(), Some(found.in_force));
            assert!(folders.files.is_settled());
        }
    };
    check(&|| folders.write("editor.theme = \"light\"\n"), 1, "light");
    // Saved in place, by a rename, and as a link to elsewhere.
    // Of another length: where times are kept coarsely, a file written twice at once tells by nothing else.
    let night = "# By night.\neditor.theme = \"night\"\n";
    check(&|| folders.write(night), 2, "night");
    check(
        &|| {
            let beside = folders.files.user.with_extension("new");
            fs::write(&beside, "editor.theme = \"deep\"\n").unwrap();
            fs::rename(&beside, &folders.files.user).unwrap();
        },
        3,
        "deep",
    );
    let elsewhere = folders.folder.path().join("dotfiles");
    check(
        &|| {
            fs::write(&elsewhere, "editor.theme = \"bold\"\n").unwrap();
            fs::remove_file(&folders.files.user).unwrap();
            symlink("../dotfiles", &folders.files.user).unwrap();
        },
        4,
        "bold",
    );
    check(
        &|| fs::write(&elsewhere, "editor.theme = \"paper\"\n").unwrap(),
        5,
        "paper",
    );
    // Touched, it says nothing new.
    check(
        &|| {
            fs::File::open(&elsewhere)
                .unwrap()
                .set_modified(std::time::UNIX_EPOCH)
                .unwrap();
        },
        5,
        "paper",
    );
    check(&|| fs::remove_file(&folders.files.user).unwrap(), 6, "default");
    // Without its folder it is as it is without the file.
    fs::remove_dir(folders.files.user.parent().unwrap()).unwrap();
    assert_eq!(folders.settle().in_force.version, 6);
}

#[test]
fn what_is_not_sound_leaves_the_last_good_one_in_force() {
    let folders = Folders::new();
    let good = "editor.theme = \"light\"\n";
    folders.write(good);
    let before = folders.settle().in_force;
    let path = &folders.files.user;
    let check = |what: &str, expect: &str| {
        let found = folders.settle();
        let refused = found.refused.unwrap_or_else(|| panic!("{what} is taken"));
        assert!(refused.to_string().contains(expect), "{what}: {refused}");
        assert_eq!(found.in_force, before, "{what}");
        assert_eq!(folders.files.read_in_force(), Some(before.clone()), "{what}");
        assert!(folders.files.is_settled(), "{what}: it is not read again");
    };
    folders.write("editor.theme = \"night\"\nx");
    check("half a file", "config.toml:2:2");
    folders.write(b"editor.theme = \"\xff\"\n");
    check("what is no text", "no UTF-8");
    folders.write(vec![b'#'; 10 << 20]);
    check("ten megabytes", "too large");
    folders.write(good);
    fs::set_permissions(path, fs::Permissions::from_mode(0o666)).unwrap();
    check("what others could have written", "others could have written");
    fs::remove_file(path).unwrap();
    fs::create_dir(path).unwrap();
    check("a folder", "a folder");
    fs::remove_dir(path).unwrap();
    symlink("/dev/zero", path).unwrap();
    check("a device", "a pipe or a device");
    fs::remove_file(path).unwrap();
    symlink("config.toml", path).unwrap();
    check("a link to itself", "Too many levels");
    fs::remove_file(path).unwrap();
    folders.write("editor.theme = \"mine\"\n");
    folders.theme("mine", "[roles]\ncommand = \"gren\"\n");
    check("a theme that is broken", "mine.toml:2:11");
    assert_eq!(folders.versions().len(), 1, "nothing of it was kept");
    folders.theme("mine", "[roles]\ncommand = \"green\"\n");
    let found = folders.settle();
    assert!(found.refused.is_none());
    assert_eq!(theme_of(&found), "mine");
}

#[test]
fn a_theme_that_changes_is_a_version_and_its_colours_are_in_force() {
    let folders = Folders::new();
    folders.write("editor.theme = \"mine\"\n");
    let found = folders.settle();
    assert!(found.warnings[0].message.contains("there is no theme `mine`"));
    assert_eq!(found.in_force.look, None);
    let command = |found: &ConfigFound| found.in_force.look.clone().map(|look| look.sgr[1].clone());
    folders.theme("mine", "[roles]\ncommand = \"green bold\"\n");
    assert!(!folders.files.is_settled());
    let found = folders.settle();
    assert_eq!(
        (command(&found).as_deref(), found.in_force.version),
        (Some("32;1"), 2)
    );
    folders.theme("mine", "[roles]\ncommand = \"#010203\"\n");
    let found = folders.settle();
    assert_eq!(
        (command(&found).as_deref(), found.in_force.version),
        (Some("38;2;1;2;3"), 3)
    );
    // Another theme of the user's concerns nobody.
    folders.theme("other", "[roles]\n");
    assert!(folders.files.is_settled());
    fs::remove_file(folders.files.themes().join("mine.toml")).unwrap();
    let found = folders.settle();
    assert_eq!((command(&found), found.in_force.version), (None, 4));
}

#[test]
fn the_machine_s_file_is_versioned_as_well_and_its_locks_hold() {
    let folders = Folders::new();
    if !rustix::process::geteuid().is_root() {
        return;
    }
    folders.write("editor.theme = \"light\"\neditor.suggest = false\n");
    folders.settle();
    let system = "locked = [\"editor.theme\"]\neditor.theme = \"deep\"\n";
    fs::write(&folders.files.system, system).unwrap();
    let found = folders.settle();
    assert_eq!(found.in_force.value("editor.theme"), Some(("deep", true)));
    assert_eq!(found.in_force.value("editor.suggest"), Some(("false", false)));
    assert_eq!(found.in_force.version, 2);
    assert!(found.warnings[0].message.contains("is locked"));
    assert_eq!(
        folders.versions()[1],
        ("system m".into(), Cause::Noticed, system.len())
    );
}

#[test]
fn what_is_in_force_is_found_again_in_the_log_and_what_cannot_be_kept_is_not_in_force() {
    let folders = Folders::new();
    folders.write("editor.theme = \"mine\"\n");
    folders.theme("mine", "[roles]\ncommand = \"green\"\n");
    let before = folders.settle().in_force;
    fs::remove_file(folders.files.in_force()).unwrap();
    folders.write("editor.theme = \n");
    let found = folders.settle();
    assert!(found.refused.is_some() && found.in_force.says_the_same(&before));
    assert_eq!(found.in_force.version, before.version);
    // A log that cannot be written, as on a full disk.
    folders.write("editor.theme = \"light\"\n");
    let versions = folders.files.state.join("versions");
    fs::rename(&versions, folders.folder.path().join("aside")).unwrap();
    fs::write(&versions, "").unwrap();
    let error = settle(&folders.files, &by()).unwrap_err();
    assert!(matches!(error, SettleError::Versions(_)), "{error:?}");
    let now = folders.files.read_in_force().unwrap();
    assert!(now.says_the_same(&before), "{now:?}");
    fs::remove_file(&versions).unwrap();
    fs::rename(folders.folder.path().join("aside"), &versions).unwrap();
    assert_eq!(theme_of(&folders.settle()), "light");
}

#[test]
fn an_earlier_version_comes_back_whole_with_its_theme() {
    let folders = Folders::new();
    folders.write("# mine\neditor.theme = \"mine\"\n");
    folders.theme("mine", "[roles]\ncommand = \"green\"\n");
    let first = folders.settle().in_force;
    folders.theme("mine", "[roles]\ncommand = \"red\"\n");
    folders.write("editor.theme = \"mine\"\neditor.suggest = false\n");
    let second = folders.settle().in_force;
    let back = restore(&folders.files, &by(), first.version, None)
        .unwrap()
        .found
        .in_force;
    assert!(back.says_the_same(&first));
    assert!(back.version > second.version);
    assert_eq!(
        fs::read_to_string(&folders.files.user).unwrap(),
        "# mine\neditor.theme = \"mine\"\n"
    );
    let causes: Vec<Cause> = folders.versions().iter().map(|version| version.1).collect();
    assert_eq!(&causes[4..], [Cause::RolledBack, Cause::RolledBack]);
    assert_eq!(folders.settle().in_force, back, "and that is all there is to it");
    // Before there was any: nothing is said.
    let back = restore(&folders.files, &by(), 0, None).unwrap().found.in_force;
    assert_eq!(back.value("editor.theme"), Some(("default", false)));
    assert!(
        !folders.files.user.exists(),
        "what was not there is not there again"
    );
    // What is in the way is not overwritten.
    fs::create_dir(&folders.files.user).unwrap();
    assert!(matches!(
        restore(&folders.files, &by(), 1, None),
        Err(SettleError::Read { .. })
    ));
}

#[test]
fn a_rollback_leaves_themes_alone_that_nobody_uses() {
    let folders = Folders::new();
    folders.write("editor.theme = \"old\"\n");
    folders.theme("old", "[roles]\ncommand = \"green\"\n");
    folders.settle();
    folders.write("editor.theme = \"mine\"\n");
    folders.theme("mine", "[roles]\ncommand = \"green\"\n");
    let first = folders.settle().in_force;
    folders.theme("mine", "[roles]\ncommand = \"red\"\n");
    let second = folders.settle().in_force;
    // Not in force, so not among the versions either: it is the user's alone.
    folders.theme("old", "[roles]\ncommand = \"blue\"\n");
    let at = |number, instead_of| restore(&folders.files, &by(), number, instead_of);
    assert!(matches!(
        at(first.version, Some(first.version)),
        Err(SettleError::Newer { number }) if number == second.version
    ));
    let back = at(first.version, Some(second.version)).unwrap().found.in_force;
    assert!(back.says_the_same(&first));
    let old = fs::read_to_string(folders.files.theme("old")).unwrap();
    assert!(old.contains("blue"), "{old}");
    // What is gone stays gone, unless it is what was in force then.
    fs::remove_file(folders.files.theme("old")).unwrap();
    at(second.version, None).unwrap();
    assert!(!folders.files.theme("old").exists());
    at(2, None).unwrap();
    assert!(folders.files.theme("old").exists());
}

#[test]
fn what_was_written_is_to_be_made_durable_and_nothing_else_is() {
    let folders = Folders::new();
    folders.write("editor.theme = \"light\"\n");
    let settled = settle(&folders.files, &by()).unwrap();
    assert!(!settled.unsynced.is_empty());
    settled.unsynced.sync().unwrap();
    assert!(settle(&folders.files, &by()).unwrap().unsynced.is_empty());
    folders.write("editor.theme = \"deep\"\n");
    let second = settle(&folders.files, &by()).unwrap();
    let mut all = second.unsynced;
    all.add(restore(&folders.files, &by(), 1, None).unwrap().unsynced);
    let text = fs::read_to_string(&folders.files.user).unwrap();
    assert_eq!(text, "editor.theme = \"light\"\n", "at once");
    all.sync().unwrap();
    // The log may grow as long as nobody has time, and is pruned when somebody has.
    let mut all = Unsynced::default();
    for n in 0..=versions::VERSIONS_MAX {
        folders.write(format!("# {n}\n"));
        all.add(settle(&folders.files, &by()).unwrap().unsynced);
    }
    let newest = folders.versions().len() as u64;
    assert!(newest > versions::VERSIONS_MAX as u64);
    all.sync().unwrap();
    assert!(folders.versions().len() <= versions::VERSIONS_MAX);
    assert_eq!(folders.settle().in_force.version, newest);
}

#[test]
fn what_was_in_force_then_is_told_of_any_version() {
    let folders = Folders::new();
    let mut all = Vec::new();
    for text in [
        "editor.theme = \"mine\"\n",
        "history.list_max = 500\n",
        "editor.theme = \"mine\"\n",
    ] {
        folders.write(text);
        folders.theme("mine", &format!("# {}\n[roles]\ncommand = \"red\"\n", all.len()));
        all.push(folders.settle().in_force);
    }
    let bytes = VersionLog::below(&folders.files.state).bytes().unwrap();
    let known = versions::read(&bytes).unwrap();
    for expect in &all {
        let found = at_version(&folders.files, &known, expect.version).unwrap();
        assert!(found.says_the_same(expect), "{found:?}");
    }
    assert!(at_version(&folders.files, &known, 0).is_none());
}
