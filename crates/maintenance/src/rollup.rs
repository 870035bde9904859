//! Samples kept for trends and reports, in a database that may be deleted at any time.
//!
//! ```text
//!  sample ─▸ raw, 7 days ─▸ five minutes, a year ─▸ an hour, for ever        each: count, sum, min, max
//! ```
//!
//! Samples are collected in memory and written once a minute: a look at the sessions waits for no disk, and the worker
//! wakes the disk less. What a killed worker had not written is lost.
//!
//! Invariant: nothing here is needed. A database that is damaged, full or of another version is begun anew.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};

use crate::world::Now;

/// The format; a database of another is begun anew.
const VERSION: i32 = 1;
const RAW_SECONDS: i64 = 10;
const FIVE_MINUTES: i64 = 300;
const HOUR: i64 = 3_600;
const RAW_KEPT: i64 = 7 * 24 * HOUR;
const FIVE_MINUTES_KEPT: i64 = 365 * 24 * HOUR;
/// What the database may keep in memory; negative means KiB and not pages.
const CACHE_KIB: i32 = -256;
/// Old samples are removed once in so many writes: an hour.
const TIDY_EVERY: u32 = 60;
/// How often what was collected is written, in nanoseconds.
const WRITE_NS: u64 = 60_000_000_000;
/// Means read back at a time: two weeks, and what a clock that jumped added.
const RECALLED_MAX: i64 = 5_000;
/// Samples collected at most: some hundred metrics, seven looks a minute.
const UNWRITTEN_MAX: usize = 2_048;

/// The database.
pub(crate) struct Rollup {
    path: PathBuf,
    database: Connection,
    writes: u32,
    /// Not written yet: seconds since 1970, metric, value.
    unwritten: Vec<(i64, &'static str, f64)>,
    /// When it was written last, on the monotonic clock.
    written_ns: Option<u64>,
}

impl Rollup {
    /// Opens the database, or begins it anew.
    pub(crate) fn open(path: &Path) -> Result<Self, rusqlite::Error> {
        if let Some(folder) = path.parent() {
            // Failing that, opening says so.
            let _made = crate::real::disk::create_folder(folder);
        }
        let database = connect(path).or_else(|error| match is_busy(&error) {
            true => Err(error),
            false => Self::begin_anew(path),
        })?;
        Ok(Self {
            path: path.to_owned(),
            database,
            writes: 0,
            unwritten: Vec::new(),
            written_ns: None,
        })
    }

    /// Adds samples taken at one moment.
    pub(crate) fn keep(&mut self, now: Now, samples: &[(&'static str, f64)]) {
        let seconds = now.wall_ns.div_euclid(1_000_000_000);
        let room = UNWRITTEN_MAX.saturating_sub(self.unwritten.len());
        let finite = samples.iter().filter(|(_, value)| value.is_finite());
        self.unwritten.extend(
            finite
                .take(room)
                .map(|(metric, value)| (seconds, *metric, *value)),
        );
    }

    /// Writes what was collected, at every resolution, if that is due.
    pub(crate) fn write(&mut self, now: Now) {
        let waited = |at: u64| now.mono_ns.saturating_sub(at) >= WRITE_NS;
        if self.unwritten.is_empty() || !self.written_ns.is_none_or(waited) {
            return;
        }
        self.written_ns = Some(now.mono_ns);
        let written = self.try_write();
        if written.as_ref().is_err_and(is_busy) {
            // A job reads: what was collected is written in a minute.
            return;
        }
        if written.is_err() {
            // Damaged, removed or full: begun anew; what cannot even be begun is tried again in a minute.
            if let Ok(fresh) = connect(&self.path).or_else(|_| Self::begin_anew(&self.path)) {
                self.database = fresh;
            }
        }
        self.unwritten.clear();
    }

    /// Gives the five-minute means of a metric since then, oldest first, with nanoseconds since 1970.
    pub(crate) fn recall(
        &mut self,
        metric: &str,
        since_wall_ns: i64,
        each: &mut dyn FnMut(i64, f64),
    ) -> Result<(), rusqlite::Error> {
        let mut query = self.database.prepare_cached(
            "select at, sum / count from sample where metric = ?1 and resolution = ?2 and at >= ?3 order by at limit ?4",
        )?;
        let since = since_wall_ns.div_euclid(1_000_000_000);
        let mut rows = query.query(params![metric, FIVE_MINUTES, since, RECALLED_MAX])?;
        while let Some(row) = rows.next()? {
            let at: i64 = row.get(0)?;
            each(at.saturating_mul(1_000_000_000), row.get(1)?);
        }
        Ok(())
    }

    fn begin_anew(path: &Path) -> Result<Connection, rusqlite::Error> {
        let _gone = std::fs::remove_file(path);
        connect(path)
    }

    fn try_write(&mut self) -> Result<(), rusqlite::Error> {
        let transaction = self.database.transaction()?;
        {
            let mut insert = transaction.prepare_cached(
                "insert into sample (metric, resolution, at, count, sum, min, max) values (?1, ?2, ?3, 1, ?4, ?4, ?4)
                 on conflict (metric, resolution, at) do update set count = count + 1, sum = sum + ?4,
                 min = min(min, ?4), max = max(max, ?4)",
            )?;
            for (seconds, metric, value) in &self.unwritten {
                for resolution in [RAW_SECONDS, FIVE_MINUTES, HOUR] {
                    let at = seconds - seconds.rem_euclid(resolution);
                    insert.execute(params![metric, resolution, at, value])?;
                }
            }
        }
        self.writes += 1;
        if self.writes.is_multiple_of(TIDY_EVERY) {
            let old = "delete from sample where resolution = ?1 and at < ?2";
            let newest = self.unwritten.last().map_or(0, |(seconds, ..)| *seconds);
            transaction.execute(old, params![RAW_SECONDS, newest - RAW_KEPT])?;
            transaction.execute(old, params![FIVE_MINUTES, newest - FIVE_MINUTES_KEPT])?;
        }
        transaction.commit()
    }

    #[cfg(test)]
    fn rows(&self, metric: &str) -> Vec<(i64, i64, i64, f64, f64, f64)> {
        let mut query = self
            .database
            .prepare(
                "select resolution, at, count, sum, min, max from sample where metric = ?1 order by 1, 2",
            )
            .unwrap();
        let rows = query
            .query_map([metric], |row| {
                Ok((
                    row.get(0)?,
                    row.get(1)?,
                    row.get(2)?,
                    row.get(3)?,
                    row.get(4)?,
                    row.get(5)?,
                ))
            })
            .unwrap();
        rows.map(Result::unwrap).collect()
    }
}

/// Whether another process is in the way, which is nobody's damage.
fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked)
    )
}

fn connect(path: &Path) -> Result<Connection, rusqlite::Error> {
    let database = Connection::open(path)?;
    // The worker waits for nobody.
    database.busy_timeout(std::time::Duration::ZERO)?;
    // It can be rebuilt by waiting: nothing is worth an fsync here.
    database.pragma_update(None, "journal_mode", "memory")?;
    database.pragma_update(None, "synchronous", "off")?;
    // Pages of a few metrics' newest rows: the worker's memory is promised.
    database.pragma_update(None, "cache_size", CACHE_KIB)?;
    let version: i32 = database.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version != VERSION && version != 0 {
        return Err(rusqlite::Error::InvalidQuery);
    }
    database.execute_batch(
        "create table if not exists sample (metric text, resolution integer, at integer, count integer, sum real,
         min real, max real, primary key (metric, resolution, at)) without rowid",
    )?;
    database.pragma_update(None, "user_version", VERSION)?;
    Ok(database)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Now {
        Now {
            wall_ns: seconds * 1_000_000_000,
            mono_ns: (seconds * 1_000_000_000).cast_unsigned(),
        }
    }

    #[test]
    fn samples_are_kept_at_every_resolution() {
        let folder = tempfile::tempdir().unwrap();
        let mut rollup = Rollup::open(&folder.path().join("metrics.db")).unwrap();
        rollup.keep(at(7201), &[("prompt", 2.0), ("nonsense", f64::NAN)]);
        rollup.keep(at(7209), &[("prompt", 4.0)]);
        rollup.write(at(7209));
        rollup.keep(at(7210), &[("unwritten", 1.0)]);
        rollup.write(at(7210));
        assert_eq!(rollup.rows("unwritten"), []);
        rollup.keep(at(7505), &[("prompt", 9.0)]);
        rollup.write(at(7505));
        assert_eq!(
            rollup.rows("prompt"),
            [
                (10, 7200, 2, 6.0, 2.0, 4.0),
                (10, 7500, 1, 9.0, 9.0, 9.0),
                (300, 7200, 2, 6.0, 2.0, 4.0),
                (300, 7500, 1, 9.0, 9.0, 9.0),
                (3600, 7200, 3, 15.0, 2.0, 9.0),
            ]
        );
        assert_eq!(rollup.rows("nonsense"), []);
        let mut past = Vec::new();
        let recalled = rollup.recall("prompt", 7_300_000_000_000, &mut |at, value| {
            past.push((at, value));
        });
        recalled.unwrap();
        assert_eq!(past, [(7_500_000_000_000, 9.0)]);
    }

    #[test]
    fn a_reader_in_the_way_costs_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.db");
        let mut rollup = Rollup::open(&path).unwrap();
        rollup.keep(at(1), &[("prompt", 1.0)]);
        rollup.write(at(1));
        let reader = Connection::open(&path).unwrap();
        reader
            .execute_batch("begin; select count(*) from sample")
            .unwrap();
        let mut query = reader.prepare("select at from sample").unwrap();
        let mut rows = query.query([]).unwrap();
        assert!(rows.next().unwrap().is_some());
        rollup.keep(at(70), &[("prompt", 2.0)]);
        rollup.write(at(70));
        drop(rows);
        drop(query);
        reader.execute_batch("commit").unwrap();
        rollup.keep(at(140), &[("prompt", 3.0)]);
        rollup.write(at(140));
        let raw: Vec<f64> = rollup
            .rows("prompt")
            .iter()
            .filter(|row| row.0 == 10)
            .map(|row| row.3)
            .collect();
        assert_eq!(raw, [1.0, 2.0, 3.0]);
    }

    #[test]
    fn a_database_that_is_none_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.db");
        std::fs::write(&path, vec![7; 9000]).unwrap();
        let mut rollup = Rollup::open(&path).unwrap();
        rollup.keep(at(1), &[("prompt", 1.0)]);
        rollup.write(at(1));
        assert_eq!(rollup.rows("prompt").len(), 3);
    }
}
