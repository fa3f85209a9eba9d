//! Approvals: their decisions, and what the hook that waits for one gets.

use super::{Key, OperationError, read};
use crate::{
    cli,
    domain::{
        ApprovalId, RunId,
        run::{
            Rejection,
            approval::Decision,
            view::{ApprovalState, ApprovalView},
        },
    },
    runtime::{
        AskError, Request, Runtime,
        stream::broadcaster::{Joined, Subscription},
    },
};
use bytes::Bytes;
use serde_json::Value;
use std::{sync::atomic::Ordering, time::Duration};
use tokio::time::{Instant, timeout_at};

/// The type of a frame's event stands within its first bytes.
const FRAME_HEAD: usize = 256;

/// Decides an approval. The first decision counts.
///
/// # Errors
/// `Unknown` when there is no such approval; `Closed` when it is no longer open; those of
/// [`Runtime::ask`].
pub(crate) async fn decide(
    runtime: &Runtime,
    run_id: RunId,
    decision: Decision,
    key: Key,
) -> Result<ApprovalView, OperationError> {
    let id = decision.id;
    one(runtime, run_id, id).await?;
    match runtime.ask(run_id, Request::Decide(decision), None).await {
        Ok(_) => {
            let decided = one(runtime, run_id, id).await?;
            runtime.remember(key, &decided).await;
            Ok(decided)
        }
        Err(AskError::Rejected(Rejection::ApprovalClosed)) => {
            let closed = one(runtime, run_id, id).await?;
            Err(OperationError::Closed(closed.outcome()))
        }
        Err(error) => Err(error.into()),
    }
}

async fn one(
    runtime: &Runtime,
    run_id: RunId,
    id: ApprovalId,
) -> Result<ApprovalView, OperationError> {
    let found = read(runtime, move |reader| reader.approval(run_id, id)).await?;
    found.ok_or(OperationError::Unknown("approval"))
}

/// What a hook prints for its CLI.
pub(crate) enum HookAnswer {
    /// Nothing is waited for.
    None,
    /// The approval is still open.
    Pending,
    /// The outcome in the CLI's own form.
    Answer(Value),
}

/// Waits until an approval is closed, `wait` at most.
///
/// # Errors
/// Those of the store.
pub(crate) async fn answer(
    runtime: &Runtime,
    run_id: RunId,
    id: ApprovalId,
    wait: Duration,
) -> Result<HookAnswer, OperationError> {
    let deadline = Instant::now() + wait;
    loop {
        let (head, found) = read(runtime, move |reader| {
            Ok((reader.head()?, reader.approval(run_id, id)?))
        })
        .await?;
        let Some(approval) = found else {
            return Ok(HookAnswer::None);
        };
        if approval.state != ApprovalState::Open {
            let run = read(runtime, move |reader| reader.fold_run(run_id)).await?;
            let adapter = run.and_then(|run| cli::adapter(&run.created.agent.cli_name));
            return Ok(adapter.map_or(HookAnswer::None, |adapter| {
                HookAnswer::Answer(adapter.answer(&approval))
            }));
        }
        let Joined::Live(stream) = runtime.subscribe(Some(run_id), head).await else {
            return Ok(HookAnswer::Pending);
        };
        if timeout_at(deadline, closed(stream)).await.is_err() {
            return Ok(HookAnswer::Pending);
        }
    }
}

/// Ends when an approval of the run may have been closed, or the stream ends.
async fn closed(mut stream: Subscription) {
    const MARK: &[u8] = br#""event_type":"approval."#;
    // The type stands before the payload.
    let tells = |frame: &Bytes| {
        let begin = frame.get(..FRAME_HEAD).unwrap_or(frame);
        begin.windows(MARK.len()).any(|part| part == MARK)
    };
    if stream.backlog.iter().any(tells) {
        return;
    }
    while let Some(frame) = stream.live.recv().await {
        stream.waiting.fetch_sub(frame.len(), Ordering::Relaxed);
        if tells(&frame) {
            return;
        }
    }
}
