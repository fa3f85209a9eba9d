//! The list of branches.

use super::{
    histories::{Planned, config, graph, import},
    support::{BRANCH, World, commit_all, git, write},
};
use crate::git::{Branch, branches, branches::walked};
use git2::{Oid, Repository};
use proptest::{prelude::*, sample::Index};
use std::{collections::BTreeMap, fs};

fn named<'a>(found: &'a [Branch], name: &str) -> &'a Branch {
    found.iter().find(|branch| branch.name == name).unwrap()
}

fn default_of(found: &[Branch]) -> Vec<&str> {
    let default = found.iter().filter(|branch| branch.is_default);
    default.map(|branch| branch.name.as_str()).collect()
}

#[test]
fn a_branch_is_told_with_all_there_is_to_know() {
    let world = World::new();
    let (repo, at) = world.worktree();
    write(&at.worktree, "new", "x");
    let tip = commit_all(&at.worktree, "Subject\nof two lines\n\nbody");
    let found = branches(&repo).unwrap();
    let time = git(&repo, &["log", "-1", "--format=%ct", &tip]);
    let own = named(&found, BRANCH);
    let expected = Branch {
        name: BRANCH.into(),
        is_default: false,
        is_head: false,
        commit: tip.clone(),
        subject: "Subject of two lines".into(),
        committed_at: chrono::DateTime::from_timestamp(time.trim().parse().unwrap(), 0).unwrap(),
        base: Some("main".into()),
        ahead: 1,
        behind: 0,
        upstream: None,
        pushed: false,
        unpushed: None,
        worktree: Some(at.worktree.clone()),
    };
    assert_eq!(own, &expected);
    let main = named(&found, "main");
    assert!(main.is_default && main.is_head && main.base.is_none());
    assert_eq!(
        main.worktree.as_ref().unwrap().canonicalize().unwrap(),
        repo
    );
    // From the worktree, as if it were a repo of its own.
    let found = branches(&at.worktree).unwrap();
    assert!(named(&found, BRANCH).is_head);
    let main = named(&found, "main");
    assert!(!main.is_head);
    assert_eq!(
        main.worktree.as_ref().unwrap().canonicalize().unwrap(),
        repo
    );
    // The folder is removed, and the worktree is not locked.
    fs::remove_dir_all(&at.worktree).unwrap();
    assert_eq!(named(&branches(&repo).unwrap(), BRANCH).worktree, None);
}

#[test]
fn the_default_branch_is_found() {
    let world = World::new();
    let repo = world.repo("api");
    for branch in ["a", "master", "trunk", "zz"] {
        git(&repo, &["branch", branch]);
    }
    let default = || default_of(&branches(&repo).unwrap()).join(" ");
    let at_origin = "refs/remotes/origin/HEAD";
    git(
        &repo,
        &["symbolic-ref", at_origin, "refs/remotes/origin/trunk"],
    );
    assert_eq!(default(), "trunk");
    git(
        &repo,
        &["symbolic-ref", at_origin, "refs/remotes/origin/gone"],
    );
    // A clone may give its remote another name.
    let (mine, zz) = ("refs/remotes/mine/HEAD", "refs/remotes/mine/zz");
    git(&repo, &["symbolic-ref", mine, zz]);
    git(&repo, &["remote", "add", "mine", "/nowhere"]);
    git(&repo, &["symbolic-ref", "-d", at_origin]);
    assert_eq!(default(), "zz");
    git(&repo, &["remote", "add", "another", "/nowhere"]);
    assert_eq!(default(), "main", "no local branch is called so");
    git(&repo, &["checkout", "-q", "zz"]);
    git(&repo, &["branch", "-q", "-D", "main"]);
    assert_eq!(default(), "master");
    git(&repo, &["branch", "-q", "-D", "master"]);
    git(&repo, &["config", "init.defaultBranch", "trunk"]);
    assert_eq!(default(), "trunk");
    git(&repo, &["branch", "-q", "-D", "trunk"]);
    assert_eq!(default(), "zz", "HEAD's");
    git(&repo, &["checkout", "-q", "--detach"]);
    assert_eq!(default(), "a", "the first");
    git(&repo, &["branch", "-q", "-D", "a", "zz"]);
    assert_eq!(branches(&repo).unwrap(), []);
}

#[test]
fn a_repository_without_a_commit_has_no_branches() {
    let world = World::new();
    let repo = world.path("repos/empty");
    fs::create_dir(&repo).unwrap();
    git(&repo, &["init", "-q", "-b", "main"]);
    assert_eq!(branches(&repo).unwrap(), []);
}

#[test]
fn what_was_pushed_is_told() {
    let world = World::new();
    let repo = world.repo("api");
    let remote = world.path("repos/remote.git");
    git(&repo, &["init", "-q", "--bare", remote.to_str().unwrap()]);
    git(
        &repo,
        &["remote", "add", "origin", remote.to_str().unwrap()],
    );
    git(&repo, &["branch", "alone"]);
    git(&repo, &["push", "-q", "-u", "origin", "main"]);
    // Without a configured upstream.
    git(&repo, &["branch", "plain"]);
    git(&repo, &["push", "-q", "origin", "plain"]);
    write(&repo, "new", "x");
    commit_all(&repo, "not pushed");
    write(&repo, "new", "y");
    commit_all(&repo, "nor this");
    let found = branches(&repo).unwrap();
    let told = |name| {
        let branch = named(&found, name);
        (branch.upstream.as_deref(), branch.pushed, branch.unpushed)
    };
    assert_eq!(told("main"), (Some("origin/main"), false, Some(2)));
    assert_eq!(told("plain"), (Some("origin/plain"), true, Some(0)));
    assert_eq!(told("alone"), (None, false, None));
    // A configured upstream that no longer exists.
    git(&repo, &["update-ref", "-d", "refs/remotes/origin/main"]);
    let found = branches(&repo).unwrap();
    assert_eq!(named(&found, "main").upstream, None);
}

#[test]
fn an_odd_branch_stops_nothing() {
    let world = World::new();
    let repo = world.repo("api");
    git(
        &repo,
        &["symbolic-ref", "refs/heads/alias", "refs/heads/main"],
    );
    git(
        &repo,
        &["symbolic-ref", "refs/heads/to-nothing", "refs/heads/none"],
    );
    git(&repo, &["branch", "caf\u{e9}"]);
    write(&repo, ".git/refs/heads/broken", "no hex\n");
    let found = branches(&repo).unwrap();
    let names: Vec<&str> = found.iter().map(|branch| branch.name.as_str()).collect();
    assert_eq!(names, ["alias", "caf\u{e9}", "main"]);
}

fn number_of_branches() -> usize {
    match std::env::var_os("ABBADO_PROVE") {
        Some(_) => 300,
        None => 30,
    }
}

fn histories() -> impl Strategy<Value = (Vec<Planned>, Vec<Index>)> {
    let branches = number_of_branches();
    let tips = prop::collection::vec(any::<Index>(), branches + 1);
    (graph(branches * 4), tips)
}

/// `ahead behind`, as git counts them one by one.
fn counted(repo: &std::path::Path, branch: &str) -> (u64, u64) {
    let range = format!("main...{branch}");
    let said = git(repo, &["rev-list", "--left-right", "--count", &range]);
    let (behind, ahead) = said.trim().split_once('\t').unwrap();
    (ahead.parse().unwrap(), behind.parse().unwrap())
}

impl std::fmt::Debug for Planned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} at {}", self.parents, self.at)
    }
}

proptest! {
    #![proptest_config(config(4, 4))]

    #[test]
    fn distances_are_those_that_git_counts((commits, tips) in histories()) {
        let world = World::new();
        let repo = world.path("repos/generated");
        fs::create_dir(&repo).unwrap();
        git(&repo, &["init", "-q", "-b", "main"]);
        let mut names = vec![("main".to_owned(), tips[0].index(commits.len()))];
        names.extend(tips.iter().skip(1).enumerate().map(|(number, tip)| {
            (format!("b/{number}"), tip.index(commits.len()))
        }));
        import(&repo, &commits, &names);

        let found = branches(&repo).unwrap();
        prop_assert_eq!(found.len(), names.len());
        let repository = Repository::open(&repo).unwrap();
        let tips: BTreeMap<String, Oid> = found
            .iter()
            .map(|branch| (branch.name.clone(), Oid::from_str(&branch.commit).unwrap()))
            .collect();
        let without_git = walked(&repository, &tips, tips["main"]).unwrap();
        let mut apart = 0;
        for branch in &found {
            let expected = counted(&repo, &branch.name);
            prop_assert_eq!((branch.ahead, branch.behind), expected, "{}", &branch.name);
            prop_assert_eq!(without_git[&branch.name], expected, "{}", &branch.name);
            apart += u64::from(expected.0 > 0 && expected.1 > 0);
        }
        prop_assert!(apart > 3, "only {} branches diverge", apart);
    }
}
