//! Enumerations in payloads, and values that several payloads share.

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
    /// What started a run.
    StartedBy {
        /// A prompt or other evidence of work.
        Prompt,
        /// `POST continue`.
        Continue,
        /// The process itself, of an adapter without a prompt hook.
        Spawn,
    }
    /// What completed a run.
    CompletedBy {
        /// The CLI's session ended.
        SessionEnd,
        /// The process ended with code 0.
        Exit,
    }
    /// Where a run failed.
    Stage {
        /// Creating worktrees.
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
    /// Where an approval was decided.
    DecidedBy {
        /// A request to the API.
        Api,
        /// The one-time page that a notification leads to.
        Link,
    }
    /// Why nobody waits for an approval any more.
    VoidBy {
        /// It was answered in the terminal.
        Terminal,
        /// The turn that asked is over.
        TurnEnded,
        /// The CLI ended.
        ProcessEnded,
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
        /// A person stopped the turn in the terminal.
        Interrupt,
        /// `POST pause`.
        User,
        /// An idle CLI was ended by the idle limit.
        Idle,
        /// `max_turns` was reached.
        Limit,
        /// The process vanished, but its session can be resumed.
        Lost,
    }
    /// Who requested the end of the process.
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
        /// The server ended a process that lingered after its session.
        Server,
        /// Unknown: the process had vanished.
        Lost,
    }
    /// What a live CLI did not send.
    Missing {
        /// Any hook since it was launched.
        Hook,
        /// Any event at all.
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
        /// Reported by the CLI.
        Reported,
        /// Estimated from tokens and the price table.
        Estimated,
    }
}

/// A repository at the creation of the run.
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
    /// The branch that pointed there, without its remote; absent for a tag or a commit id.
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

/// A path of a worktree that a checkpoint could not store.
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
    /// Tree of the files whose bytes git's conversions would not restore, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exact: Option<String>,
    /// Paths that it lacks.
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

/// The commit in one repo, or why there is none.
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

/// The push of one branch, or why it failed.
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
    /// URL of the remote without user and password.
    pub remote_url: Option<String>,
    /// The remote's name, or its URL when it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    /// The branch on the remote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_branch: Option<String>,
    /// Whether it was pushed.
    pub pushed: bool,
    /// Why it was not pushed.
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
    /// True when it was opened, or was already open.
    #[must_use]
    pub const fn open(&self) -> bool {
        self.error.is_none()
    }
}

/// A repo that was reset to its base commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RevertedAt {
    /// The repo.
    pub repo_id: RepoId,
    /// Its name.
    pub repo_name: String,
    /// The base commit, in hex.
    pub commit: String,
}
