//! The filter: which calls the kernel stops, for the thread that installs it and everything that it starts.
#![allow(unsafe_code)]

use std::io;
use std::mem::offset_of;
use std::os::fd::{FromRawFd, OwnedFd};

use libc::{BPF_ABS, BPF_JEQ, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_RET, BPF_W, seccomp_data, sock_filter};

use crate::call::{ALWAYS, IF_MADE};

/// Installs it; gives the listener that the stopped calls come from. It is closed with the last thread under the filter.
pub(crate) fn install() -> io::Result<OwnedFd> {
    rustix::thread::set_no_new_privs(true)?;
    let mut program = program();
    let described = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(io::Error::other)?,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: the program and its description outlive the call, which copies them.
    let listener = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
            &raw const described,
        )
    };
    match i32::try_from(listener) {
        // SAFETY: the kernel has just opened it for us alone.
        Ok(listener) if listener >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(listener) }),
        _ => Err(io::Error::last_os_error()),
    }
}

fn statement(code: u32, k: u32) -> sock_filter {
    jump(code, k, 0, 0)
}

fn jump(code: u32, k: u32, if_true: u8, if_false: u8) -> sock_filter {
    sock_filter {
        code: code as u16,
        jt: if_true,
        jf: if_false,
        k,
    }
}

/// For each call: is it this one? Then stop it. Programs of another word size, whose calls have other numbers, are none of
/// ours.
fn program() -> Vec<sock_filter> {
    let load = |offset: usize| statement(BPF_LD | BPF_W | BPF_ABS, offset as u32);
    let stop = || statement(BPF_RET | BPF_K, libc::SECCOMP_RET_USER_NOTIF);
    let go_on = || statement(BPF_RET | BPF_K, libc::SECCOMP_RET_ALLOW);
    let is = |k: u32, if_not: u8| jump(BPF_JMP | BPF_JEQ | BPF_K, k, 0, if_not);
    let mut program = vec![load(offset_of!(seccomp_data, nr))];
    for (number, _) in ALWAYS {
        program.extend([is(*number as u32, 1), stop()]);
    }
    let make = (libc::O_CREAT | libc::O_TRUNC) as u32;
    for (number, _, flags) in IF_MADE {
        program.extend([
            is(*number as u32, 4),
            // The lower half of an argument, where the machine has that first.
            load(offset_of!(seccomp_data, args) + 8 * flags),
            jump(BPF_JMP | BPF_JSET | BPF_K, make, 0, 1),
            stop(),
            go_on(),
        ]);
    }
    program.push(go_on());
    program
}
