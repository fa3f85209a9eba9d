use super::support::{BRANCH, RUN, World, commit_all, git, refs, write};
use crate::git::{delete_branch, drop_checkpoints, keep_deleted, remove, take};

#[test]
fn a_deleted_runs_work_is_kept() {
    let world = World::new();
    let (repo, at) = world.worktree();
    write(&at.worktree, "new", "committed");
    let tip = commit_all(&at.worktree, "work");
    write(&at.worktree, "more", "not committed");
    let first = take(&at, &repo, RUN, 1, "stop", None).unwrap().unwrap();
    write(&at.worktree, "more", "changed");
    let last = take(&at, &repo, RUN, 2, "delete", Some(&first.tree))
        .unwrap()
        .unwrap();
    let kept = keep_deleted(&repo, RUN, "api", BRANCH, Some(&last.commit)).unwrap();
    let under = format!("refs/abbado/deleted/{RUN}");
    assert_eq!(
        kept,
        [format!("{under}/branch"), format!("{under}/checkpoint")]
    );
    assert_eq!(
        keep_deleted(&repo, RUN, "api", BRANCH, Some(&last.commit)).unwrap(),
        kept
    );
    assert!(remove(&at, &repo, &world.data()).unwrap());
    assert!(delete_branch(&repo, BRANCH).unwrap());
    assert_eq!(drop_checkpoints(&repo, RUN).unwrap(), 2);
    assert_eq!(drop_checkpoints(&repo, RUN).unwrap(), 0);
    git(&repo, &["gc", "-q", "--prune=now"]);
    assert_eq!(refs(&repo), [kept[0].as_str(), &kept[1], "refs/heads/main"]);
    assert_eq!(git(&repo, &["rev-parse", &kept[0]]).trim(), tip);
    assert_eq!(
        git(&repo, &["show", &format!("{}:more", kept[1])]),
        "changed"
    );
}

#[test]
fn merged_work_needs_no_keeping() {
    let world = World::new();
    let (repo, at) = world.worktree();
    assert!(
        keep_deleted(&repo, RUN, "api", BRANCH, None)
            .unwrap()
            .is_empty()
    );
    write(&at.worktree, "new", "committed");
    commit_all(&at.worktree, "work");
    assert_eq!(
        keep_deleted(&repo, RUN, "api", BRANCH, None).unwrap().len(),
        1
    );
    git(&repo, &["merge", "-q", "--no-ff", "-m", "merge", BRANCH]);
    assert!(
        keep_deleted(&repo, RUN, "api", BRANCH, None)
            .unwrap()
            .is_empty()
    );
    git(&repo, &["reset", "-q", "--hard", "HEAD~1"]);
    git(&repo, &["update-ref", "refs/remotes/origin/x", BRANCH]);
    assert!(
        keep_deleted(&repo, RUN, "api", BRANCH, None)
            .unwrap()
            .is_empty()
    );
    git(&repo, &["update-ref", "-d", "refs/remotes/origin/x"]);
    assert!(
        keep_deleted(&repo, RUN, "api", "nowhere", Some("no hex"))
            .unwrap()
            .is_empty()
    );
}
