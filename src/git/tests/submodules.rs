//! Submodules and other repositories inside a worktree: filled, and never lost with it.

use super::{
    hostile::set_traps,
    support::{RUN, World, commit_all, git, refs, write},
};
use crate::{
    domain::run::event::WorktreeAt,
    git::{add_all, fill_submodules, keep_nested, remove},
};
use std::{
    fs,
    path::{Path, PathBuf},
};

const ALLOW: [&str; 2] = ["-c", "protocol.file.allow=always"];

/// `outer` has the submodule `lib dir/inner`, and that one `deep`; the user's checkout has all.
fn nested_repositories(world: &World) -> PathBuf {
    let (deep, inner, outer) = (world.repo("deep"), world.repo("inner"), world.repo("outer"));
    let add = |to: &Path, from: &Path, path: &str| {
        let from = from.to_str().unwrap();
        git(
            to,
            &[&ALLOW[..], &["submodule", "add", "-q", from, path]].concat(),
        );
        commit_all(to, "with a submodule");
    };
    add(&inner, &deep, "deep");
    add(&outer, &inner, "lib dir/inner");
    let update = ["submodule", "update", "-q", "--init", "--recursive"];
    git(&outer, &[&ALLOW[..], &update].concat());
    outer
}

fn filled(world: &World, repo: &Path) -> (WorktreeAt, Vec<String>) {
    let at = add_all(&[world.spec(repo)], &|| false).unwrap().remove(0);
    let notes = fill_submodules(&at, repo, &|| false).unwrap();
    (at, notes)
}

#[test]
fn a_worktree_has_its_submodules_like_a_fresh_clone() {
    let world = World::new();
    let repo = nested_repositories(&world);
    // Nothing is fetched: what they came from is gone.
    fs::rename(world.path("repos/inner"), world.path("repos/gone")).unwrap();
    fs::rename(world.path("repos/deep"), world.path("repos/gone too")).unwrap();
    let before = git(&repo, &["submodule", "status", "--recursive"]);
    let (at, notes) = filled(&world, &repo);
    assert_eq!(notes, Vec::<String>::new());
    let root = &at.worktree;
    let text = fs::read_to_string(root.join("lib dir/inner/deep/dir/b.txt")).unwrap();
    assert_eq!(text, "two\n");
    assert_eq!(git(root, &["status", "--porcelain", "--ignored"]), "");
    let states = |listed: &str| -> Vec<String> {
        let words = listed
            .lines()
            .map(|line| line.split(" (").next().unwrap().to_owned());
        words.collect()
    };
    let ours = git(root, &["submodule", "status", "--recursive"]);
    assert_eq!(states(&ours), states(&before));
    let inner = root.join("lib dir/inner");
    assert!(git(&inner, &["remote", "get-url", "origin"]).contains("/inner"));
    // What is done there moves nothing of the user's.
    git(&inner, &["checkout", "-q", "-b", "mine"]);
    write(&inner, "a.txt", "changed\n");
    commit_all(&inner, "work");
    assert_eq!(git(&repo, &["submodule", "status", "--recursive"]), before);
    git(&inner, &["fsck", "--strict"]);
}

#[test]
fn a_commit_that_is_not_here_leaves_a_note() {
    let world = World::new();
    let repo = nested_repositories(&world);
    fs::remove_dir_all(repo.join(".git/modules")).unwrap();
    let (at, notes) = filled(&world, &repo);
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].contains("lib dir/inner stays empty"), "{notes:?}");
    assert_eq!(
        fs::read_dir(at.worktree.join("lib dir/inner"))
            .unwrap()
            .count(),
        0
    );
}

#[test]
fn names_that_lead_elsewhere_are_not_followed() {
    let world = World::new();
    let repo = nested_repositories(&world);
    let file = fs::read_to_string(repo.join(".gitmodules")).unwrap();
    let modules = file.replace("lib dir/inner\"]", "../../../escaped\"]");
    assert_ne!(modules, file);
    write(&repo, ".gitmodules", modules);
    commit_all(&repo, "a name");
    let (at, notes) = filled(&world, &repo);
    assert_eq!(notes, Vec::<String>::new());
    assert_eq!(
        fs::read_dir(at.worktree.join("lib dir/inner"))
            .unwrap()
            .count(),
        0
    );
}

#[test]
fn filling_and_keeping_run_nothing_that_is_named_there() {
    let world = World::new();
    let repo = nested_repositories(&world);
    let module = repo.join("lib dir/inner");
    let real = git(&module, &["rev-parse", "--absolute-git-dir"]);
    let link = world.path("traps");
    fs::create_dir(&link).unwrap();
    // The traps are set where `.git` is a folder.
    std::os::unix::fs::symlink(real.trim(), link.join(".git")).unwrap();
    let names = set_traps(&world, &link);
    let clear = || {
        names
            .iter()
            .for_each(|name| drop(fs::remove_file(world.mark(name))));
    };
    let at = add_all(&[world.spec(&repo)], &|| false).unwrap().remove(0);
    clear();
    assert_eq!(
        fill_submodules(&at, &repo, &|| false).unwrap(),
        Vec::<String>::new()
    );
    let inner = at.worktree.join("lib dir/inner");
    write(&inner, ".gitattributes", "* filter=plain diff=plain\n");
    fs::create_dir_all(at.worktree.join("made")).unwrap();
    git(&at.worktree.join("made"), &["init", "-q"]);
    write(&at.worktree, "made/file", "x\n");
    commit_all(&at.worktree.join("made"), "work");
    set_traps(&world, &at.worktree.join("made"));
    assert_eq!(keep_nested(&at, &repo, RUN).unwrap(), []);
    assert_eq!(kept(&repo), 2);
    for name in &names {
        assert!(!world.mark(name).exists(), "{name} ran");
    }
}

#[test]
fn untouched_submodules_need_no_keeping() {
    let world = World::new();
    let repo = nested_repositories(&world);
    let before = refs(&repo);
    let (at, _) = filled(&world, &repo);
    assert_eq!(keep_nested(&at, &repo, RUN).unwrap(), []);
    assert_eq!(kept(&repo), 0);
    assert!(remove(&at, &repo, &world.data()).unwrap());
    git(&repo, &["branch", "-q", "-D", &at.branch]);
    assert_eq!(refs(&repo), before);
}

/// Nested repositories whose work was kept.
fn kept(repo: &Path) -> usize {
    let nested = |name: &&String| name.contains("/nested/") && name.ends_with("/work");
    refs(repo).iter().filter(nested).count()
}

#[test]
fn nested_repositories_that_git_cannot_fetch_from_are_kept_as_files() {
    let world = World::new();
    let (repo, at) = world.worktree();
    let root = &at.worktree;
    git(root, &["init", "-q", "--object-format=sha256", "sha256"]);
    for name in ["bare", "damaged"] {
        git(root, &["init", "-q", name]);
    }
    for name in ["sha256", "bare", "damaged"] {
        write(&root.join(name), "code", format!("code in {name}\n"));
        commit_all(&root.join(name), "inner");
        write(&root.join(name), "code", format!("changed in {name}\n"));
        write(&root.join(name), ".git/note", format!("note of {name}\n"));
    }
    git(&root.join("bare"), &["config", "core.bare", "true"]);
    let objects = root.join("damaged/.git/objects");
    for item in fs::read_dir(&objects).unwrap().flatten() {
        if item.file_name().len() == 2 {
            fs::remove_dir_all(item.path()).unwrap();
        }
    }
    write(root, "a.txt", "the outer one\n");
    let taken = crate::git::take_always(&at, &repo, RUN, 1, "delete").unwrap();
    assert_eq!(taken.left_out, []);
    assert_eq!(
        git(&repo, &["show", &format!("{}:a.txt", taken.commit)]),
        "the outer one\n"
    );
    assert_eq!(keep_nested(&at, &repo, RUN).unwrap(), []);
    assert_eq!(kept(&repo), 3);
    let all = git(&repo, &["log", "--all", "-p", "--root", "--format=%s"]);
    for name in ["sha256", "bare", "damaged"] {
        let text = format!("changed in {name}");
        assert!(all.contains(&text), "{text} is lost");
    }
    // Git fetches from the bare one: its git folder need not be kept as files.
    for name in ["sha256", "damaged"] {
        let text = format!("note of {name}");
        assert!(all.contains(&text), "{text} is lost");
    }
}

#[test]
fn work_in_nested_repositories_is_kept_when_the_worktree_goes() {
    let world = World::new();
    let repo = nested_repositories(&world);
    let (at, _) = filled(&world, &repo);
    let root = &at.worktree;
    let inner = root.join("lib dir/inner");
    write(&inner, "a.txt", "committed on no branch\n");
    commit_all(&inner, "work");
    write(&inner, "a.txt", "not committed\n");
    write(&inner, "deep/new", "untracked, two deep\n");
    // A clone that the agent made, with a branch and a stash of its own.
    let made = root.join("made");
    git(
        root,
        &[
            "clone",
            "-q",
            world.path("repos/deep").to_str().unwrap(),
            "made",
        ],
    );
    git(&made, &["checkout", "-q", "-b", "side"]);
    write(&made, "side", "on a branch\n");
    commit_all(&made, "side");
    git(&made, &["checkout", "-q", "main"]);
    write(&made, "a.txt", "stashed\n");
    git(&made, &["stash", "-q"]);
    // One without a commit.
    let unborn = root.join("unborn");
    fs::create_dir(&unborn).unwrap();
    git(&unborn, &["init", "-q"]);
    write(&unborn, "first", "no commit yet\n");
    assert_eq!(keep_nested(&at, &repo, RUN).unwrap(), []);
    assert_eq!(kept(&repo), 4);
    assert!(remove(&at, &repo, &world.data()).unwrap());
    git(&repo, &["branch", "-q", "-D", &at.branch]);
    git(&repo, &["gc", "-q", "--prune=now"]);
    let all = git(
        &repo,
        &[
            "log",
            "--all",
            "--reflog",
            "-p",
            "-m",
            "--root",
            "--format=%s",
        ],
    );
    for text in [
        "committed on no branch",
        "not committed",
        "untracked, two deep",
        "on a branch",
        "stashed",
        "no commit yet",
        "work in made, kept",
        "work in lib dir/inner/deep, kept",
    ] {
        assert!(all.contains(text), "'{text}' is lost");
    }
}

#[test]
fn a_sparse_checkout_stays_sparse() {
    let world = World::new();
    let repo = world.repo("api");
    write(&repo, "other/c.txt", "three\n");
    commit_all(&repo, "more");
    git(&repo, &["sparse-checkout", "set", "dir"]);
    assert!(!repo.join("other").exists());
    let (at, _) = filled(&world, &repo);
    assert!(at.worktree.join("dir/b.txt").exists());
    assert!(!at.worktree.join("other").exists());
    assert_eq!(git(&at.worktree, &["status", "--porcelain"]), "");
    write(&at.worktree, "dir/b.txt", "changed\n");
    let kept = crate::git::take(&at, &repo, RUN, 1, "stop", None)
        .unwrap()
        .unwrap();
    let changed = git(&repo, &["diff", "--name-only", "main", &kept.commit]);
    assert_eq!(changed, "dir/b.txt\n");
    git(&at.worktree, &["checkout", "-q", "--", "."]);
    crate::git::restore(&at, &repo, &kept.commit).unwrap();
    assert!(!at.worktree.join("other").exists());
    assert_eq!(
        git(&at.worktree, &["status", "--porcelain"]),
        " M dir/b.txt\n"
    );
}
