//! The `PATH` of the user's login shell, for a server that no shell has started.

use crate::output::output_within;
use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStringExt,
    process::Command,
    time::Duration,
};

/// A service manager sets one of these for what it starts.
const OF_SERVICES: [&str; 2] = ["INVOCATION_ID", "XPC_SERVICE_NAME"];
/// How long the shell may take: it runs the user's start-up files.
const WAIT: Duration = Duration::from_secs(5);
/// Stands before the answer: start-up files may print something of their own.
const MARK: &str = "ABBADO_PATH=";

/// Puts the folders of the login shell's `PATH` behind those of a server that runs as a service,
/// which knows none of the user's own.
pub(super) fn complete_path(vars: &mut [(OsString, OsString)], is_set: impl Fn(&str) -> bool) {
    if !OF_SERVICES.into_iter().any(is_set) {
        return;
    }
    let shell = vars.iter().find(|(name, _)| name == "SHELL");
    let shell = shell.map_or("/bin/sh".into(), |(_, shell)| shell.clone());
    let Some(login) = asked(&shell, vars, WAIT) else {
        return;
    };
    if let Some((_, path)) = vars.iter_mut().find(|(name, _)| name == "PATH") {
        *path = joined(path, &login);
    }
}

fn joined(path: &OsStr, login: &OsStr) -> OsString {
    let mut folders: Vec<_> = std::env::split_paths(path).collect();
    for folder in std::env::split_paths(login) {
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    std::env::join_paths(folders).unwrap_or_else(|_| path.to_owned())
}

/// What a login shell says of its `PATH`; nothing when it takes too long.
fn asked(shell: &OsStr, vars: &[(OsString, OsString)], wait: Duration) -> Option<OsString> {
    let mut command = Command::new(shell);
    command
        .args(["-l", "-c", &format!("echo; echo \"{MARK}$PATH\"")])
        .env_clear()
        .envs(vars.iter().map(|(name, value)| (name, value)));
    let (_, said) = output_within(&mut command, wait)?;
    let mut lines = said.split(|byte| *byte == b'\n').rev();
    let path = lines.find_map(|line| line.strip_prefix(MARK.as_bytes()))?;
    (!path.is_empty()).then(|| OsString::from_vec(path.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn path_of(profile: &str, is_service: bool) -> String {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join(".profile"), profile).unwrap();
        let mut vars: Vec<(OsString, OsString)> = vec![
            ("HOME".into(), home.path().into()),
            ("SHELL".into(), "/bin/sh".into()),
            ("PATH".into(), "/usr/bin:/bin".into()),
        ];
        complete_path(&mut vars, |name| is_service && name == "INVOCATION_ID");
        vars[2].1.to_str().unwrap().to_owned()
    }

    #[test]
    fn a_service_gets_the_folders_of_the_login_shell_behind_its_own() {
        let profile = "echo Welcome; PATH=/opt/mine/bin:/bin:/usr/bin";
        assert_eq!(path_of(profile, true), "/usr/bin:/bin:/opt/mine/bin");
        assert_eq!(path_of(profile, false), "/usr/bin:/bin");
        assert_eq!(path_of("exit 1", true), "/usr/bin:/bin");
    }

    #[test]
    fn a_shell_that_does_not_end_is_not_waited_for() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join(".profile"), "exec sleep 3600").unwrap();
        let vars = [
            ("HOME".into(), home.path().into()),
            ("PATH".into(), "/usr/bin:/bin".into()),
        ];
        let said = asked(OsStr::new("/bin/sh"), &vars, Duration::from_millis(300));
        assert_eq!(said, None);
    }
}
