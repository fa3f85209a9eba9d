//! Resolves aliases of `~/.ssh/config` to hosts, by asking `ssh`.
//!
//! People with several accounts at one forge give each an alias, so the host of a remote may be a
//! name that only their `ssh` knows.

use super::{command, remote::host_name};
use std::{path::Path, time::Duration};

/// Most bytes of what `ssh -G` prints: a line for each of its options.
const BYTES_MAX: u64 = 64 * 1024;

/// The host behind a name, if it is another one. `command` is the user's own for git, such as
/// `ssh -F other`; it is theirs, not the repository's.
pub(super) async fn real_host(
    alias: &str,
    command: Option<&str>,
    environment: &[(String, String)],
    limit: Duration,
) -> Option<String> {
    let ask = async |argv: &[&str]| {
        let said = command::output_of(argv, environment, limit, BYTES_MAX).await;
        host_in(&String::from_utf8_lossy(&said.ok()?)).filter(|host| host != alias)
    };
    if let Some(command) = command {
        let script = format!("exec {command} -G \"$0\"");
        return ask(&["sh", "-c", &script, alias]).await;
    }
    if let Some(host) = ask(&["ssh", "-G", alias]).await {
        return Some(host);
    }
    // ssh looks in the account's home, wherever HOME is; git's own configuration is in HOME.
    let home = command::variable(environment, "HOME")?;
    let config = Path::new(home).join(".ssh/config");
    let config = config.to_str().filter(|_| config.is_file())?;
    ask(&["ssh", "-F", config, "-G", alias]).await
}

/// The `hostname` line of `ssh -G`.
fn host_in(said: &str) -> Option<String> {
    let mut lines = said.lines();
    let host = lines.find_map(|line| line.strip_prefix("hostname "))?;
    host_name(host.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_read_from_what_ssh_prints() {
        let said = "host work\nuser git\nhostname SSH.GitHub.com\nport 443\n";
        assert_eq!(host_in(said).as_deref(), Some("github.com"));
        assert_eq!(host_in("user git\n"), None);
        assert_eq!(host_in("hostname -oProxyCommand=x\n"), None);
    }

    #[actix_web::test]
    async fn an_alias_of_the_users_own_configuration_is_found() {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(".ssh")).unwrap();
        let config = home.path().join(".ssh/config");
        std::fs::write(&config, "Host work-*\n HostName github.com\n").unwrap();
        let path = std::env::var_os("PATH").unwrap().into_string().unwrap();
        let environment = [
            ("PATH".to_owned(), path),
            ("HOME".to_owned(), home.path().to_str().unwrap().to_owned()),
        ];
        let limit = Duration::from_secs(20);
        let real = async |alias, command| real_host(alias, command, &environment, limit).await;
        assert_eq!(real("work-me", None).await.as_deref(), Some("github.com"));
        assert_eq!(real("code.test", None).await, None);
        let command = format!("ssh -F '{}'", config.display());
        let found = real("work-me", Some(&command)).await;
        assert_eq!(found.as_deref(), Some("github.com"));
        assert_eq!(real("work-me", Some("false")).await, None);
    }
}
