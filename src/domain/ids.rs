//! Id newtypes, so that a project's id cannot be passed for a run's.
//!
//! Ids are generated in `runtime::ids`; here they are only parsed and printed (lower-case,
//! hyphenated).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// Position of an event in the whole log: unique and growing, with holes after deletions.
pub type EventId = i64;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident,)*) => {$(
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
        )]
        #[serde(transparent)]
        #[schema(value_type = Uuid)]
        pub struct $name(pub Uuid);

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.as_hyphenated().fmt(formatter)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::try_parse(text).map(Self)
            }
        }
    )*};
}

ids! {
    /// One agent at work: an event stream.
    RunId,
    /// A set of repositories that belong together.
    ProjectId,
    /// One repository of a project.
    RepoId,
    /// A configuration of a CLI.
    AgentId,
    /// A question of a CLI that a person may answer from anywhere.
    ApprovalId,
    /// A message of a person to one run.
    MessageId,
}

impl RunId {
    /// Branch of a new run: `abbado/run-` and the id's *last* eight hex digits would collide less
    /// for time-ordered ids, but the API promises the first eight; ids of runs are random (v4).
    #[must_use]
    pub fn default_branch(&self) -> String {
        let hex = self.0.as_simple().to_string();
        format!("abbado/run-{}", &hex[..8])
    }
}
