//! The branch that a pull request is made from, in the repository itself or in a fork of it.

use super::remote::Remote;

/// A branch, and the repository that has it.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    /// Its name.
    pub branch: &'a str,
    /// Its repository; the one that the pull request is opened at when there is none.
    pub at: Option<&'a Remote>,
}

impl<'a> From<&'a str> for Head<'a> {
    fn from(branch: &'a str) -> Self {
        Self { branch, at: None }
    }
}

impl<'a> Head<'a> {
    /// The repository that has the branch, if it is another one than `base`. Forges ignore
    /// case in names.
    pub(super) fn fork(&self, base: &Remote) -> Option<&'a Remote> {
        let same = |at: &Remote| at.full_name().eq_ignore_ascii_case(&base.full_name());
        self.at.filter(|at| !same(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fork_is_another_repository() {
        let remote = |name: &str| Remote::parse(&format!("git@github.com:{name}")).unwrap();
        let base = remote("acme/app");
        for (at, fork) in [
            ("acme/app", false),
            ("Acme/App.git", false),
            ("me/app", true),
        ] {
            let at = remote(at);
            let head = Head {
                branch: "b",
                at: Some(&at),
            };
            assert_eq!(head.fork(&base).is_some(), fork, "{at:?}");
        }
        assert!(Head::from("b").fork(&base).is_none());
    }
}
