//! The author and committer of a commit: as `git` would record them, with abbado where none is set.
//!
//! For the author, `git` takes `GIT_AUTHOR_NAME`, `author.name` or `user.name`, in this order, and
//! would then make a name up from those of the machine; the committer and the addresses are alike.

use super::{
    Context, GitError,
    command::{Command, inherits},
    place::Place,
};
use git2::Signature;

/// Author and committer where nobody is configured.
pub(super) const NOBODY: (&str, &str) = ("abbado", "abbado@localhost");

/// Whose part in a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Author,
    Committer,
}

impl Role {
    const BOTH: [Self; 2] = [Self::Author, Self::Committer];

    /// The section of the configuration that is only for it.
    const fn section(self) -> &'static str {
        match self {
            Self::Author => "author",
            Self::Committer => "committer",
        }
    }

    fn variable(self, field: &str) -> String {
        format!("GIT_{}_{field}", self.section()).to_ascii_uppercase()
    }
}

/// Sets what is not configured for a `git commit` of a place.
pub(super) fn completed<'a>(place: &Place, program: Command<'a>) -> Command<'a> {
    missing(inherits, |key| place.is_configured(key))
        .into_iter()
        .fold(program, |program, (name, value)| program.env(name, value))
}

/// Variables that are needed for a whole identity, with their values.
fn missing(
    is_inherited: impl Fn(&str) -> bool,
    is_configured: impl Fn(&str) -> bool,
) -> Vec<(String, &'static str)> {
    let mut missing = Vec::new();
    for role in Role::BOTH {
        for (field, key, ours) in [("NAME", "name", NOBODY.0), ("EMAIL", "email", NOBODY.1)] {
            let variable = role.variable(field);
            let known = is_inherited(&variable)
                || field == "EMAIL" && is_inherited("EMAIL")
                || [role.section(), "user"]
                    .iter()
                    .any(|section| is_configured(&format!("{section}.{key}")));
            if !known {
                missing.push((variable, ours));
            }
        }
    }
    missing
}

/// One side of a commit that we make ourselves.
///
/// # Errors
/// When libgit2 refuses the name.
pub(super) fn signature(place: &Place, role: Role) -> Result<Signature<'static>, GitError> {
    let git = place.git("var").arg(role.variable("IDENT"));
    let said = completed(place, git).run_line().unwrap_or_default();
    // "Name <email> 1700000000 +0100"
    let named = said
        .rsplit_once("> ")
        .and_then(|(user, _)| user.split_once(" <"))
        .filter(|(name, _)| !name.is_empty())
        .unwrap_or(NOBODY);
    Signature::now(named.0, named.1).context("reading the user's name")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_configured_is_ours_and_nothing_else() {
        let all = [
            ("GIT_AUTHOR_NAME", "abbado"),
            ("GIT_AUTHOR_EMAIL", "abbado@localhost"),
            ("GIT_COMMITTER_NAME", "abbado"),
            ("GIT_COMMITTER_EMAIL", "abbado@localhost"),
        ];
        for (variables, keys, ours) in [
            (&[][..], &[][..], &[0, 1, 2, 3][..]),
            (&[], &["user.name"], &[1, 3]),
            (&[], &["user.name", "user.email"], &[]),
            (&[], &["author.name", "author.email"], &[2, 3]),
            (&[], &["committer.name", "user.email"], &[0]),
            (&["GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL"], &[], &[2, 3]),
            (&["GIT_COMMITTER_EMAIL"], &["user.name"], &[1]),
            (&["EMAIL"], &[], &[0, 2]),
        ] {
            let found = missing(|name| variables.contains(&name), |key| keys.contains(&key));
            let wanted: Vec<_> = ours.iter().map(|at| all[*at]).collect();
            let found: Vec<_> = found
                .iter()
                .map(|(name, value)| (name.as_str(), *value))
                .collect();
            assert_eq!(found, wanted, "{variables:?} {keys:?}");
        }
    }
}
