//! The closed sets of words in payloads, and the small values that several payloads share.

use crate::domain::RepoId;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use utoipa::ToSchema;

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $word:ident,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
            #[serde(rename_all = "snake_case")]
            pub enum $name { $($(#[$word_doc])* $word,)* }
        )*
    };
}

words! {
    /// What set a run to work.
    StartedBy {
        /// A prompt or other evidence of work.
        Prompt,
        /// `POST continue`.
        Continue,
        /// The process itself, of an adapter without a prompt hook.
        Spawn,
    }
    /// What ended a run well.
    CompletedBy {
        /// The CLI's session ended.
        SessionEnd,
        /// The process ended with code 0.
        Exit,
    }
    /// Where a run failed.
    Stage {
        /// Making worktrees.
        Worktree,
        /// The project's set-up script, or copied files.
        Setup,
        /// Starting the CLI.
        Launch,
        /// The agent reported a failure.
        Agent,
        /// The process ended with an error.
        Exit,
        /// The process vanished.
        Lost,
    }
    /// What a hook without an event type of its own reports.
    HookSignal {
        /// A prompt was submitted.
        Prompt,
        /// The turn ended, or its background work continues after it.
        TurnEnded,
        /// The session ended.
        SessionEnded,
        /// The CLI began to shorten its context.
        Compacting,
        /// The CLI has shortened its context.
        Compacted,
    }
    /// What paused a run.
    PausedBy {
        /// The agent finished its turn.
        Stop,
        /// Somebody stopped the turn in the terminal.
        Interrupt,
        /// `POST pause`.
        User,
        /// An idle CLI was put to rest.
        Idle,
        /// `max_turns` was reached.
        Limit,
        /// The process vanished, but its session can be resumed.
        Lost,
    }
    /// Who asked for the process to end.
    StopBy {
        /// `POST cancel`.
        Cancel,
        /// `POST pause`.
        Pause,
        /// `DELETE`.
        Delete,
        /// The idle limit.
        Idle,
    }
    /// What ended a process.
    ExitedBy {
        /// The process itself.
        #[serde(rename = "self")]
        Itself,
        /// `POST cancel`.
        Cancel,
        /// `POST pause`.
        Pause,
        /// `DELETE`.
        Delete,
        /// The idle limit.
        Idle,
        /// We ended a process that lingered after its session.
        Server,
        /// Unknown: it was gone when we looked.
        Lost,
    }
    /// What a CLI that lives did not send.
    Lacks {
        /// Any hook since it was launched.
        Hook,
        /// Any word at all.
        Event,
    }
    /// Where a message of a person came from.
    MessageBy {
        /// `POST continue`.
        Api,
        /// Typed in the terminal.
        Terminal,
    }
    /// How a message reaches the CLI.
    DeliveredBy {
        /// As the prompt of a resumed session.
        Resume,
        /// Typed into the live CLI.
        Typed,
    }
    /// Where a cost comes from.
    CostSource {
        /// The CLI said so.
        Reported,
        /// Tokens times our price table.
        Estimated,
    }
}

/// A repository as it was when the run was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RepoBase {
    /// The repo.
    pub repo_id: RepoId,
    /// Its name, a folder name.
    pub name: String,
    /// The user's checkout.
    #[schema(value_type = String)]
    pub repo_path: PathBuf,
    /// Commit the run branch starts from, in hex.
    pub base_commit: String,
    /// The branch that pointed there, without its remote; none for a tag or a commit's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// A run branch that was rebased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RebasedAt {
    /// The repo.
    pub repo_id: RepoId,
    /// Its name.
    pub repo_name: String,
    /// The branch.
    pub branch: String,
    /// The branch rebased onto.
    pub onto: String,
    /// The commit that the branch points at now, in hex.
    pub commit: String,
    /// The commit that the run's changes are compared with from now on, in hex.
    pub base_commit: String,
}

/// A worktree of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorktreeAt {
    /// The repo.
    pub repo_id: RepoId,
    /// Its name.
    pub name: String,
    /// Folder of the worktree, inside the data folder.
    #[schema(value_type = String)]
    pub worktree: PathBuf,
    /// Branch checked out there.
    pub branch: String,
}

/// A path of a worktree that a checkpoint could not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LeftOut {
    /// The path, below the worktree; a folder's ends with a slash. Bytes that are no UTF-8 are replaced.
    pub path: String,
    /// Why its contents could not be read.
    pub why: String,
}

/// A checkpoint commit of one repo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckpointAt {
    /// The repo.
    pub repo_id: RepoId,
    /// Its name.
    pub repo_name: String,
    /// The commit, in hex.
    pub commit: String,
    /// Its tree, in hex: equal trees need no second checkpoint.
    pub tree: String,
    /// A tree of the files whose bytes git's conversions would not give back, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exact: Option<String>,
    /// What it does not hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
}

/// The run branch of one repo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RepoBranch {
    /// The repo.
    pub repo_id: RepoId,
    /// Its name.
    pub repo_name: String,
    /// The branch.
    pub branch: String,
}

/// A commit that was made in one repo, or why none was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CommittedAt {
    /// The repo.
    pub repo_id: RepoId,
    /// Its name.
    pub repo_name: String,
    /// The branch committed to.
    pub branch: String,
    /// The commit, in hex.
    pub commit: Option<String>,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A branch that was pushed, or why it was not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PushedAt {
    /// The repo.
    pub repo_id: RepoId,
    /// Its name.
    pub repo_name: String,
    /// The branch.
    pub branch: String,
    /// The commit that it points at here, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// Where to, without user and password.
    pub remote_url: Option<String>,
    /// The remote's name, or its URL when it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    /// The branch there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_branch: Option<String>,
    /// It is there.
    pub pushed: bool,
    /// Why it is not.
    pub error: Option<String>,
}

/// A pull request of one repo, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PullRequestAt {
    /// The repo.
    pub repo_id: RepoId,
    /// Its name.
    pub repo_name: String,
    /// Its number at the forge.
    pub number: Option<u64>,
    /// Its page.
    pub url: Option<String>,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl PullRequestAt {
    /// Whether it was opened, or found open.
    #[must_use]
    pub const fn open(&self) -> bool {
        self.error.is_none()
    }
}

/// A repo that was taken back to its base commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RevertedAt {
    /// The repo.
    pub repo_id: RepoId,
    /// Its name.
    pub repo_name: String,
    /// The base commit, in hex.
    pub commit: String,
}
