//! Names of branches that people give.

use abbado::git;

/// A name is taken exactly when the rules of git-check-ref-format(1) allow it as a branch.
pub fn ref_names(data: &[u8]) {
    let Ok(name) = str::from_utf8(data) else {
        return;
    };
    let taken = git::check_branch_name(name).is_ok();
    let allowed = is_ref(name) && !is_taken_otherwise(name);
    assert_eq!(taken, allowed, "{name:?}");
}

/// The rules for a ref below `refs/heads/`, as git's manual numbers them.
fn is_ref(name: &str) -> bool {
    let part_is_fine =
        |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
    let forbidden = |letter: char| {
        letter < ' '
            || matches!(
                letter,
                '\u{7f}' | ' ' | '~' | '^' | ':' | '?' | '*' | '[' | '\\'
            )
    };
    name.split('/').all(part_is_fine) // 1, 6
        && !name.contains("..") // 3
        && !name.contains(forbidden) // 4, 5, 10
        && !name.ends_with('.') // 7
        && !name.contains("@{") // 8
}

/// What git reads as something else than a branch of this name, and what is a whole ref already.
fn is_taken_otherwise(name: &str) -> bool {
    name == "@" || name == "HEAD" || name.starts_with('-') || name.starts_with("refs/")
}
