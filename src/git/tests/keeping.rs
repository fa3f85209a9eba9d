use super::support::{BRANCH, RUN, World, commit_all, git, refs, write};
use crate::git::{
    delete_branch, deleted_runs, drop_checkpoints, keep_deleted, prune_deleted, remove, take,
};

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
        [
            format!("{under}/branch"),
            format!("{under}/checkpoint"),
            format!("{under}/record")
        ]
    );
    assert_eq!(
        keep_deleted(&repo, RUN, "api", BRANCH, Some(&last.commit)).unwrap(),
        kept
    );
    assert!(remove(&at, &repo, &world.data()).unwrap());
    assert!(delete_branch(&repo, BRANCH).unwrap());
    assert_eq!(drop_checkpoints(&repo, RUN).unwrap(), 2);
    assert_eq!(drop_checkpoints(&repo, RUN).unwrap(), 0);
    let hidden = repo.join(".git/refs/abbado");
    assert!(!hidden.join(format!("checkpoints/{RUN}")).exists());
    git(&repo, &["gc", "-q", "--prune=now"]);
    assert_eq!(
        refs(&repo),
        [kept[0].as_str(), &kept[1], &kept[2], "refs/heads/main"]
    );
    // Also what the last checkpoint no longer had.
    git(
        &repo,
        &["cat-file", "-e", &format!("{}:more", first.commit)],
    );
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
        2
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

#[test]
fn what_a_deleted_run_left_goes_when_it_is_old() {
    let world = World::new();
    let (repo, at) = world.worktree();
    write(&at.worktree, "new", "work");
    let kept = take(&at, &repo, RUN, 1, "delete", None).unwrap().unwrap();
    let before = chrono::Utc::now() - chrono::TimeDelta::seconds(1);
    keep_deleted(&repo, RUN, "api", BRANCH, Some(&kept.commit)).unwrap();
    drop_checkpoints(&repo, RUN).unwrap();
    let other = "refs/abbado/deleted/not-a-run/record";
    git(&repo, &["update-ref", other, "main"]);
    let listed = deleted_runs(&repo).unwrap();
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert_eq!(listed[0].run_id, RUN);
    assert_eq!(
        listed[0].note,
        format!("abbado: a run on {BRANCH} was deleted")
    );
    assert!(listed[0].deleted_at >= before);
    assert_eq!(prune_deleted(&repo, before).unwrap(), 0);
    assert_eq!(deleted_runs(&repo).unwrap(), listed);
    let later = before + chrono::TimeDelta::seconds(60);
    let folder = repo.join(format!(".git/refs/abbado/deleted/{RUN}"));
    assert!(folder.exists());
    assert_eq!(prune_deleted(&repo, later).unwrap(), 1);
    assert!(!folder.exists());
    let branch = format!("refs/heads/{BRANCH}");
    assert_eq!(refs(&repo), [other, &branch, "refs/heads/main"]);
    assert_eq!(prune_deleted(&repo, later).unwrap(), 0);
}
