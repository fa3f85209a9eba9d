use super::support::{World, commit_all, git, write};
use crate::git::{RepoLocks, add_worktrees};
use git2::{Oid, Repository};
use std::{fs, path::Path};

/// The note on a new worktree of a repository; the worktree is left there.
fn note(world: &World, repo: &Path) -> Option<String> {
    let added = add_worktrees(&[world.spec(repo)], &RepoLocks::default(), &|| false).unwrap();
    added.into_iter().next().unwrap().note
}

fn with_lfs(world: &World) -> std::path::PathBuf {
    let repo = world.repo("api");
    write(
        &repo,
        "deep/down/.gitattributes",
        "*.bin filter=lfs -text\n",
    );
    commit_all(&repo, "attributes");
    repo
}

#[test]
fn pointers_are_noted_where_the_user_has_no_filter_for_them() {
    let world = World::new();
    let repo = with_lfs(&world);
    let note = note(&world, &repo).unwrap();
    assert!(note.contains("Git LFS is not set up"), "{note}");
}

#[test]
fn nothing_is_noted_where_nothing_is_missing() {
    let plain = World::new();
    let repo = plain.repo("api");
    write(&repo, ".gitattributes", "*.txt eol=lf\n");
    commit_all(&repo, "attributes");
    assert_eq!(note(&plain, &repo), None);

    let filtered = World::new();
    let config = "[filter \"lfs\"]\n\tsmudge = cat\n\tclean = cat\n";
    fs::write(filtered.path("home/.gitconfig"), config).unwrap();
    assert_eq!(note(&filtered, &with_lfs(&filtered)), None);

    // A sparse checkout without their folder.
    let sparse = World::new();
    let repo = with_lfs(&sparse);
    git(&repo, &["sparse-checkout", "set", "dir"]);
    assert_eq!(note(&sparse, &repo), None);
    assert!(sparse.spec(&repo).path.join("dir/b.txt").exists());
}

#[test]
fn pointers_are_noted_where_the_index_has_folders_in_the_place_of_files() {
    let world = World::new();
    let repo = with_lfs(&world);
    git(&repo, &["sparse-checkout", "set", "--sparse-index", "deep"]);
    let note = note(&world, &repo).unwrap();
    assert!(note.contains("Git LFS is not set up"), "{note}");
    let listed = git(&world.spec(&repo).path, &["ls-files", "--sparse"]);
    assert!(listed.lines().any(|path| path == "dir/"), "{listed}");
}

#[test]
fn a_repositorys_own_filter_counts_for_none() {
    let world = World::new();
    let repo = with_lfs(&world);
    git(&repo, &["config", "filter.lfs.smudge", "cat"]);
    assert!(note(&world, &repo).is_some());
}

#[test]
fn pointers_are_noted_in_a_partial_clone_too() {
    let world = World::new();
    let origin = with_lfs(&world);
    git(&origin, &["config", "uploadpack.allowFilter", "true"]);
    git(
        &origin,
        &["config", "uploadpack.allowAnySHA1InWant", "true"],
    );
    let url = format!("file://{}", origin.display());
    let clone = world.path("repos/clone");
    let clone_into = clone.to_str().unwrap();
    git(
        &world.path("repos"),
        &[
            "clone",
            "-q",
            "--filter=tree:0",
            "--no-checkout",
            &url,
            clone_into,
        ],
    );
    let base = Oid::from_str(&world.spec(&clone).base_commit).unwrap();
    let opened = Repository::open(&clone).unwrap();
    // Otherwise this would be a clone like any other.
    assert!(opened.find_commit(base).unwrap().tree().is_err());
    let note = note(&world, &clone).unwrap();
    assert!(note.contains("Git LFS is not set up"), "{note}");
}
