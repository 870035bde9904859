//! How files are saved, by whom and at what moment: each state that is sound comes into force once, and no other.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;

use support::household::{Household, wait};

use super::*;

fn causes(house: &Household) -> Vec<String> {
    let log = house.json(&["config", "log"]);
    let rows = log["versions"].as_array().unwrap().clone();
    rows.iter()
        .map(|row| row["cause"].as_str().unwrap().to_owned())
        .collect()
}

/// Waits until the version of that number is in force, and says which theme that is.
fn theme_in_force(house: &Household, version: u64) -> String {
    wait("the version", || in_force(house) == version);
    let text = fs::read_to_string(house.folder().join("in-force")).unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with("key editor.theme "))
        .unwrap();
    line.rsplit(' ').next().unwrap().to_owned()
}

#[test]
fn however_it_is_saved_it_comes_into_force_once() {
    let house = Household::with_worker("", &[]);
    // There is no folder yet; then the file is written in place.
    save(&house, "editor.theme = \"light\"\n");
    assert_eq!(theme_in_force(&house, 1), "light");
    let beside = file(&house).with_extension("tmp");
    fs::write(&beside, "editor.theme = \"night\"\n").unwrap();
    fs::rename(&beside, file(&house)).unwrap();
    assert_eq!(theme_in_force(&house, 2), "night");
    // As vim does it: the old one is moved away, the new one written.
    fs::rename(file(&house), file(&house).with_extension("toml~")).unwrap();
    save(&house, "editor.theme = \"deep\"\n");
    assert_eq!(theme_in_force(&house, 3), "deep");
    let dotfiles = house.home.path().join("dotfiles");
    fs::create_dir(&dotfiles).unwrap();
    fs::write(dotfiles.join("lusush"), "editor.theme = \"bold\"\n").unwrap();
    symlink(dotfiles.join("lusush"), &beside).unwrap();
    fs::rename(&beside, file(&house)).unwrap();
    assert_eq!(theme_in_force(&house, 4), "bold");
    fs::write(dotfiles.join("lusush"), "editor.theme = \"mono\"\n").unwrap();
    assert_eq!(theme_in_force(&house, 5), "mono");
    assert_eq!(causes(&house), ["noticed"; 5]);
}

#[test]
fn a_file_that_is_half_written_is_waited_for() {
    let house = Household::with_worker("", &[]);
    save(&house, "editor.theme = \"light\"\n");
    assert_eq!(theme_in_force(&house, 1), "light");
    let mut opened = fs::File::create(file(&house)).unwrap();
    opened.write_all(b"editor.theme = \"nig").unwrap();
    // Longer than it has to be quiet, and shorter than one waits.
    std::thread::sleep(std::time::Duration::from_millis(300));
    opened.write_all(b"ht\"\n").unwrap();
    drop(opened);
    assert_eq!(theme_in_force(&house, 2), "night");
    assert!(status(&house)["last_refusal"].is_null(), "half of it was read");
}

#[test]
fn of_two_editors_who_save_at_once_the_last_one_wins_whole() {
    let house = Household::with_worker("", &[]);
    let path = file(&house);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let theme = |n: usize| ["light", "night", "deep", "bold"][n % 4];
    std::thread::scope(|scope| {
        for editor in 0..2 {
            let path = &path;
            scope.spawn(move || {
                for n in 0..40 {
                    let beside = path.with_extension(format!("{editor}"));
                    fs::write(
                        &beside,
                        format!("editor.theme = \"{}\"\n# {editor}\n", theme(n + editor)),
                    )
                    .unwrap();
                    fs::rename(&beside, path).unwrap();
                }
            });
        }
    });
    let last = fs::read_to_string(&path).unwrap();
    wait("the last one", || {
        let number = in_force(&house);
        number > 0 && {
            let log = house.json(&["config", "log"]);
            let newest = log["versions"].as_array().unwrap().last().unwrap()["number"].as_u64();
            newest == Some(number)
                && house.said(&["config", "diff", &number.to_string()]) == "Nothing differs.\n"
        }
    });
    let said = last.lines().next().unwrap();
    assert!(said.contains(&theme_in_force(&house, in_force(&house))), "{said}");
    assert!(status(&house)["last_refusal"].is_null());
}

#[test]
fn what_our_own_verbs_change_is_one_version_each_and_in_force() {
    let house = Household::with_worker("", &[]);
    let mut terminal = house.session();
    for (n, theme) in (1..).zip(["light", "night", "deep"]) {
        let said = house.said(&["config", "set", "editor.theme", theme]);
        assert!(!said.contains("yet"), "{said}");
        followed(&house, n);
    }
    house.said(&["config", "rollback", "1"]);
    followed(&house, 4);
    assert_eq!(says(&mut terminal, "theme"), "light");
    house.said(&["config", "unset", "editor.theme"]);
    followed(&house, 5);
    assert_eq!(
        causes(&house),
        ["edited", "edited", "edited", "rolled-back", "edited"]
    );
}

#[test]
fn whatever_lies_there_the_last_good_one_stays_and_is_known_after_a_restart() {
    let mut house = Household::with_worker("", &[]);
    let mut terminal = house.session();
    save(&house, "editor.theme = \"night\"\n");
    followed(&house, 1);
    let mut refused = |what: &str, lay: &dyn Fn()| {
        lay();
        wait(what, || status(&house)["last_refusal"].to_string().contains(what));
        assert_eq!(in_force(&house), 1, "{what}");
        assert_eq!(says(&mut terminal, "theme"), "night", "{what}");
    };
    refused("no UTF-8", &|| save(&house, b"editor.theme = \"\xff\"\n"));
    refused("too large", &|| save(&house, vec![b'#'; 10 << 20]));
    refused("a folder", &|| {
        fs::remove_file(file(&house)).unwrap();
        fs::create_dir(file(&house)).unwrap();
    });
    let before = house.kill_worker();
    house.start_worker(&[]);
    house.wait_for_worker(before);
    let mut new = house.session();
    assert_eq!(says(&mut new, "theme"), "night");
    fs::remove_dir(file(&house)).unwrap();
    save(&house, "editor.theme = \"deep\"\n");
    followed(&house, 2);
}

#[test]
fn without_a_worker_a_start_goes_by_what_the_file_says() {
    let house = Household::new("");
    save(&house, "editor.theme = \"night\"\n");
    assert_eq!(says(&mut launched(&house), "theme"), "night");
    save(&house, "editor.theme = \"deep\"\n");
    assert_eq!(says(&mut launched(&house), "theme"), "deep");
    save(&house, "editor.theme = \n");
    assert_eq!(says(&mut launched(&house), "theme"), "deep", "the last good one");
    assert_eq!(causes(&house), ["noticed", "noticed"]);
    // Where nothing can be written, what was in force is.
    assert_eq!(in_force(&house), 2);
}

#[test]
fn the_hourly_run_finds_what_was_not_noticed() {
    let house = Household::with_worker("", &[]);
    save(&house, "editor.theme = \"light\"\n");
    house.said(&["run", "config-sync"]);
    wait("the run", || {
        house.task("config-sync")["successes"].as_u64() > Some(0)
    });
    assert_eq!(theme_in_force(&house, 1), "light");
    let said = house.said(&["tasks"]);
    assert!(said.contains("config-sync"), "{said}");
}

/// Unmounts at the end of a test, however it ends.
struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _lazily = std::process::Command::new("umount")
            .arg("-l")
            .arg(&self.0)
            .status();
    }
}

#[test]
fn on_a_full_disk_the_last_good_one_stays_and_room_brings_the_new_one() {
    let mut house = Household::new("");
    fs::create_dir_all(house.state()).unwrap();
    let mount = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs"])
        .arg(house.state())
        .status();
    if !mount.is_ok_and(|mounted| mounted.success()) {
        eprintln!("skipped: a full disk (nothing can be mounted here)");
        return;
    }
    let _mounted = Mounted(house.state());
    house.start_worker(&["--look-every", "200"]);
    let mut terminal = house.session();
    save(&house, "editor.theme = \"light\"\n");
    followed(&house, 1);
    let filler = house.state().join("filler");
    let mut full = fs::File::create(&filler).unwrap();
    while full.write(&[1; 512]).is_ok_and(|written| written > 0) {}
    drop(full);
    // More than the last page of the log has room for.
    save(
        &house,
        format!("editor.theme = \"night\"\n{}", "# and so on\n".repeat(800)),
    );
    wait("an alert", || {
        house.json(&["alerts"]).to_string().contains("config.unkept")
    });
    assert_eq!(in_force(&house), 1);
    assert_eq!(says(&mut terminal, "theme"), "light");
    fs::remove_file(&filler).unwrap();
    wait("the new one", || in_force(&house) > 1);
    followed(&house, 2);
    assert_eq!(says(&mut terminal, "theme"), "night");
}
