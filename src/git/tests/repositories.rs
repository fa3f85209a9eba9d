use super::support::{World, commit_all, git};
use crate::git::{
    ChangesOf, GitError, add_all, changes, check_branch_free, diff_stats, inspect,
    repository::open_safe, resolve_commit, source_of,
};
use std::{fs, os::unix::fs::symlink, path::Path};

#[test]
fn a_checkout_and_a_link_to_it_are_one_repository() {
    let world = World::new();
    let repo = world.repo("api");
    symlink(&repo, world.path("link")).unwrap();
    let direct = inspect(&repo).unwrap();
    assert_eq!(direct, inspect(&world.path("link")).unwrap());
    assert_eq!(direct.workdir, repo);
    assert_eq!(direct.git_dir, repo.join(".git"));
    git(&repo, &["worktree", "add", "-q", "../other"]);
    let other = inspect(&world.path("repos/other")).unwrap();
    assert_eq!(other.git_dir, direct.git_dir);
}

#[test]
fn what_is_no_usable_repository_is_refused_with_a_reason() {
    let world = World::new();
    let repo = world.repo("api");
    fs::create_dir(world.path("plain")).unwrap();
    git(&world.path("repos"), &["init", "-q", "--bare", "bare"]);
    git(&world.path("repos"), &["init", "-q", "astray"]);
    git(
        &world.path("repos/astray"),
        &["config", "core.worktree", "/"],
    );
    fs::create_dir_all(world.path("broken/.git")).unwrap();
    let refused = |path: &Path, reason: &str| match inspect(path) {
        Err(error @ GitError::NotARepository { .. }) => {
            assert!(error.to_string().contains(reason), "{error}");
        }
        other => panic!("{path:?}: {other:?}"),
    };
    refused(Path::new("repos/api"), "not absolute");
    refused(&world.path("nowhere"), "the folder does not exist");
    refused(&world.path("plain"), "no .git");
    refused(&repo.join("dir"), "no .git");
    refused(&world.path("repos/bare"), "no .git");
    refused(&world.path("repos/astray"), "points elsewhere");
    refused(&world.path("broken"), "");
    let made = |option: &str, name: &str| {
        git(&world.path("repos"), &["init", "-q", option, name]);
        world.path("repos").join(name)
    };
    let sha256 = made("--object-format=sha256", "sha256");
    refused(&sha256, "its object format is SHA-256");
    refused(&sha256, "--object-format=sha1");
    // Git writes this since 2.45; an older one that runs the tests need not know it.
    let other = world.repo("other");
    git(&other, &["config", "core.repositoryFormatVersion", "1"]);
    git(&other, &["config", "extensions.refStorage", "files"]);
    refused(&other, "git refs migrate --ref-format=files");
    git(
        &other,
        &[
            "config",
            "--file",
            ".git/config",
            "--unset",
            "extensions.refStorage",
        ],
    );
    git(&other, &["config", "extensions.news", "true"]);
    refused(&other, "the extension 'news'");
}

#[test]
fn a_path_may_have_line_breaks_quotes_and_backslashes() {
    let world = World::new();
    let repo = world.repo("a\n\"b\"\n\\c");
    let at = add_all(&[world.spec(&repo)], &|| false).unwrap().remove(0);
    fs::write(at.worktree.join("a.txt"), "changed\n").unwrap();
    let of = ChangesOf {
        at: &at,
        repo_path: &repo,
        base_commit: &world.spec(&repo).base_commit,
        checkpoint: None,
    };
    let mut seen = Vec::new();
    let all = changes(of, &mut |file| {
        seen.push((file.old_content, file.new_content));
        Ok(())
    });
    assert_eq!(all.unwrap().total, diff_stats(of).unwrap());
    assert_eq!(
        seen,
        [(Some(b"one\n".to_vec()), Some(b"changed\n".to_vec()))]
    );
}

#[test]
fn a_source_resolves_to_a_commit() {
    let world = World::new();
    let repo = world.repo("api");
    let first = git(&repo, &["rev-parse", "HEAD"]).trim().to_owned();
    git(&repo, &["branch", "both"]);
    git(&repo, &["tag", "-a", "v1", "-m", "v1"]);
    fs::write(repo.join("a.txt"), "2").unwrap();
    let second = commit_all(&repo, "second");
    git(&repo, &["tag", "both"]);
    let resolved = |source: &str| resolve_commit(&repo, source).unwrap();
    assert_eq!(resolved("HEAD"), second);
    assert_eq!(resolved("main"), second);
    assert_eq!(resolved("v1"), first);
    assert_eq!(resolved(&first), first);
    assert_eq!(resolved(&first[..9]), first);
    assert_eq!(resolved("both"), first, "the branch comes before the tag");
}

#[test]
fn a_source_that_names_no_commit_is_refused() {
    let world = World::new();
    let repo = world.repo("api");
    let none = "0".repeat(40);
    for unknown in [
        "nowhere",
        "HEAD^{tree}",
        "refs/heads/nowhere",
        "HEAD~9",
        none.as_str(),
    ] {
        let outcome = resolve_commit(&repo, unknown);
        assert!(
            matches!(outcome, Err(GitError::UnknownRevision { .. })),
            "{unknown}: {outcome:?}"
        );
    }
    for refused in [
        "",
        "-x",
        "--help",
        ":/first",
        "HEAD:a.txt",
        "a b",
        "a\0b",
        "a\nb",
    ] {
        let outcome = resolve_commit(&repo, refused);
        assert!(
            matches!(outcome, Err(GitError::InvalidName { .. })),
            "{refused}: {outcome:?}"
        );
    }
}

#[test]
fn a_repository_without_a_commit_says_so() {
    let world = World::new();
    git(&world.path("repos"), &["init", "-q", "empty"]);
    let error = resolve_commit(&world.path("repos/empty"), "HEAD").unwrap_err();
    assert!(error.to_string().contains("no commit yet"), "{error}");
}

#[test]
fn a_branch_is_free_taken_blocked_or_invalid() {
    let world = World::new();
    let repo = world.repo("api");
    check_branch_free(&repo, "abbado/run-1").unwrap();
    git(&repo, &["branch", "abbado/run-1"]);
    let taken = check_branch_free(&repo, "abbado/run-1");
    assert!(
        matches!(taken, Err(GitError::BranchTaken { .. })),
        "{taken:?}"
    );
    let above = check_branch_free(&repo, "abbado/run-1/x/y");
    assert!(
        matches!(&above, Err(GitError::BranchInTheWay { branch, .. }) if branch == "abbado/run-1"),
        "{above:?}"
    );
    let below = check_branch_free(&repo, "abbado");
    assert!(
        matches!(&below, Err(GitError::BranchInTheWay { branch, .. }) if branch == "abbado/run-1"),
        "{below:?}"
    );
    for invalid in [
        "",
        "-x",
        "a..b",
        "a b",
        "HEAD",
        "@",
        "refs/heads/x",
        "a.lock",
        "x/",
        "a\0b",
    ] {
        let outcome = check_branch_free(&repo, invalid);
        assert!(
            matches!(outcome, Err(GitError::InvalidName { .. })),
            "{invalid}: {outcome:?}"
        );
    }
}

#[test]
fn a_repository_of_another_owner_opens_when_the_users_git_takes_it_for_safe() {
    let world = World::new();
    let repo = world.repo("api");
    let another = ("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1");
    let refused = open_safe(&repo, &[another]).err().unwrap();
    assert!(refused.contains("safe.directory"), "{refused}");
    let config = world.path("home/.gitconfig");
    let all = format!(
        "[safe]\n\tdirectory = {}/*\n",
        world.path("repos").display()
    );
    fs::write(&config, &all).unwrap();
    let opened = open_safe(&repo, &[another]).unwrap();
    assert!(!opened.is_bare());
    assert_eq!(opened.workdir().unwrap().canonicalize().unwrap(), repo);
    assert!(opened.head().is_ok());
    // Also by a file of the user's that lies elsewhere.
    fs::write(&config, "").unwrap();
    let elsewhere = world.path("home/elsewhere");
    fs::write(&elsewhere, all).unwrap();
    let global = ("GIT_CONFIG_GLOBAL", elsewhere.to_str().unwrap());
    assert!(open_safe(&repo, &[another, global]).is_ok());
    assert!(open_safe(&repo, &[another]).is_err());
    assert!(
        open_safe(&repo.join("dir"), &[]).is_err(),
        "nothing above is taken"
    );
}

#[test]
fn the_branch_that_a_run_comes_from_is_known_without_its_remote() {
    let world = World::new();
    let repo = world.repo("api");
    git(&repo, &["branch", "feature/x"]);
    git(&repo, &["tag", "v1"]);
    git(&repo, &["remote", "add", "team/up", "/nowhere"]);
    git(
        &repo,
        &["update-ref", "refs/remotes/team/up/release/1", "HEAD"],
    );
    let id = git(&repo, &["rev-parse", "HEAD"]);
    for (given, source) in [
        ("HEAD", Some("main")),
        ("main", Some("main")),
        ("feature/x", Some("feature/x")),
        ("team/up/release/1", Some("release/1")),
        ("team/up/none", None),
        ("v1", None),
        (id.trim(), None),
    ] {
        assert_eq!(source_of(&repo, given).as_deref(), source, "{given}");
    }
    git(&repo, &["checkout", "-q", "--detach"]);
    assert_eq!(source_of(&repo, "HEAD"), None);
}
