//! What may be done with a run's work, and what its record changes.

use super::support::*;
use crate::domain::run::{
    Command, Event, Rejection, Status,
    admission::{WorkKind, admit},
    event::{
        BranchRenamed, CheckpointAt, PullRequestAt, PushedAt, RepoBranch, RevertedAt, RunAccepted,
        RunCheckpointed, RunCommitted, RunPullRequest, RunPushed, RunRestored, RunReverted, StopBy,
        WorktreeAt, WorktreeCreated, WorktreeRemoved,
    },
    state::Changed,
};
use std::path::PathBuf;

const KINDS: [WorkKind; 4] = [
    WorkKind::Commit,
    WorkKind::Ship,
    WorkKind::Rename,
    WorkKind::Replace,
];

fn worktrees() -> Vec<WorktreeAt> {
    let repos = created().repos.into_iter();
    repos
        .map(|base| WorktreeAt {
            repo_id: base.repo_id,
            name: base.name.clone(),
            worktree: PathBuf::from("/data/worktrees/1").join(base.name),
            branch: created().run_branch,
        })
        .collect()
}

/// The same, with its worktrees.
fn placed(log: Vec<Event>) -> Live {
    let repos = worktrees();
    let mut all = vec![WorktreeCreated { repos, millis: 1 }.into()];
    all.extend(log);
    given(all)
}

fn admitted(live: &Live) -> [Result<(), Rejection>; 4] {
    KINDS.map(|kind| admit(&live.run, kind))
}

#[test]
fn at_rest_everything_may_be_done() {
    for log in [resting(), over(), failed_at_prompt()] {
        assert_eq!(admitted(&placed(log)), [Ok(()); 4]);
    }
}

#[test]
fn nothing_is_replaced_under_an_agent_at_work() {
    let refused = |status| Err(Rejection::PauseFirst(status));
    let [commit, ship, rename, replace] = admitted(&placed(running()));
    assert_eq!((commit, ship, rename), (Ok(()), Ok(()), Ok(())));
    assert_eq!(replace, refused(Status::Running));
    let [.., replace] = admitted(&placed(queued()));
    assert_eq!(replace, refused(Status::Queued));
}

#[test]
fn without_worktrees_only_the_branch_can_be_worked_with() {
    let mut live = placed(over());
    let repos = worktrees();
    live.run
        .apply(&WorktreeRemoved { repos, millis: 1 }.into(), at(99));
    let status = Status::Completed;
    let gone = Err(Rejection::NoWorktree(status));
    assert_eq!(admitted(&live), [gone, Ok(()), Ok(()), gone]);
}

#[test]
fn a_run_that_is_being_ended_or_is_gone_takes_none() {
    let stopping = placed(with(running(), [stop_requested(StopBy::Cancel)]));
    let (status, by) = (Status::Running, StopBy::Cancel);
    assert_eq!(
        admitted(&stopping),
        [Err(Rejection::Stopping { status, by }); 4]
    );
    let mut gone = placed(with(over(), [stop_requested(StopBy::Delete)]));
    gone.tell(deleted()).expect("a fact");
    assert_eq!(admitted(&gone), [Err(Rejection::Deleted); 4]);
}

#[test]
fn a_new_name_is_the_name_from_then_on() {
    let base = &created().repos[0];
    let renamed = BranchRenamed {
        from: created().run_branch,
        to: "better".into(),
        repos: vec![RepoBranch {
            repo_id: base.repo_id,
            repo_name: base.name.clone(),
            branch: "better".into(),
        }],
    };
    let mut live = placed(resting());
    live.tell(Command::Worked(vec![renamed.into()]))
        .expect("a fact");
    assert_eq!(live.run.run_branch, "better");
    assert!(live.run.worktrees.iter().all(|at| at.branch == "better"));
    assert_eq!(live.run.status, Status::Paused);
}

/// A push of two repositories; the second arrives or not.
fn pushed(second: bool) -> Event {
    let push = |pushed| PushedAt {
        repo_id: created().repos[0].repo_id,
        repo_name: "api".into(),
        branch: "b".into(),
        head: None,
        remote_url: None,
        remote: None,
        remote_branch: None,
        pushed,
        error: (!pushed).then(|| "refused".into()),
    };
    let repos = vec![push(true), push(second)];
    RunPushed { repos }.into()
}

fn asked(error: Option<&str>) -> Event {
    let title = "t".into();
    let at = PullRequestAt {
        repo_id: created().repos[0].repo_id,
        repo_name: "api".into(),
        number: error.is_none().then_some(1),
        url: None,
        error: error.map(str::to_owned),
    };
    let repos = vec![at];
    RunPullRequest { title, repos }.into()
}

#[test]
fn what_there_is_to_ship_follows_the_events() {
    let repos: Vec<CheckpointAt> = Vec::new();
    let (number, reason) = (1, "stop".to_owned());
    let kept: Event = RunCheckpointed {
        number,
        reason: reason.clone(),
        repos: repos.clone(),
    }
    .into();
    let restored: Event = RunRestored {
        number,
        reason,
        repos,
    }
    .into();
    let (message, none) = ("m".to_owned(), Vec::new());
    let committed: Event = RunCommitted {
        message,
        repos: none,
    }
    .into();
    let back: Vec<RevertedAt> = Vec::new();
    let reverted: Event = RunReverted {
        checkpoint: 1,
        repos: back,
    }
    .into();
    let accepted: Event = RunAccepted { repos: Vec::new() }.into();
    let steps = [
        (pushed(false), Changed::Nothing),
        (kept.clone(), Changed::Unshipped),
        (pushed(false), Changed::Unshipped),
        (pushed(true), Changed::Shipped),
        (committed, Changed::Unshipped),
        (asked(Some("no token")), Changed::Unshipped),
        (asked(None), Changed::Shipped),
        (kept, Changed::Unshipped),
        (reverted, Changed::Nothing),
        (restored, Changed::Unshipped),
        (accepted, Changed::Shipped),
    ];
    let mut live = placed(resting());
    for (at_step, (event, then)) in steps.into_iter().enumerate() {
        live.run.apply(&event, at(99));
        assert_eq!(live.run.changed, then, "step {at_step}");
    }
}
