//! What a short program prints, within a time limit.

use std::{
    io::Read,
    process::{Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

/// Runs a program without input, and answers its status and standard output; nothing when it
/// cannot be started or has not closed its output in time, upon which it is killed.
pub(crate) fn output_within(
    command: &mut Command,
    limit: Duration,
) -> Option<(ExitStatus, Vec<u8>)> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut stdout = child.stdout.take()?;
    let (sender, said) = mpsc::sync_channel(1);
    let read = move || {
        let mut all = Vec::new();
        if stdout.read_to_end(&mut all).is_ok() {
            // Nobody may wait any more.
            drop(sender.send(all));
        }
    };
    let reader = thread::Builder::new().name("output".into()).spawn(read);
    let said = reader.ok().and_then(|_| said.recv_timeout(limit).ok());
    if said.is_none() {
        child.kill().ok();
    }
    let status = child.wait().ok()?;
    Some((status, said?))
}
