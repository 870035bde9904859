//! Parts of a repository that are gone or damaged: told, and nothing is built on them.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

mod support;

use std::fs;

use lle_archive::{OpenError, Store, create, note_path};
use lle_core::repository::Address;
use support::House;

#[test]
fn a_configured_repository_that_is_gone_is_not_begun_anew() {
    let mut house = House::furnished();
    let disk = house.path("usb");
    let address = Address::Folder(disk.join("repo"));
    house.places.repository = Some(address.clone());
    create(&house.store(), "by hand").unwrap();
    let note = note_path(&house.places);
    fs::write(&note, format!(r#"{{"version":1,"repository":"{address}","at_wall_ns":1}}"#)).unwrap();
    drop(house.store());
    fs::rename(&disk, house.path("away")).unwrap();
    let open: [fn(&House) -> Result<Store, OpenError>; 2] = [
        |house| Store::open(&house.places, None, None),
        |house| Store::open_or_make(&house.places, None, None),
    ];
    for open in open {
        let opened = open(&house);
        assert!(matches!(opened, Err(OpenError::Vanished(_))), "{opened:?}");
        assert!(!disk.exists());
    }
    // Whoever gives it up removes the note.
    fs::remove_file(&note).unwrap();
    create(&house.store(), "by hand").unwrap();
}
