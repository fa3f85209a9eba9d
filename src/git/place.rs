//! A git folder together with settings that disarm its configuration.
//!
//! A repository's own configuration may name programs: filter, diff and merge drivers, ssh commands,
//! credential helpers. A [`Place`] reads it first, as `git` itself would (includes and conditions too),
//! and overrides each such key by the value in the user's own configuration, or by one that does
//! nothing. Invariant: there is no other way to start `git`.
//!
//! The overrides are passed as `GIT_CONFIG_KEY_n`, which takes any name; `-c` would split a driver
//! called `a=b` in the wrong place. Conditions (`includeIf "onbranch:…"`) depend on the worktree, so a
//! place is made for one folder right before a program runs in it, and never stored. Without any
//! condition, a new worktree can use what was read for its repository ([`Place::of_worktree`]).
//!
//! Not handled: a configuration that changes after we read it and before the program does. Who can
//! write there already runs as the same user.

use super::{
    GitError,
    command::{Command, inherits},
    configuration::Configuration,
    text::os_string,
    trusted,
};
use git2::Repository;
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    path::{Path, PathBuf},
};

/// Beginnings of keys without which a remote may not be reached.
pub(super) const CONNECTION: &[&str] = &[
    "core.askpass",
    "core.gitproxy",
    "core.sshcommand",
    "credential.",
];

/// A git folder and its working tree, ready for `git` to run in.
#[derive(Debug)]
pub(super) struct Place {
    git_dir: PathBuf,
    work_tree: PathBuf,
    overrides: Vec<(OsString, OsString)>,
    /// The remote of a partial clone that has what is not here.
    promisor: Option<String>,
    configuration: Configuration,
}

impl Place {
    /// Reads the configuration that `git` would see in `git_dir`, and prepares the overrides.
    ///
    /// # Errors
    /// When `git` cannot read it.
    pub(super) fn open(git_dir: &Path, work_tree: &Path) -> Result<Self, GitError> {
        let listed = Command::new("config", git_dir)
            .env("GIT_WORK_TREE", work_tree)
            .in_folder(git_dir)
            .args(["--list", "-z", "--show-scope", "--includes"])
            .run()?;
        let configuration = Configuration::new(listed);
        let allowed = trusted::settings(git_dir, &configuration);
        let mut overrides = overrides(&configuration);
        overrides.retain(|(key, _)| allowed.iter().all(|(other, _)| other != key));
        overrides.extend(allowed);
        Ok(Self {
            git_dir: git_dir.to_owned(),
            work_tree: work_tree.to_owned(),
            overrides,
            promisor: configuration.promisor(),
            configuration,
        })
    }

    /// The place of a repository's own checkout, which was opened by its path.
    ///
    /// # Errors
    /// As [`Place::open`].
    pub(super) fn of_repository(
        repository: &Repository,
        repo_path: &Path,
    ) -> Result<Self, GitError> {
        Self::open(repository.path(), repository.workdir().unwrap_or(repo_path))
    }

    /// The value of a key for the programs started here: what disarms counts.
    fn effective(&self, key: &str) -> Option<&[u8]> {
        let mut overrides = self.overrides.iter().rev();
        let instead = overrides.find(|(known, _)| known == key);
        let instead = instead.map(|(_, value)| value.as_encoded_bytes());
        instead.or_else(|| self.value(key.as_bytes()))
    }

    /// Whether a key has a value, and not an empty one, for the programs started here.
    pub(super) fn is_set(&self, key: &str) -> bool {
        self.effective(key).is_some_and(|value| !value.is_empty())
    }

    /// The place of a worktree of this repository that was just made. What was read here counts
    /// there too, unless the configuration has parts of one folder or branch only.
    ///
    /// # Errors
    /// As [`Place::open`].
    pub(super) fn of_worktree(&self, admin: &Path, worktree: &Path) -> Result<Self, GitError> {
        if self.configuration.depends_on_place() {
            return Self::open(admin, worktree);
        }
        Ok(Self {
            git_dir: admin.to_owned(),
            work_tree: worktree.to_owned(),
            overrides: self.overrides.clone(),
            promisor: self.promisor.clone(),
            configuration: self.configuration.clone(),
        })
    }

    /// The working tree.
    pub(super) fn work_tree(&self) -> &Path {
        &self.work_tree
    }

    /// The git folder; of a worktree, its record in the repository.
    pub(super) fn git_dir(&self) -> &Path {
        &self.git_dir
    }

    /// The remote from which `git` fetches what a partial clone lacks.
    pub(super) fn promisor(&self) -> Option<&str> {
        self.promisor.as_deref()
    }

    /// Has a program that may connect to a remote never ask anybody for a password.
    pub(super) fn connecting<'a>(&self, program: Command<'a>) -> Command<'a> {
        let by_user = ["GIT_SSH_COMMAND", "GIT_SSH"].into_iter().any(inherits);
        if by_user || self.is_configured("core.sshCommand") {
            return program;
        }
        // An ssh that is older than SSH_ASKPASS_REQUIRE would open a window.
        program.env("GIT_SSH_COMMAND", "ssh -oBatchMode=yes")
    }

    /// Prepares a start of `git` here.
    pub(super) fn git<'a>(&self, name: &'static str) -> Command<'a> {
        self.disarmed(Command::new(name, &self.git_dir), &[])
    }

    /// Prepares a start of `git` here that runs no filter, for commands that only edit an index.
    ///
    /// Whenever git writes an index, it compares files that are as young as the index with their
    /// blobs, and dies if a required filter fails meanwhile.
    pub(super) fn git_without_filters<'a>(&self, name: &'static str) -> Command<'a> {
        let off = no_filters(&self.configuration);
        self.disarmed(Command::new(name, &self.git_dir), &off)
    }

    /// The same with the hooks of the repository: for a commit or push that a person requested.
    pub(super) fn git_with_hooks<'a>(&self, name: &'static str) -> Command<'a> {
        let program = self.disarmed(Command::with_hooks(name, &self.git_dir), &[]);
        // A worktree is found by its folder. Hooks that work in other repositories would be led astray
        // by the variable, which a git of the user's does not set.
        let folder = self.git_dir.parent();
        match folder.is_some_and(|it| it.ends_with("worktrees")) {
            true => program.without("GIT_WORK_TREE"),
            false => program,
        }
    }

    /// The configuration that git sees here.
    pub(super) const fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// The last value of a key, whose section and name are in lower case; an empty one for a key
    /// without a value, which means "true".
    pub(super) fn value(&self, key: &[u8]) -> Option<&[u8]> {
        self.configuration.value(key, |_| true)
    }

    /// The last value of a key in a file: what our own command lines say aside.
    pub(super) fn file_value(&self, key: &[u8]) -> Option<&[u8]> {
        self.configuration.value(key, |it| it.scope != b"command")
    }

    /// The last value of a key that the system's or the user's own configuration gives it.
    pub(super) fn trusted_value(&self, key: &[u8]) -> Option<&[u8]> {
        self.configuration.value(key, |it| it.is_trusted())
    }

    /// Names the keys with these prefixes that the repository's own configuration has, and explains
    /// that they are ignored: for the message when something fails without them.
    pub(super) fn note_on(&self, beginnings: &[&str]) -> Option<String> {
        let keys = self.overrides.iter().map(|(key, _)| key.to_string_lossy());
        let mut keys: Vec<_> = keys
            .filter(|key| beginnings.iter().any(|begin| key.starts_with(begin)))
            .collect();
        keys.dedup();
        let (keys, last) = (keys.join(", "), keys.last()?);
        Some(format!(
            "note: {keys} of the repository's own configuration is ignored; to use it, set it in yours with `git config --global {last} VALUE`"
        ))
    }

    /// Whether a key has a value other than white space for the programs started here.
    pub(super) fn is_configured(&self, key: &str) -> bool {
        // As git lists them. No key that is asked for has upper case in its middle.
        let value = self.effective(&key.to_ascii_lowercase());
        value.is_some_and(|value| value.iter().any(|byte| !byte.is_ascii_whitespace()))
    }

    fn disarmed<'a>(&self, program: Command<'a>, more: &[(OsString, OsString)]) -> Command<'a> {
        let mut program = match self.promisor() {
            // It fetches what it reads and is not here.
            Some(remote) => self
                .connecting(program)
                .promisor(remote, self.note_on(CONNECTION)),
            None => program,
        };
        let count = self.overrides.len() + more.len();
        program = program
            .env("GIT_WORK_TREE", &self.work_tree)
            .env("GIT_CONFIG_COUNT", count.to_string())
            .in_folder(&self.work_tree);
        for (number, (key, value)) in self.overrides.iter().chain(more).enumerate() {
            program = program
                .env(format!("GIT_CONFIG_KEY_{number}"), key)
                .env(format!("GIT_CONFIG_VALUE_{number}"), value);
        }
        program
    }
}

/// Settings that turn off every filter of a configuration.
fn no_filters(configuration: &Configuration) -> Vec<(OsString, OsString)> {
    let keys = configuration.settings().map(|setting| setting.key);
    let keys: BTreeSet<&[u8]> = keys.filter(|key| key.starts_with(b"filter.")).collect();
    let off = keys.into_iter().filter_map(|key| {
        let harmless = harmless_value(key)?;
        Some((os_string(key), harmless.into()))
    });
    off.collect()
}

/// The values of one key that names a program.
#[derive(Default)]
struct Said {
    /// What to put in the place of the repository's own value.
    harmless: &'static str,
    /// The repository's own files set it.
    by_repository: bool,
    /// Values of the system's and the user's files, in order.
    trusted: Vec<OsString>,
}

/// Chooses the overrides for a configuration.
fn overrides(configuration: &Configuration) -> Vec<(OsString, OsString)> {
    let mut keys: BTreeMap<&[u8], Said> = BTreeMap::new();
    for setting in configuration.settings() {
        let Some(harmless) = harmless_value(setting.key) else {
            continue;
        };
        let said = keys.entry(setting.key).or_default();
        said.harmless = harmless;
        if setting.is_trusted() {
            // A key without a value means "true".
            said.trusted
                .push(os_string(setting.value.unwrap_or(b"true")));
        } else {
            said.by_repository = true;
        }
    }
    let mut chosen = Vec::new();
    for (key, said) in keys.into_iter().filter(|(_, said)| said.by_repository) {
        let key = os_string(key);
        if said.trusted.is_empty() || is_list(&key) {
            chosen.push((key.clone(), said.harmless.into()));
        }
        chosen.extend(said.trusted.into_iter().map(|value| (key.clone(), value)));
    }
    chosen
}

/// Whether all values of a key count, and an empty one forgets those before it.
fn is_list(key: &OsString) -> bool {
    key.to_string_lossy().starts_with("credential.")
}

/// What to put in the place of a repository's own value, for keys that name a program (or make
/// one needed). A driver that has to answer something fails rather than answer wrongly: a merge
/// driver that does nothing would silently drop one side.
fn harmless_value(key: &[u8]) -> Option<&'static str> {
    let first = key.iter().position(|byte| *byte == b'.')?;
    let last = key.iter().rposition(|byte| *byte == b'.')?;
    let section = key.get(..first)?;
    let variable = key.get(last + 1..)?;
    let value = match (section, variable) {
        (b"filter", b"clean" | b"smudge" | b"process") => "",
        (b"filter", b"required") => "false",
        (b"diff", b"textconv") => "cat",
        (b"diff", b"command" | b"external") => "",
        (b"merge", b"driver") => "false",
        (b"core", b"sshcommand") => "ssh",
        (b"core", b"gitproxy") => "none",
        (b"core", b"askpass") => "",
        (b"core", b"pager") => "cat",
        (b"core", b"editor") | (b"sequence", b"editor") => ":",
        (b"core", b"alternaterefscommand") => "true",
        (b"credential", b"helper") => "",
        (b"gpg", b"program" | b"defaultkeycommand") => "false",
        (b"hook", b"command") => "true",
        (b"interactive", b"difffilter") => "cat",
        (b"lfs", b"path" | b"standalonetransferagent") => "",
        (b"lfs", b"clean" | b"smudge") => "false",
        (b"pager", _) => "false",
        (b"remote", b"uploadpack") => "git-upload-pack",
        (b"remote", b"receivepack") => "git-receive-pack",
        (b"submodule", b"update") => "none",
        (b"trailer", b"command" | b"cmd") => "false",
        _ => return None,
    };
    Some(value)
}

#[cfg(test)]
mod unit {
    use super::*;

    fn chosen(listed: &str) -> Vec<(String, String)> {
        let text = |value: OsString| value.into_string().unwrap();
        overrides(&Configuration::new(listed.replace('|', "\0").into_bytes()))
            .into_iter()
            .map(|(key, value)| (text(key), text(value)))
            .collect()
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn every_filter_can_be_turned_off() {
        let listed =
            "global|filter.a=b.required\ntrue|local|filter.a=b.clean\nx|local|user.name\ny|";
        let off = no_filters(&Configuration::new(listed.replace('|', "\0").into_bytes()));
        let expected = [("filter.a=b.clean", ""), ("filter.a=b.required", "false")];
        assert_eq!(off, expected.map(|(key, value)| (key.into(), value.into())));
    }

    #[test]
    fn the_users_own_drivers_stay() {
        assert_eq!(
            chosen("global|filter.lfs.smudge\ngit-lfs|system|filter.x.clean\ny|"),
            []
        );
    }

    #[test]
    fn a_repositorys_driver_gives_way_to_the_users() {
        let listed = "global|filter.lfs.clean\ngood|local|filter.lfs.clean\nevil|\
                      worktree|filter.a=b.c.process\nevil|local|filter.z.required|";
        let expected = [
            ("filter.a=b.c.process", ""),
            ("filter.lfs.clean", "good"),
            ("filter.z.required", "false"),
        ];
        assert_eq!(chosen(listed), pairs(&expected));
    }

    #[test]
    fn credential_helpers_are_a_list() {
        let listed = "global|credential.helper\na|global|credential.helper\nb|\
                      local|credential.helper\n!evil|";
        let expected = [
            ("credential.helper", ""),
            ("credential.helper", "a"),
            ("credential.helper", "b"),
        ];
        assert_eq!(chosen(listed), pairs(&expected));
    }

    #[test]
    fn plain_settings_are_left_alone() {
        assert_eq!(
            chosen("local|core.autocrlf\ntrue|local|user.name\nA|local|odd|"),
            []
        );
    }
}
