//! Damage to the mirror itself, and one byte of it, or of the log, that is another: every byte of a small one.

use super::*;

fn flip(path: &Path, at: usize, bit: u8) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= bit;
    fs::write(path, bytes).unwrap();
}

#[test]
fn one_flipped_byte_of_the_mirror_is_mended_and_never_reaches_the_log() {
    let (place, _, bytes) = mirrored();
    for at in 0..bytes.len() {
        for bit in [1, 0x80] {
            let mut mirror = Mirror::new(&place.log);
            flip(mirror.path(), at, bit);
            let followed = mirror.follow().unwrap();
            assert!(
                !matches!(followed, Followed::Trouble(_)),
                "byte {at}, bit {bit}: {followed:?}"
            );
            assert_eq!(fs::read(&place.log).unwrap(), bytes, "byte {at}, bit {bit}");
            assert_eq!(fs::read(mirror.path()).unwrap(), bytes, "byte {at}, bit {bit}");
        }
    }
}

#[test]
fn one_flipped_byte_of_the_log_is_seen_and_put_back_from_the_mirror() {
    let (place, _, bytes) = mirrored();
    for at in 0..bytes.len() {
        for bit in [1, 0x80] {
            let mut mirror = Mirror::new(&place.log);
            flip(&place.log, at, bit);
            if let Followed::Trouble(trouble) = mirror.follow().unwrap() {
                assert_eq!(trouble.damage, Damage::Rewritten, "byte {at}, bit {bit}");
                place.restore(&mut mirror);
            }
            assert_eq!(
                place.commands(),
                ["first", "second", "third"],
                "byte {at}, bit {bit}"
            );
            assert!(!mirror.has_more().unwrap(), "byte {at}, bit {bit}");
            let _as_before = fs::write(&place.log, &bytes);
            let _as_before = fs::write(mirror.path(), &bytes);
        }
    }
}

#[test]
fn a_damaged_mirror_is_mended_from_the_log() {
    let place = Place::new();
    let mut mirror = Mirror::new(&place.log);
    let mut a = place.session(1);
    for n in 0..20 {
        run(&mut a, &format!("command number {n}"));
    }
    mirror.follow().unwrap();
    for harm in [
        &(|m: &Path| {
            OpenOptions::new()
                .write(true)
                .open(m)
                .unwrap()
                .write_all_at(b"XY", 300)
                .unwrap();
        }) as &dyn Fn(&Path),
        &|m: &Path| empty(m),
        &|m: &Path| fs::remove_file(m).unwrap(),
    ] {
        harm(mirror.path());
        assert!(matches!(mirror.follow().unwrap(), Followed::Copied { .. }));
        assert_eq!(fs::read(&place.log).unwrap(), fs::read(mirror.path()).unwrap());
    }
}
