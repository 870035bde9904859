//! Whatever stands in the place of the configuration: nothing that somebody wrote is lost, and what holds is said as it is.
#![allow(clippy::unwrap_used, reason = "a panic in a test is the report")]

mod support;

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Stdio;

use support::household::{Household, wait};

const SOUND: &str = "# mine\neditor.theme = \"light\"\n";
const FAULTY: &str = "editor.theme = \"mono\"\nthis was [ my hour of work\n";

fn file(house: &Household) -> PathBuf {
    house.home.lusush().join("config/config.toml")
}

fn write(house: &Household, text: impl AsRef<[u8]>) {
    fs::create_dir_all(file(house).parent().unwrap()).unwrap();
    fs::write(file(house), text).unwrap();
}

/// What lies beside the file whose names begin so.
fn beside(house: &Household, what: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(file(house).parent().unwrap()).unwrap().flatten();
    let named = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(what));
    named.map(|entry| entry.path()).collect()
}

/// A home in which version 1 is what is sound.
fn with_a_version() -> Household {
    let house = Household::new("");
    write(&house, "# mine\n");
    house.said(&["config", "set", "editor.theme", "light"]);
    assert_eq!(fs::read_to_string(file(&house)).unwrap(), SOUND);
    house
}

#[test]
fn what_has_mistakes_is_kept_before_it_is_written_over() {
    let house = with_a_version();
    let candidate = house.home.path().join("new.toml");
    fs::write(&candidate, "editor.theme = \"deep\"\n").unwrap();
    for words in [
        &["config", "rollback", "2"][..],
        &["config", "apply", candidate.to_str().unwrap()],
    ] {
        write(&house, FAULTY);
        let said = house.said(words);
        let kept = beside(&house, "config.toml.refused-");
        let [kept] = kept.as_slice() else {
            panic!("{words:?}: {kept:?}")
        };
        assert!(said.contains(kept.to_str().unwrap()), "{words:?}: {said}");
        assert_eq!(fs::read_to_string(kept).unwrap(), FAULTY);
        fs::remove_file(kept).unwrap();
    }
    // What has none is among the versions.
    house.said(&["config", "rollback", "2"]);
    assert!(beside(&house, "config.toml.refused-").is_empty());
}

#[test]
fn what_cannot_be_read_is_moved_aside_by_a_rollback() {
    let house = with_a_version();
    let path = file(&house);
    let lay: [(&str, &dyn Fn()); 3] = [
        ("large", &|| fs::write(&path, vec![b'#'; 10 << 20]).unwrap()),
        ("bytes", &|| fs::write(&path, b"a = \"\xff\xfe\"").unwrap()),
        ("folder", &|| fs::create_dir(&path).unwrap()),
    ];
    for (name, lay) in lay {
        fs::remove_file(&path).unwrap();
        lay();
        assert!(
            house
                .said(&["config", "diff", "1", "2"])
                .contains("+editor.theme"),
            "{name}"
        );
        let said = house.said(&["config", "rollback", "2"]);
        assert_eq!(fs::read_to_string(&path).unwrap(), SOUND, "{name}");
        let aside = beside(&house, "config.toml.aside-");
        let [aside] = aside.as_slice() else {
            panic!("{name}: {aside:?}")
        };
        assert!(said.contains(aside.to_str().unwrap()), "{name}: {said}");
        if aside.is_dir() {
            fs::remove_dir(aside).unwrap();
        } else {
            fs::remove_file(aside).unwrap();
        }
    }
}

#[test]
fn a_link_to_nothing_is_refused_and_the_last_good_one_holds() {
    let house = Household::with_worker("", &[]);
    write(&house, SOUND);
    let status = || house.json(&["config", "status"]);
    wait("it to be in force", || status()["in_force"]["number"] == 1);
    let real = house.home.path().join("dotfiles.toml");
    // In one step: what there is for a moment only is a state, too, if the machine is slow.
    let beside = file(&house).with_extension("tmp");
    symlink(&real, &beside).unwrap();
    fs::rename(&beside, file(&house)).unwrap();
    wait("it to be refused", || status()["last_refusal"]["mended"] == false);
    let refused = status();
    assert!(
        refused.to_string().contains("it is a link to nothing"),
        "{refused}"
    );
    let in_force = fs::read_to_string(house.folder().join("in-force")).unwrap();
    assert!(in_force.contains("key editor.theme free light\n"), "{in_force}");
    assert!(!house.maint(&["config", "check"]).status.success());
    // What is taken away on purpose is no mistake.
    fs::remove_file(file(&house)).unwrap();
    wait("what is built in to hold", || {
        let in_force = fs::read_to_string(house.folder().join("in-force")).unwrap();
        in_force.contains("key editor.theme free default\n")
    });
}

#[test]
fn without_a_worker_it_is_in_force_at_once_and_said_as_it_is() {
    let house = Household::new("");
    write(&house, FAULTY);
    assert!(
        house
            .said(&["config", "status"])
            .starts_with("What is built in is in force: the file comes"),
    );
    write(&house, SOUND);
    for (number, theme) in (2..).zip(["mono", "deep"]) {
        let said = house.said(&["config", "set", "editor.theme", theme]);
        assert!(said.contains("none runs:\n    `lusush maint start`\n"), "{said}");
        assert_eq!(house.json(&["config", "status"])["in_force"]["number"], number);
    }
    assert!(house.said(&["config", "rollback", "1"]).contains("none runs"));
    assert_eq!(house.json(&["config", "status"])["in_force"]["number"], 4);
}

#[test]
fn many_files_standard_input_and_themes_beside_the_file_are_checked() {
    let house = Household::new("");
    let folder = house.home.path().join("repo");
    fs::create_dir_all(folder.join("themes")).unwrap();
    let (one, two) = (folder.join("config.toml"), folder.join("other.toml"));
    fs::write(&one, "editor.theme = \"ours\"\n").unwrap();
    fs::write(folder.join("themes/ours.toml"), "[roles]\ncommand = \"green\"\n").unwrap();
    fs::write(&two, "editor.sugest = true\n").unwrap();
    let check = |words: &[&str], input: &str| {
        let mut command = house.command(&["maint", "config", "check"]);
        let command = command
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code(), said)
    };
    let (one, two) = (one.to_str().unwrap(), two.to_str().unwrap());
    let (code, said) = check(&[one], "");
    assert!(code == Some(0) && said.contains("nothing wrong"), "{said}");
    let (code, said) = check(&[one, two], "");
    assert!(
        code == Some(2) && said.contains("other.toml:1:1") && said.contains("`editor.suggest`"),
        "{said}"
    );
    fs::write(folder.join("themes/ours.toml"), "[roles]\ncommand = \"gren\"\n").unwrap();
    let (code, said) = check(&[one], "");
    assert!(code == Some(2) && said.contains("ours.toml:2:11"), "{said}");
    assert_eq!(
        check(&["-"], SOUND),
        (
            Some(0),
            "There is nothing wrong with standard input.\n".to_owned()
        )
    );
    let (code, said) = check(&["-"], FAULTY);
    assert!(code == Some(2) && said.contains("standard input:2:"), "{said}");
}

#[test]
fn what_was_not_there_is_not_there_again_and_what_was_stays() {
    let house = Household::new("");
    let set_and_unset = || {
        house.said(&["config", "set", "prompt.command", "true"]);
        house.said(&["config", "unset", "prompt.command"]);
    };
    set_and_unset();
    assert!(
        fs::read_dir(file(&house).parent().unwrap())
            .unwrap()
            .next()
            .is_none()
    );
    for text in ["", "# mine\n", "[prompt]\n"] {
        write(&house, text);
        set_and_unset();
        assert_eq!(fs::read_to_string(file(&house)).unwrap(), text);
        assert!(beside(&house, "config.schema.json").is_empty());
    }
}

#[test]
fn a_command_that_bash_cannot_parse_is_refused() {
    let house = Household::new("");
    for line in ["if", "for i in", "echo $(", "a ) b"] {
        let output = house.maint(&["config", "set", "prompt.command", line]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success() && said.contains("bash cannot parse"),
            "{line}: {said}"
        );
        assert!(!file(&house).exists(), "{line}");
    }
    house.said(&["config", "set", "prompt.command", "if true; then n=$(date); fi"]);
}
