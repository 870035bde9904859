//! What is kept, and what goes.
//!
//! What makes room goes first, and what needs some last. On a full disk, where packs that hold other data, too, cannot be
//! written anew, those that hold nothing else go; then the reserve is given up, and as many of the others are written anew
//! as there is room for, until no more room comes of it.
//!
//! Invariants: the last snapshots stay whatever the clock says. Data goes only after no snapshot names it, index before
//! packs; killed in between, files are left over that nobody names, and the next prune takes them. What no snapshot names
//! any more goes, all of it, since somebody may have taken a secret out: what stays for want of room is told.

use std::fs;
use std::io;
use std::path::Path;

use jiff::{Span, Zoned};
use rustic_core::repofile::{SnapshotFile, SnapshotId};
use rustic_core::{KeepOptions, LimitOption, PruneOptions};

use crate::failure::RepositoryError;
use crate::list;
use crate::reserve;
use crate::shelf::{Shelf, names};
use crate::store::Store;

/// How many snapshots are kept for each stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// The newest ones.
    pub last: u16,
    /// The last one of each day.
    pub daily: u16,
    /// Of each week.
    pub weekly: u16,
    /// Of each month.
    pub monthly: u16,
    /// Of each year.
    pub yearly: u16,
}

/// What is kept unless somebody says otherwise: about forty, of which the oldest are years apart. Data that is in many
/// of them is stored once.
pub const KEEP: Keep = Keep {
    last: 7,
    daily: 7,
    weekly: 8,
    monthly: 12,
    yearly: 10,
};

/// What was found in their places by restores that is kept; older ones go with a prune.
const ASIDES_KEPT: usize = 16;

/// How often packs are written anew on a full disk: each time the room of those that went serves the next.
const ROUNDS_MAX: usize = 8;
/// Room that is left for an index of what was written.
const INDEX_BYTES: u64 = 32 * 1024;

/// What went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pruned {
    /// Snapshots that are still there.
    pub kept: u64,
    /// Names of those that went.
    pub forgotten: Vec<String>,
    /// Bytes that were given back.
    pub freed_bytes: u64,
    /// Whether room is given back a day later: others may be at work on the repository.
    pub later: bool,
    /// Folders with what restores had found that went.
    pub asides: u64,
    /// Bytes that no snapshot names and that stay, in packs with others: there was no room to write those anew.
    pub left_bytes: u64,
}

/// Why nothing more was pruned.
#[derive(Debug, thiserror::Error)]
pub enum PruneError {
    /// The rules keep nothing.
    #[error("these rules keep no snapshot at all")]
    KeepsNothing,
    /// A snapshot cannot be read, so nobody knows what it names.
    #[error("a snapshot cannot be read, and what only it has would go: {0}")]
    Unread(String),
    /// The system refused.
    #[error("cannot remove {path}")]
    Io {
        /// What.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// The repository refused.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
}

impl Keep {
    fn options(self) -> KeepOptions {
        let some = |n: u16| (n > 0).then_some(i32::from(n));
        KeepOptions::default()
            .keep_last(some(self.last))
            .keep_daily(some(self.daily))
            .keep_weekly(some(self.weekly))
            .keep_monthly(some(self.monthly))
            .keep_yearly(some(self.yearly))
    }

    fn keeps_nothing(self) -> bool {
        self.last == 0 && self.daily == 0 && self.weekly == 0 && self.monthly == 0 && self.yearly == 0
    }
}

/// Forgets what the rules do not keep, and gives its room back; `dry` only says what would go.
///
/// # Errors
/// Some of it is still there.
pub fn prune(store: &Store, keep: Keep, dry: bool) -> Result<Pruned, PruneError> {
    if keep.keeps_nothing() {
        return Err(PruneError::KeepsNothing);
    }
    let all = list::readable(store)?;
    if let Some((place, _)) = store.unread().into_iter().next() {
        // What only it names would go with the next pack.
        return Err(PruneError::Unread(place));
    }
    let total = all.len() as u64;
    let forget = to_forget(all, keep)?;
    let mut pruned = Pruned {
        kept: total - forget.len() as u64,
        forgotten: forget.iter().map(|id| id.to_hex().to_string()).collect(),
        freed_bytes: 0,
        later: matches!(store.shelf, Shelf::Server(_)),
        asides: 0,
        left_bytes: 0,
    };
    let before = store.shelf.size()?;
    // The library's own limits leave a little of what nobody needs in packs with other data: a line that was taken out
    // of the history is little.
    let all = PruneOptions::default()
        .max_unused(LimitOption::Percentage(0))
        .max_repack(LimitOption::Unlimited);
    let options = match &store.shelf {
        // Nobody else reads or writes: the lock is ours.
        Shelf::Folder(_) => all.instant_delete(true).keep_delete(Span::new()),
        // Another machine may write to it just now, and sees no lock of ours: what nobody names is noted, and goes with a
        // prune a day later, unless somebody names it by then. Packs that are only small are not sent once more.
        Shelf::Server(_) => all.no_resize(true),
    };
    let options = options.ignore_snaps(forget.clone());
    if dry {
        let plan = store
            .repository
            .prune_plan(&options)
            .map_err(RepositoryError::from)?;
        let sizes = plan.stats.size_sum();
        pruned.freed_bytes = sizes.remove + sizes.repackrm;
        return Ok(pruned);
    }
    store
        .repository
        .delete_snapshots(&forget)
        .map_err(RepositoryError::from)?;
    // Planned after they are gone: a plan that counts on it must not be carried out if they are not.
    let options = options.ignore_snaps(Vec::new());
    store.shelf.remove_strays();
    pruned.asides = remove_asides(&store.places.backup().join("aside"))?;
    match give_back(store, &options) {
        Err(error) if error.is_full() => {
            // What was begun to be written has left its beginning.
            store.shelf.remove_strays();
            let nothing_anew = options.clone().max_repack(LimitOption::Percentage(0));
            give_back(store, &nothing_anew)?;
            reserve::give_up(store);
            write_anew_what_fits(store, &options)?;
            pruned.left_bytes = unused(store, &options)?;
        }
        other => other?,
    }
    store.shelf.remove_strays();
    reserve::keep(store);
    pruned.freed_bytes = before.saturating_sub(store.shelf.size()?);
    Ok(pruned)
}

/// Bytes that no snapshot names and that are there still.
fn unused(store: &Store, options: &PruneOptions) -> Result<u64, RepositoryError> {
    let plan = store.again()?.prune_plan(options)?;
    Ok(plan.stats.size_sum().unused)
}

/// Writes packs anew that hold other data, too, as far as there is room, as often as that makes more.
fn write_anew_what_fits(store: &Store, options: &PruneOptions) -> Result<(), RepositoryError> {
    // Small packs in one large one make no room.
    let options = options.clone().no_resize(true);
    for _ in 0..ROUNDS_MAX {
        let before = store.shelf.size()?;
        let room = reserve::free(store).unwrap_or(0).saturating_sub(INDEX_BYTES);
        let Ok(fits) = format!("{room}B").parse::<LimitOption>() else {
            return Ok(());
        };
        match give_back(store, &options.clone().max_repack(fits)) {
            // What was given back stays so.
            Err(error) if error.is_full() => {
                store.shelf.remove_strays();
                return Ok(());
            }
            other => other?,
        }
        store.shelf.remove_strays();
        if store.shelf.size()? >= before {
            break;
        }
    }
    Ok(())
}

/// Gives back the room of what no snapshot names.
fn give_back(store: &Store, options: &PruneOptions) -> Result<(), RepositoryError> {
    let (repository, failures) = store.again_noting()?;
    let plan = repository.prune_plan(options)?;
    repository
        .prune(options, plan)
        .map_err(|error| failures.behind(error.into()))
}

/// Which snapshots go; only ours are counted and none of another program's goes. Those that lack files are counted apart,
/// so that none takes the place of a complete one, and among the last ones only while no complete one is newer.
fn to_forget(all: Vec<SnapshotFile>, keep: Keep) -> Result<Vec<SnapshotId>, RepositoryError> {
    let ours = all.into_iter().filter(list::is_ours);
    let (lacking, complete): (Vec<_>, Vec<_>) = ours.partition(list::is_incomplete);
    let newest = complete.iter().max().cloned();
    let (newer, older): (Vec<_>, Vec<_>) = lacking
        .into_iter()
        .partition(|one| newest.as_ref().is_none_or(|newest| one > newest));
    let mut forget = judged(complete, keep)?;
    forget.extend(judged(newer, keep)?);
    forget.extend(judged(older, Keep { last: 0, ..keep })?);
    Ok(forget)
}

/// Those that the rules do not keep.
fn judged(snapshots: Vec<SnapshotFile>, keep: Keep) -> Result<Vec<SnapshotId>, RepositoryError> {
    if keep.keeps_nothing() {
        return Ok(snapshots.into_iter().map(|one| one.id).collect());
    }
    let judged = keep.options().apply(snapshots, &Zoned::now())?;
    Ok(judged
        .into_iter()
        .filter(|one| !one.keep)
        .map(|one| one.snapshot.id)
        .collect())
}

fn remove_asides(folder: &Path) -> Result<u64, PruneError> {
    let all = names(folder);
    let surplus = all.len().saturating_sub(ASIDES_KEPT);
    for name in &all[..surplus] {
        let path = folder.join(name);
        fs::remove_dir_all(&path).map_err(|source| PruneError::Io {
            path: path.display().to_string(),
            source,
        })?;
    }
    Ok(surplus as u64)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rustic_core::SnapshotOptions;
    use rustic_core::repofile::{BlobType, IndexFile};

    use super::*;
    use crate::create::create;
    use crate::house::{House, random};

    /// Every piece of data that the repository has, whether a snapshot names it or not, opened.
    fn all_data(store: &Store) -> Vec<u8> {
        let repository = store.again().unwrap().to_indexed().unwrap();
        let mut named = 0;
        let mut all = Vec::new();
        for file in repository.stream_files::<IndexFile>().unwrap() {
            let index = file.unwrap().1;
            assert!(index.packs_to_delete.is_empty());
            for pack in index.packs {
                named += 1;
                for blob in pack.blobs.iter().filter(|blob| blob.tpe == BlobType::Data) {
                    all.extend_from_slice(&repository.get_blob_cached(&blob.id, blob.tpe).unwrap());
                }
            }
        }
        // None lies beside those that the index knows.
        assert_eq!(store.shelf.packs().unwrap().len(), named);
        all
    }

    #[test]
    fn a_little_that_no_snapshot_names_goes_with_the_rest() {
        let house = House::empty();
        let (at, places) = (|name: &str| house.at(name), &house.places);
        let has = |store: &Store, text: &str| {
            let all = all_data(store);
            all.windows(text.len()).any(|window| window == text.as_bytes())
        };
        // One in a hundred of what is in its pack.
        let mut random = random();
        fs::create_dir_all(at("config/themes")).unwrap();
        for n in 0..100 {
            let bytes: Vec<u8> = (0..2_000).map(|_| random()).collect();
            fs::write(at(&format!("config/themes/{n}.toml")), bytes).unwrap();
        }
        let secret = at("config/config.toml");
        fs::write(&secret, "# hunter2\n").unwrap();
        let store = Store::open_or_make(places, None, None).unwrap();
        create(&store, "with it").unwrap();
        assert!(has(&store, "hunter2"));
        fs::write(&secret, "# nothing\n").unwrap();
        create(&store, "without it").unwrap();
        let newest = Keep {
            last: 1,
            daily: 0,
            weekly: 0,
            monthly: 0,
            yearly: 0,
        };
        let pruned = prune(&store, newest, false).unwrap();
        assert_eq!((pruned.kept, pruned.left_bytes), (1, 0));
        assert!(!has(&store, "hunter2") && has(&store, "# nothing"));
    }

    #[test]
    fn the_rules_keep_the_last_and_one_of_each_stretch() {
        let now: Zoned = "2026-11-25T02:00:00[UTC]".parse().unwrap();
        let day = |days: i64| {
            let time = now.checked_sub(Span::new().days(days)).unwrap();
            let mut one = SnapshotOptions::default()
                .label("lusush".to_owned())
                .host("h".to_owned())
                .time(time)
                .to_snapshot()
                .unwrap();
            one.id = SnapshotId::from(rustic_core::Id::random());
            one
        };
        let all: Vec<_> = (0..1000).map(day).collect();
        let forget = to_forget(all.clone(), KEEP).unwrap();
        let kept = all.len() - forget.len();
        // Seven days, eight weeks and twelve months overlap; two years before this one.
        assert!((20..=44).contains(&kept), "{kept}");
        assert!(all[..7].iter().all(|one| !forget.contains(&one.id)));
        // Those that lack files take no one's place, and go once a complete one is newer.
        let lacks = |mut one: SnapshotFile| {
            one.id = SnapshotId::from(rustic_core::Id::random());
            one.tags.add(crate::create::INCOMPLETE.to_owned());
            one
        };
        let newest = Keep {
            last: 1,
            daily: 0,
            weekly: 0,
            monthly: 0,
            yearly: 0,
        };
        let (before, after) = (lacks(all[1].clone()), lacks(all[0].clone()));
        let mixed = [before.clone(), all[1].clone(), after];
        let at = |(mut one, days): (SnapshotFile, i64)| {
            one.time = now.checked_sub(Span::new().days(days)).unwrap();
            one
        };
        let mixed = mixed.into_iter().zip([2, 1, 0]).map(at).collect();
        assert_eq!(to_forget(mixed, newest).unwrap(), [before.id]);
        let mut theirs = all;
        theirs.iter_mut().for_each(|one| one.label.clear());
        assert_eq!(to_forget(theirs, KEEP).unwrap(), []);
    }
}
