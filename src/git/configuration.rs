//! The configuration that `git` sees in a folder, as it lists it.

/// What `git config --list -z --show-scope` prints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Configuration(Vec<u8>);

/// One value of a key.
pub(super) struct Setting<'a> {
    /// Whose file it stands in; `command` for our own command lines.
    pub scope: &'a [u8],
    /// Section and name are in lower case.
    pub key: &'a [u8],
    /// None for a key without a value, which means "true".
    pub value: Option<&'a [u8]>,
}

impl Setting<'_> {
    /// Whether the system's or the user's own configuration has it.
    pub(super) fn is_trusted(&self) -> bool {
        matches!(self.scope, b"system" | b"global")
    }
}

impl Configuration {
    /// Takes what was printed.
    pub(super) const fn new(listed: Vec<u8>) -> Self {
        Self(listed)
    }

    /// All values of all keys, in order.
    pub(super) fn settings(&self) -> impl Iterator<Item = Setting<'_>> {
        let mut fields = self.0.split(|byte| *byte == 0);
        std::iter::from_fn(move || {
            let (scope, entry) = (fields.next()?, fields.next()?);
            let mut halves = entry.splitn(2, |byte| *byte == b'\n');
            Some(Setting {
                scope,
                key: halves.next().unwrap_or_default(),
                value: halves.next(),
            })
        })
    }

    /// The last value of a key that counts; an empty one for a key without a value.
    pub(super) fn value(&self, key: &[u8], counts: impl Fn(&Setting<'_>) -> bool) -> Option<&[u8]> {
        let fitting = self.settings().filter(|it| it.key == key && counts(it));
        fitting.last().map(|it| it.value.unwrap_or_default())
    }

    /// The remote that a partial clone was made from.
    pub(super) fn promisor(&self) -> Option<String> {
        self.settings().find_map(|setting| {
            let key = String::from_utf8_lossy(setting.key);
            let value = String::from_utf8_lossy(setting.value.unwrap_or(b"true"));
            if key == "extensions.partialclone" {
                return Some(value.into_owned());
            }
            let remote = key.strip_prefix("remote.")?.strip_suffix(".promisor")?;
            matches!(value.as_ref(), "true" | "yes" | "on" | "1").then(|| remote.to_owned())
        })
    }

    /// Whether it may be another one in another worktree: by a condition (`includeIf`), or since
    /// each has a file of its own.
    pub(super) fn depends_on_place(&self) -> bool {
        self.settings().any(|setting| {
            setting.key.starts_with(b"includeif.")
                || setting.key.starts_with(b"extensions.worktreeconfig")
        })
    }
}

#[cfg(test)]
mod unit {
    use super::Configuration;

    fn configuration(listed: &str) -> Configuration {
        Configuration::new(listed.replace('|', "\0").into_bytes())
    }

    #[test]
    fn a_condition_or_a_file_of_its_own_makes_worktrees_differ() {
        let depends = |listed: &str| configuration(listed).depends_on_place();
        assert!(!depends("local|core.bare\nfalse|global|include.path\nx|"));
        assert!(depends(
            "global|includeif.gitdir:~/a/.path\nx|local|a.b\nc|"
        ));
        assert!(depends("local|includeif.onbranch:abbado/**.path\nx|"));
        assert!(depends("local|extensions.worktreeconfig\ntrue|"));
    }

    #[test]
    fn the_remote_of_a_partial_clone_is_known() {
        let found = |listed: &str| configuration(listed).promisor();
        assert_eq!(found("local|remote.a.url\nb|"), None);
        assert_eq!(found("local|remote.a.promisor\nfalse|"), None);
        let both = "local|remote.a.promisor\nfalse|local|remote.b.c.promisor\ntrue|";
        assert_eq!(found(both).as_deref(), Some("b.c"));
        assert_eq!(found("local|remote.a.promisor|").as_deref(), Some("a"));
        let old = "local|extensions.partialclone\norigin|";
        assert_eq!(found(old).as_deref(), Some("origin"));
    }
}
