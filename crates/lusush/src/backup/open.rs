//! The archive of this home, and what its errors mean to a person.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use lle_archive::{
    Credentials, CredentialsError, Key, KeyError, Line, Lock, LockError, OpenError, PATIENCE, Places,
    RemoteError, RepositoryError, Store,
};
use lle_core::config::Name;
use lle_core::error::Code;
use lle_core::repository::Address;

use super::bar::Bar;
use super::{At, address};
use crate::failure::Failure;
use crate::paths;

/// What a variable says that `lusush` gives for a key of the configuration; none if it says nothing.
fn given(name: Name) -> Option<std::ffi::OsString> {
    std::env::var_os(name.key().variable()).filter(|value| !value.is_empty())
}

/// Where this home lies, without what a server wants: a file of credentials that cannot be used is no reason to keep no
/// journal.
pub(super) fn places() -> Result<Places, Failure> {
    let folders = paths::folders();
    let refused = |refusal| {
        Failure::new("cannot tell what to back up")
            .because(refusal)
            .hint("`lusush doctor` says more about folders")
    };
    let repository = given(Name::BackupRepository);
    Ok(Places {
        config: folders.config.map_err(refused)?,
        state: folders.state.map_err(refused)?,
        data: folders.data.map_err(refused)?,
        home: paths::home(),
        repository: repository.as_deref().map(address::named).transpose()?,
        credentials: Credentials::default(),
    })
}

/// The repository that was named, and where this home lies, with what a server wants.
pub(super) fn asked(at: &At) -> Result<(Option<Address>, Places), Failure> {
    let named = at.repository.as_deref().map(address::named).transpose()?;
    let mut places = places()?;
    let is_remote = named
        .as_ref()
        .map_or(places.own().is_remote(), Address::is_remote);
    if is_remote {
        // Not to a server that was named for once, unless there is no other that the file could be for.
        let own = places.own();
        let is_for_it = named
            .as_ref()
            .is_none_or(|named| !own.is_remote() || own.same_server(named));
        let file = given(Name::BackupCredentials)
            .map(PathBuf::from)
            .filter(|_| is_for_it);
        places.credentials =
            Credentials::read(file.as_deref(), |name| std::env::var_os(name)).map_err(credentials_failure)?;
    }
    Ok((named, places))
}

fn credentials_failure(error: CredentialsError) -> Failure {
    let failed = Failure::new("cannot use the file that `backup.credentials` names");
    match &error {
        CredentialsError::Open { path, .. } => failed
            .code(Code::Unauthorized.exit())
            .hint(format!("`chmod 600 {}`, and if others could read it, new keys", path.display())),
        CredentialsError::Io { .. } | CredentialsError::NotOurs(_) | CredentialsError::NoFile(_) => failed
            .code(Code::Unavailable.exit())
            .hint("`lusush maint config set backup.credentials FILE` names another"),
        CredentialsError::Line { .. } => failed.code(Code::InvalidParameters.exit()).hint(
            "lines are AWS_ACCESS_KEY_ID=…, AWS_SECRET_ACCESS_KEY=…, RESTIC_REST_USERNAME=…, RESTIC_REST_PASSWORD=…",
        ),
    }
    .because(error)
}

/// The line that is kept here.
pub(super) fn line(places: &Places) -> Result<Line, Failure> {
    let kept = Key::read(&places.state).map_err(key_failure)?;
    kept.map(|key| key.line)
        .ok_or_else(|| match lle_archive::sealed(places) {
            Some(what) => failure(OpenError::Sealed(what)),
            None => Failure::new("there is no key yet")
                .code(Code::NotFound.exit())
                .hint("`lusush maint backup create` makes it with the first snapshot"),
        })
}

/// The lock, for what is done without the repository.
pub(super) fn lock(places: &Places) -> Result<Lock, Failure> {
    Lock::take(&places.backup(), PATIENCE).map_err(lock_failure)
}

/// Opens the repository.
pub(super) fn open(at: &At, bar: &Bar) -> Result<Store, Failure> {
    let (named, places) = asked(at)?;
    let opened = Store::open(&places, named.as_ref(), bar.watch()).map_err(failure);
    opened.inspect(tell_unfinished)
}

/// Opens the repository, and makes it if there is none.
pub(super) fn open_or_make(at: &At, bar: &Bar) -> Result<Store, Failure> {
    let (named, places) = asked(at)?;
    let address = named.clone().unwrap_or_else(|| places.own());
    // Before it is sent, and no reason to save nothing.
    if let Some(host) = address.in_clear().filter(|_| places.credentials.prove_somebody()) {
        eprintln!("lusush: what proves you to {host} is sent there in the clear, over http: give https");
    }
    let opened = Store::open_or_make(&places, named.as_ref(), bar.watch()).map_err(failure);
    opened.inspect(tell_unfinished)
}

/// Tells of a restore that could not be brought to its end: nobody waits for it.
fn tell_unfinished(store: &Store) {
    let Some(error) = store.unfinished() else { return };
    let cause = error.source().map(|cause| format!(": {cause}"));
    eprintln!(
        "lusush: a restore is not at its end: {error}{}; see to that and any verb ends it, or restore something else",
        cause.unwrap_or_default()
    );
}

/// What a repository that does not open means.
pub(super) fn failure(error: OpenError) -> Failure {
    let failed = || Failure::new("cannot open the backup");
    if let Some(server) = error.server() {
        return remote(failed(), server).because(error);
    }
    match error {
        OpenError::None(_) => failed()
            .code(Code::NotFound.exit())
            .hint("`lusush maint backup create` makes the first one")
            .hint("`--repository WHERE` names one that lies elsewhere")
            .because(error),
        OpenError::NoKey(_) => failed()
            .code(Code::InvalidState.exit())
            .hint("`lusush maint backup key import` takes in the line that was written down")
            .because(error),
        OpenError::Sealed(ref sealed) => failed()
            .code(Code::InvalidState.exit())
            .hint("`lusush maint backup key import` takes in the line that was written down")
            .hint(format!(
                "without that line nobody reads it any more: move {} away, and a new key is made",
                sealed.away.display()
            ))
            .because(error),
        OpenError::Vanished(ref address) => failed()
            .code(Code::Unavailable.exit())
            .hint(match address.is_remote() {
                false => format!("bring {address} back: is its disk mounted?"),
                true => format!("look for what was at {address}"),
            })
            .hint(begin_anew())
            .because(error),
        OpenError::WrongKey(_) => failed()
            .code(Code::InvalidParameters.exit())
            .hint("`lusush maint backup key import` takes in the line that was written down")
            .because(error),
        OpenError::Beaten(_) => beaten("cannot open the backup", error),
        OpenError::Damaged { ref address, .. } => failed()
            .code(Code::BackupUnhealthy.exit())
            .hint(match address.is_remote() {
                false => format!(
                    "`lusush maint recover repository-damaged` keeps {address} aside, and begins a new one"
                ),
                true => "let `backup.repository` name another place, and `create` begins a new one".into(),
            })
            .because(error),
        OpenError::KeyFiles { ref address, .. } => failed()
            .code(Code::BackupUnhealthy.exit())
            .hint(format!(
                "where the backup was made its key is kept: there any `lusush maint backup list` writes a key file anew \
                 into {address}"
            ))
            .hint("a copy of the repository's folder keys does, too: what was saved is not touched by this")
            .because(error),
        OpenError::LeftBehind(ref path) => Failure::new("the key was not replaced")
            .code(Code::InvalidState.exit())
            .hint(format!(
                "write the present one down, `lusush maint backup key export`, and move {} away",
                path.display()
            ))
            .because(error),
        OpenError::Key(error) => key_failure(error),
        OpenError::Lock(error) => lock_failure(error),
        OpenError::Io { .. } | OpenError::Server { .. } | OpenError::Repository(_) => {
            other("cannot open the backup", error)
        }
    }
}

/// Tells what was met beside what was asked for: snapshots that could not be read, and one that `latest` did not mean. What
/// was answered is of the others.
pub(super) fn tell_beside(store: &Store) {
    for (place, why) in store.unread() {
        eprintln!(
            "lusush: a snapshot cannot be read and is passed over, though it may be the newest: {place}: {why}; \
             bring that file back from a copy, or move it away to give it up"
        );
    }
    if let Some(newer) = store.passed_over() {
        let name = newer.short();
        eprintln!(
            "lusush: snapshot {name} is newer and lacks files that could not be read: latest is the last complete one; {name} \
             in its place takes that one"
        );
    }
}

/// How to begin anew where snapshots were.
fn begin_anew() -> String {
    let note = places().map_or_else(
        |_| "data/backup/last.json".to_owned(),
        |places| lle_archive::note_path(&places).display().to_string(),
    );
    format!("if it is gone for good, remove {note}, and `lusush maint backup create` begins a new one")
}

/// That another machine was faster, and what to do.
pub(super) fn beaten(what: &str, error: impl Error + 'static) -> Failure {
    Failure::new(what)
        .code(Code::InvalidState.exit())
        .hint("give this machine a place of its own, `lusush maint config set backup.repository …`, or")
        .hint("take in the key of the other one, `lusush maint backup key import`")
        .because(error)
}

/// What it means that a server did not do something.
fn remote(failed: Failure, error: &RemoteError) -> Failure {
    match error {
        RemoteError::NotBuilt(feature) => failed.code(Code::NotBuilt.exit()).hint(format!(
            "from source, `cargo build --release -p lusush --features {feature}` makes one that knows such servers"
        )),
        RemoteError::NoCredentials(_) => failed.code(Code::Unauthorized.exit()).hint(
            "`lusush maint config set backup.credentials FILE` names a file for nobody else to read, with NAME=VALUE",
        ),
        RemoteError::Refused { .. } => failed
            .code(Code::Unauthorized.exit())
            .hint("see whether the file of `backup.credentials`, or the environment, has the right ones"),
        RemoteError::Unreachable { .. } | RemoteError::Slow { .. } | RemoteError::Answer { .. } => failed
            .code(Code::Unavailable.exit())
            .hint("nothing is lost: the journal has what changed; try again when the server is back"),
        RemoteError::NoServer
        | RemoteError::Unusable(_)
        | RemoteError::Taken(_)
        | RemoteError::NoPlace(_)
        | RemoteError::Odd { .. } => failed
            .code(Code::Unavailable.exit())
            .hint("`lusush maint config show backup` says where the backup is"),
        RemoteError::Missing(_) | RemoteError::Short(_) => failed
            .code(Code::BackupUnhealthy.exit())
            .hint("`lusush maint backup verify --data` looks at every byte"),
    }
}

/// What a server did not do, if that is among the causes.
fn server_in<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e RemoteError> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let found = error
            .downcast_ref::<RepositoryError>()
            .and_then(RepositoryError::remote);
        if found.is_some() {
            return found;
        }
        cause = error.source();
    }
    None
}

/// Whether a full disk is among the causes.
fn is_full(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let of_library = error.downcast_ref::<RepositoryError>();
        let of_system = error.downcast_ref::<io::Error>();
        if of_library.is_some_and(RepositoryError::is_full)
            || of_system.is_some_and(|error| error.kind() == io::ErrorKind::StorageFull)
        {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Whether something that this user may not read or write is among the causes.
fn is_denied(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let of_library = error.downcast_ref::<RepositoryError>();
        let of_system = error.downcast_ref::<io::Error>();
        if of_library.is_some_and(RepositoryError::is_denied)
            || of_system.is_some_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
        {
            return true;
        }
        cause = error.source();
    }
    false
}

/// What a key that is not there means.
pub(super) fn key_failure(error: KeyError) -> Failure {
    // The repository may be whole: its code is for that.
    let failed = Failure::new("cannot use the key of the backup");
    match error {
        KeyError::Damaged { .. } => failed
            .code(Code::InvalidState.exit())
            .hint("`lusush maint backup key import` takes in the line that was written down"),
        KeyError::Io { .. } => failed
            .code(Code::Unavailable.exit())
            .hint("`lusush doctor` says more about folders"),
    }
    .because(error)
}

fn lock_failure(error: LockError) -> Failure {
    let failed = Failure::new("the backup is in use").code(Code::Busy.exit());
    match &error {
        LockError::Held => failed.hint("`lusush maint tasks` shows what runs; try again in a moment"),
        LockError::Restic { lock, .. } | LockError::Unread { lock } => failed.hint(format!(
            "wait for restic; if none runs, remove {}, or let `restic unlock` do it",
            Path::new(lock).parent().unwrap_or(Path::new("locks")).display()
        )),
        LockError::Io { .. } => failed.hint("`lusush doctor` says more about folders"),
    }
    .because(error)
}

/// Something that a person can only look into.
pub(super) fn other(what: &str, error: impl Error + 'static) -> Failure {
    if let Some(server) = server_in(&error) {
        return remote(Failure::new(what), server).because(error);
    }
    if is_full(&error) {
        return Failure::new(what)
            .code(Code::Unavailable.exit())
            .because(error)
            .hint("there is no room: `lusush maint recover disk-full` lets caches go")
            .hint("`lusush maint backup prune --keep-last 1` lets older snapshots go");
    }
    if is_denied(&error) {
        return Failure::new(what)
            .code(Code::Unauthorized.exit())
            .because(error)
            .hint("nothing says that it is damaged: `chmod u+rw` what is named, if it is yours")
            .hint("`lusush doctor` says more about folders");
    }
    Failure::new(what)
        .code(Code::Unavailable.exit())
        .because(error)
        .hint("`lusush maint backup verify --data` looks at every byte")
}
