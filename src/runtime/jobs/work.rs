//! Carries out what people want done with a run's work. Done first, recorded after, never again:
//! a crash in between leaves the work done and its record missing.

use super::{
    JobContext,
    placed::{check, placed, worktree_of},
    replace,
};
use crate::{
    domain::run::{
        Run,
        event::{
            BranchRenamed, CommittedAt, PushedAt, RepoBase, RepoBranch, RunAccepted, RunCommitted,
            RunPullRequest, RunPushed, WorktreeAt,
        },
    },
    git::{self, ErrorKind, GitError, Operation},
    runtime::{
        messages::{Reply, ReplySender, ReplyWith},
        order::{Order, OrderError},
        run::input::{Update, Worked},
        shared::Shared,
    },
};

/// Carries an order out, and reports what came of it.
pub(super) async fn work(context: JobContext, order: Order, caller: ReplySender) {
    let worked = context.blocking(move |run, shared| carry_out(run, shared, order));
    let mut worked = worked.await.unwrap_or_else(Worked::failed);
    worked.caller = Some(caller);
    context.update(Update::Worked(Box::new(worked))).await;
}

fn carry_out(run: &Run, shared: &Shared, order: Order) -> Result<Worked, OrderError> {
    match order {
        Order::Commit { message } => commit(run, message),
        Order::Push => push(run, false),
        Order::Accept => push(run, true),
        Order::PullRequests { title, repos } => {
            let reply = Reply::PullRequests(repos.clone());
            let opened = RunPullRequest { title, repos };
            Ok(Worked::new(vec![opened.into()], reply))
        }
        Order::Record(work) => Ok(Worked::new(vec![*work], Reply::Done)),
        Order::Rename { name } => rename(run, shared, name),
        Order::Revert { force } => replace::revert(run, force),
        Order::Restore { number, force } => replace::restore(run, shared, number, force),
    }
}

fn commit(run: &Run, message: String) -> Result<Worked, OrderError> {
    let all = placed(run);
    // One repo alone is asked by the commit itself.
    if all.len() > 1 {
        check(run, Operation::Commit)?;
    }
    let mut repos = Vec::new();
    let mut first = None;
    for (at, base) in all {
        let (made, error) = match git::commit(at, &base.repo_path, &message) {
            Ok(None) => continue,
            Ok(Some(made)) => (Some(made), None),
            Err(error) => {
                first.get_or_insert_with(|| OrderError::of(&at.name, &error));
                (None, Some(error.to_string()))
            }
        };
        let (commit, branch) = made.map(|made| (made.commit, made.branch)).unzip();
        repos.push(CommittedAt {
            repo_id: at.repo_id,
            repo_name: at.name.clone(),
            branch: branch.unwrap_or_else(|| at.branch.clone()),
            commit,
            error,
        });
    }
    if repos.is_empty() {
        return Err(OrderError::NothingToCommit);
    }
    let reply = match first {
        Some(error) if repos.iter().all(|at| at.commit.is_none()) => ReplyWith::from(error),
        Some(_) | None => Reply::Committed(repos.clone()).into(),
    };
    let committed = RunCommitted { message, repos };
    Ok(Worked::new(vec![committed.into()], reply))
}

/// The branch of a repo that has the run's work: the run's, or another that was made during the
/// run and that its worktree is on.
fn branch_to_push(run: &Run, base: &RepoBase) -> Result<String, OrderError> {
    let at = worktree_of(run, base);
    let branch = at.map(|at| git::check(Operation::Push, at, &base.repo_path));
    match branch {
        None | Some(Err(GitError::WorktreeGone { .. })) => Ok(run.run_branch.clone()),
        Some(branch) => branch.map_err(|error| OrderError::of(&base.name, &error)),
    }
}

/// Pushes a branch, unless a file of it would go out without its filter.
fn push_one(
    base: &RepoBase,
    at: Option<&WorktreeAt>,
    branch: &str,
) -> Result<git::Pushed, GitError> {
    git::check_push(&base.repo_path, at, branch, &base.base_commit)?;
    git::push(&base.repo_path, at, &base.name, branch)
}

fn push(run: &Run, accept: bool) -> Result<Worked, OrderError> {
    let bases = run.created.repos.iter();
    let branches = bases.map(|base| branch_to_push(run, base));
    let branches = branches.collect::<Result<Vec<_>, _>>()?;
    let (mut without_remote, mut conflicts) = (0, 0);
    let mut repos = Vec::new();
    for (base, branch) in run.created.repos.iter().zip(branches) {
        let at = worktree_of(run, base);
        let pushed = push_one(base, at, &branch);
        let error = match &pushed {
            Ok(pushed) => pushed.error.clone(),
            Err(error) => {
                without_remote += usize::from(matches!(error, GitError::NoRemote { .. }));
                conflicts += usize::from(error.kind() == ErrorKind::Conflict);
                Some(error.to_string())
            }
        };
        let pushed = pushed.ok();
        repos.push(PushedAt {
            remote: pushed.as_ref().map(|pushed| pushed.remote.clone()),
            remote_branch: pushed.as_ref().map(|pushed| pushed.remote_branch.clone()),
            remote_url: pushed.map(|pushed| pushed.remote_url),
            repo_id: base.repo_id,
            repo_name: base.name.clone(),
            head: git::tip_of(&base.repo_path, &branch),
            branch,
            pushed: error.is_none(),
            error,
        });
    }
    if without_remote == repos.len() {
        let why = "No repo of this run has a remote to push to; add one with `git remote add`.";
        return Err(OrderError::Conflict(why.to_owned()));
    }
    let went_through = repos.iter().any(|at| at.pushed);
    let reply = if went_through {
        ReplyWith::from(Reply::Pushed(repos.clone()))
    } else {
        let said: Vec<_> = repos
            .iter()
            .filter_map(|at| Some(format!("Repo '{}': {}.", at.repo_name, at.error.as_ref()?)))
            .collect();
        let why = format!("Nothing was pushed. {}", said.join(" "));
        // Nothing has left this machine when each repo's own state forbids it.
        ReplyWith::from(if conflicts == repos.len() {
            OrderError::Conflict(why)
        } else {
            OrderError::Remote(why)
        })
    };
    let pushed = RunPushed {
        repos: repos.clone(),
    };
    let mut work = vec![pushed.into()];
    if accept && went_through {
        work.push(RunAccepted { repos }.into());
    }
    Ok(Worked::new(work, reply))
}

fn rename(run: &Run, shared: &Shared, name: String) -> Result<Worked, OrderError> {
    let bases = &run.created.repos;
    let mut from = vec![run.run_branch.clone(); bases.len()];
    for (base, from) in bases.iter().zip(&mut from) {
        let Some(at) = worktree_of(run, base) else {
            continue;
        };
        match git::check(Operation::Rename, at, &base.repo_path) {
            Ok(branch) => *from = branch,
            Err(GitError::WorktreeGone { .. }) => {}
            Err(error) => return Err(OrderError::of(&base.name, &error)),
        }
    }
    let repos = bases.iter().zip(&from);
    let repos: Vec<git::ToRename<'_>> = repos
        .map(|(base, from)| (base.name.as_str(), base.repo_path.as_path(), from.as_str()))
        .collect();
    let found = bases
        .iter()
        .filter_map(|base| git::git_dir_of(&base.repo_path).ok());
    let git_dirs: Vec<_> = found.collect();
    let job = || git::rename_everywhere(&repos, &name);
    let renamed = shared.repo_locks.with(&git_dirs, job);
    renamed.map_err(|(repo, error)| OrderError::of(&repo, &error))?;
    let repos = bases.iter().map(|base| RepoBranch {
        repo_id: base.repo_id,
        repo_name: base.name.clone(),
        branch: name.clone(),
    });
    let renamed = BranchRenamed {
        from: run.run_branch.clone(),
        repos: repos.collect(),
        to: name,
    };
    Ok(Worked::new(vec![renamed.into()], ReplyWith::Run))
}
