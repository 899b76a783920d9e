//! Signals to processes.

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

fn signal(process: u32, signal: Signal) -> Pid {
    let process = i32::try_from(process).ok().and_then(Pid::from_raw).expect("a process has a positive id");
    kill_process(process, signal).expect("the process is there, and this one's child");
    process
}

/// Stops a child process, as a suspended machine does. Returns when the process stands still.
///
/// # Panics
/// If this is not a running child of this process.
pub fn freeze(process: u32) {
    let process = signal(process, Signal::STOP);
    waitid(WaitId::Pid(process), WaitIdOptions::STOPPED).expect("a child that was told to stop does");
}

/// Lets the process continue.
///
/// # Panics
/// If there is no such process.
pub fn thaw(process: u32) {
    signal(process, Signal::CONT);
}

/// Kills a process, which cannot clean up. `Child::kill` does the same.
///
/// # Panics
/// If there is no such process.
pub fn kill(process: u32) {
    signal(process, Signal::KILL);
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_frozen_process_says_nothing_until_it_is_thawed() {
        let mut cat = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (mut to, mut from) = (cat.stdin.take().unwrap(), cat.stdout.take().unwrap());
        let mut byte = [0];
        to.write_all(b"1").unwrap();
        from.read_exact(&mut byte).unwrap();

        freeze(cat.id());
        let state = std::fs::read_to_string(format!("/proc/{}/stat", cat.id())).unwrap();
        assert!(state.contains("(cat) T "), "{state}");
        to.write_all(b"2").unwrap();
        thaw(cat.id());
        from.read_exact(&mut byte).unwrap();
        assert_eq!(byte, *b"2");

        freeze(cat.id());
        kill(cat.id());
        assert_eq!(cat.wait().unwrap().signal(), Some(9), "also when it is frozen");
    }
}
