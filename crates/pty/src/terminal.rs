//! The pty and the child in it.
//!
//! Invariant: the child is a session leader whose controlling terminal is the pty; it has no other open
//! descriptor of ours, and it ends with the [`Terminal`].
#![allow(unsafe_code)]

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::OFlags;
use rustix::process::{Pid, Signal};
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;

use crate::emulator::Emulator;
use crate::process::{foreground_pid, waits_for_input};
use crate::wire::timespec;

/// Longest wait for anything on a machine of usual speed: far above what a shell needs, short enough that a
/// hanging test is reported soon.
const DEADLINE: Duration = Duration::from_secs(10);
/// How long one look at the child lasts while settling. A key takes a shell about 100 µs.
const GLANCE: Duration = Duration::from_micros(50);
/// Bytes taken from the pty at once; the kernel's buffer holds no more.
const READ_BYTES: usize = 65536;
/// Signals that a parent may have ignored and that a shell must find as they are by default.
const SIGNALS_RESET: [libc::c_int; 9] = [
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGTERM,
    libc::SIGPIPE,
    libc::SIGTSTP,
    libc::SIGTTIN,
    libc::SIGTTOU,
    libc::SIGCHLD,
];

/// Returns the longest wait for anything: 10 s times `LUSUSH_TEST_SLOWNESS` (a factor, default 1).
#[must_use]
pub fn deadline() -> Duration {
    let factor = std::env::var("LUSUSH_TEST_SLOWNESS")
        .ok()
        .and_then(|text| text.parse().ok());
    DEADLINE.mul_f64(factor.filter(|f| (0.1..=1000.0).contains(f)).unwrap_or(1.0))
}

/// A condition did not come true before the deadline.
#[derive(Debug, thiserror::Error)]
#[error("waited {waited:?} for {what}; the screen shows:\n{screen}")]
pub struct Timeout {
    /// What was awaited.
    pub what: String,
    /// How long.
    pub waited: Duration,
    /// The screen at the end of the wait.
    pub screen: String,
}

/// What to start in a terminal, and in which.
#[derive(Clone, Debug)]
pub struct Spawn {
    /// The program; looked up in `PATH` of the caller unless it contains a slash.
    pub program: PathBuf,
    /// `argv[0]`, if not the program: `-bash` makes a login shell.
    pub arg0: Option<OsString>,
    /// Arguments after `argv[0]`.
    pub args: Vec<OsString>,
    /// The whole environment: nothing is inherited.
    pub env: Vec<(OsString, OsString)>,
    /// Working directory.
    pub cwd: PathBuf,
    /// Rows of the screen.
    pub rows: u16,
    /// Columns of the screen.
    pub cols: u16,
}

impl Spawn {
    /// Makes the start of `program` in `/` on a screen of 24 by 80 with an empty environment.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            arg0: None,
            args: Vec::new(),
            env: Vec::new(),
            cwd: PathBuf::from("/"),
            rows: 24,
            cols: 80,
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args
            .extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets `name` in the environment, replacing an earlier value.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.retain(|(known, _)| known != name.as_ref());
        self.env
            .push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Sets the working directory.
    #[must_use]
    pub fn cwd(mut self, cwd: impl AsRef<Path>) -> Self {
        cwd.as_ref().clone_into(&mut self.cwd);
        self
    }

    /// Sets the size of the screen.
    #[must_use]
    pub fn size(mut self, rows: u16, cols: u16) -> Self {
        (self.rows, self.cols) = (rows, cols);
        self
    }
}

/// A pty with a child in it and the screen it draws.
pub struct Terminal {
    master: Option<OwnedFd>,
    /// Kept open so that the kernel can be asked whether typed bytes were taken.
    slave: Option<OwnedFd>,
    child: Child,
    exit: Option<ExitStatus>,
    emulator: Emulator,
    bytes_out: u64,
}

impl Terminal {
    /// Starts a child in a new terminal.
    ///
    /// # Errors
    /// The system's, if there is no pty left or the program cannot be started.
    pub fn spawn(spawn: &Spawn) -> io::Result<Self> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = rustix::pty::openpt(flags)?;
        rustix::pty::grantpt(&master)?;
        rustix::pty::unlockpt(&master)?;
        let slave = rustix::pty::ioctl_tiocgptpeer(&master, flags)?;
        set_size(&master, spawn.rows, spawn.cols)?;
        // Terminals that speak UTF-8 say so: the kernel then erases whole characters.
        let mut modes = rustix::termios::tcgetattr(&slave)?;
        modes.input_modes |= rustix::termios::InputModes::IUTF8;
        rustix::termios::tcsetattr(&slave, rustix::termios::OptionalActions::Now, &modes)?;
        rustix::fs::fcntl_setfl(&master, OFlags::NONBLOCK)?;

        let mut command = Command::new(&spawn.program);
        if let Some(arg0) = &spawn.arg0 {
            command.arg0(arg0);
        }
        command.args(&spawn.args).env_clear().current_dir(&spawn.cwd);
        command.envs(spawn.env.iter().map(|(name, value)| (name, value)));
        command
            .stdin(slave.try_clone()?)
            .stdout(slave.try_clone()?)
            .stderr(slave.try_clone()?);
        // SAFETY: between fork and exec only async-signal-safe calls are made (setsid, ioctl, signal), and
        // nothing is allocated.
        unsafe {
            command.pre_exec(|| {
                for signal in SIGNALS_RESET {
                    // SAFETY: `signal` with SIG_DFL installs no code.
                    libc::signal(signal, libc::SIG_DFL);
                }
                rustix::process::setsid()?;
                rustix::process::ioctl_tiocsctty(BorrowedFd::borrow_raw(0))?;
                Ok(())
            });
        }
        let child = command.spawn()?;
        let emulator = Emulator::new(spawn.rows, spawn.cols);
        Ok(Self {
            master: Some(master),
            slave: Some(slave),
            child,
            exit: None,
            emulator,
            bytes_out: 0,
        })
    }

    /// Types `bytes`, reading what the child writes meanwhile so that neither can block the other.
    ///
    /// # Errors
    /// The system's, `NotConnected` after [`Self::hang_up`], `TimedOut` if the child takes nothing.
    pub fn type_bytes(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let started = Instant::now();
        while !bytes.is_empty() {
            match rustix::io::write(self.master()?, bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {
                    self.pump(Duration::from_millis(1));
                }
                Err(error) => return Err(error.into()),
            }
            if started.elapsed() > deadline() {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
        Ok(())
    }

    /// Changes the size of the terminal and of the screen; the child gets SIGWINCH.
    ///
    /// # Errors
    /// The system's, and `NotConnected` after [`Self::hang_up`].
    pub fn resize(&mut self, rows: u16, cols: u16) -> io::Result<()> {
        self.emulator.resize(rows, cols);
        set_size(self.master()?, rows, cols)
    }

    /// Shows what the child writes, waiting up to `timeout` for the first byte.
    pub fn pump(&mut self, timeout: Duration) {
        self.read_to_screen(timeout);
    }

    /// Waits until `true_of` holds for the screen.
    ///
    /// # Errors
    /// [`Timeout`] after [`deadline`], with `what` and the screen.
    pub fn wait_for(&mut self, what: &str, true_of: impl Fn(&Self) -> bool) -> Result<(), Timeout> {
        let started = Instant::now();
        loop {
            self.pump(Duration::ZERO);
            if true_of(self) {
                return Ok(());
            }
            if started.elapsed() > deadline() {
                return Err(self.timeout(what, started));
            }
            self.pump(Duration::from_millis(1));
        }
    }

    /// Waits until a row of the screen contains `text`.
    ///
    /// # Errors
    /// [`Timeout`] after [`deadline`].
    pub fn wait_for_text(&mut self, text: &str) -> Result<(), Timeout> {
        self.wait_for(&format!("{text:?}"), |terminal| terminal.text().contains(text))
    }

    /// Waits until the foreground program has taken every typed byte, is blocked waiting for more, and
    /// everything it wrote is on the screen.
    ///
    /// This is proof and no guess: the kernel's queues are asked, not a clock. The order matters: input
    /// empty, then blocked, then nothing written.
    ///
    /// # Errors
    /// [`Timeout`] after [`deadline`], or at once if the child has ended.
    pub fn settle(&mut self) -> Result<(), Timeout> {
        let started = Instant::now();
        loop {
            let written = self.read_to_screen(Duration::ZERO);
            if written == 0 && self.is_idle() && self.read_to_screen(Duration::ZERO) == 0 {
                return Ok(());
            }
            if started.elapsed() > deadline() || self.has_exited() {
                return Err(self.timeout("the program to wait for a key", started));
            }
            self.read_to_screen(GLANCE);
        }
    }

    /// Types `bytes` and settles.
    ///
    /// # Errors
    /// [`Timeout`] after [`deadline`].
    pub fn press(&mut self, bytes: impl AsRef<[u8]>) -> Result<(), Timeout> {
        let started = Instant::now();
        match self.type_bytes(bytes.as_ref()) {
            Ok(()) => self.settle(),
            Err(error) => Err(self.timeout(&format!("the bytes to be taken ({error})"), started)),
        }
    }

    /// Returns the emulated screen.
    #[must_use]
    pub fn screen(&self) -> &vt100::Screen {
        self.emulator.screen()
    }

    /// Returns every row of the screen without trailing blanks.
    #[must_use]
    pub fn rows(&self) -> Vec<String> {
        self.emulator.rows()
    }

    /// Returns the screen as one text, without trailing blanks in rows and without trailing empty rows.
    #[must_use]
    pub fn text(&self) -> String {
        self.rows().join("\n").trim_end().to_owned()
    }

    /// Returns the cursor as (row, column) from 0; a pending wrap shows as the column past the last.
    #[must_use]
    pub fn cursor(&self) -> (u16, u16) {
        self.emulator.cursor()
    }

    /// Returns how many bytes the child has written.
    #[must_use]
    pub fn bytes_out(&self) -> u64 {
        self.bytes_out
    }

    /// Returns the process id of the child.
    #[must_use]
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Returns the master side, for benches that time single bytes. It does not block.
    ///
    /// # Errors
    /// `NotConnected` after [`Self::hang_up`].
    pub fn master(&self) -> io::Result<BorrowedFd<'_>> {
        self.master
            .as_ref()
            .map(AsFd::as_fd)
            .ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Sends `signal` to the child.
    ///
    /// # Errors
    /// The system's, if the child is gone.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(rustix::process::kill_process(self.pid(), signal)?)
    }

    /// Whether the child has ended.
    pub fn has_exited(&mut self) -> bool {
        if self.exit.is_none() {
            self.exit = self.child.try_wait().ok().flatten();
        }
        self.exit.is_some()
    }

    /// Waits until the child has ended, showing what it still writes.
    ///
    /// # Errors
    /// [`Timeout`] after `limit`.
    pub fn wait_exit(&mut self, limit: Duration) -> Result<ExitStatus, Timeout> {
        let started = Instant::now();
        loop {
            let ended = self.has_exited();
            while self.read_to_screen(Duration::ZERO) > 0 {}
            if let (true, Some(status)) = (ended, self.exit) {
                return Ok(status);
            }
            if started.elapsed() > limit {
                return Err(self.timeout("the program to end", started));
            }
            if self.master.is_some() {
                self.pump(Duration::from_millis(1));
            } else {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    /// Closes the terminal, as closing its window does: the child gets SIGHUP.
    pub fn hang_up(&mut self) {
        self.slave = None;
        self.master = None;
    }

    /// Whether typed bytes are all taken and the foreground program is blocked waiting for more.
    fn is_idle(&self) -> bool {
        let (Some(master), Some(slave)) = (&self.master, &self.slave) else {
            return false;
        };
        // Polling the slave also makes the kernel deliver what is on its way there.
        !is_readable(slave.as_fd(), Duration::ZERO) && foreground_pid(master).is_some_and(waits_for_input)
    }

    /// Reads all there is, waiting up to `timeout` for the first byte; returns the number of bytes.
    fn read_to_screen(&mut self, timeout: Duration) -> usize {
        let Some(master) = &self.master else { return 0 };
        if !is_readable(master.as_fd(), timeout) {
            return 0;
        }
        let mut buffer = vec![0; READ_BYTES];
        let read = rustix::io::read(master, &mut buffer[..]).unwrap_or(0);
        self.bytes_out += read as u64;
        self.emulator.process(&buffer[..read]);
        let answers = self.emulator.take_answers();
        // A terminal that cannot answer at once does not: the child then waits for it in vain, which shows.
        let _ = if answers.is_empty() {
            Ok(0)
        } else {
            rustix::io::write(master, &answers)
        };
        read
    }

    fn timeout(&self, what: &str, started: Instant) -> Timeout {
        let (row, col) = self.cursor();
        let ended = if self.exit.is_some() {
            " (the program has ended)"
        } else {
            ""
        };
        let screen = format!("{}\n(cursor at row {row}, column {col})", self.text());
        Timeout {
            what: format!("{what}{ended}"),
            waited: started.elapsed(),
            screen,
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let foreground = self.master.as_ref().and_then(foreground_pid);
        self.hang_up();
        if !self.has_exited() {
            if let Some(group) = foreground {
                let _ = rustix::process::kill_process_group(group, Signal::KILL);
            }
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn set_size(master: impl AsFd, rows: u16, cols: u16) -> io::Result<()> {
    let size = Winsize {
        ws_row: rows,
        ws_col: cols,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    Ok(rustix::termios::tcsetwinsize(master, size)?)
}

fn is_readable(fd: BorrowedFd<'_>, timeout: Duration) -> bool {
    let mut fds = [PollFd::new(&fd, PollFlags::IN)];
    poll(&mut fds, Some(&timespec(timeout))).is_ok_and(|ready| ready > 0)
        && fds[0].revents().contains(PollFlags::IN)
}
