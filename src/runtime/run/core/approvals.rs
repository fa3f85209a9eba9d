//! Approvals: when a hook's question becomes one, and its expiry.

use super::Core;
use crate::{
    domain::{
        ApprovalId,
        run::{Command, approval::Terms},
    },
    runtime::run::output::Timer,
};
use uuid::Uuid;

impl Core {
    /// The terms of a question whose hook waits, when the run's agent asks remotely and its CLI can.
    pub(super) fn terms(&self, delivery: Uuid) -> Option<Terms> {
        let agent = &self.run.as_ref()?.created.agent;
        if !agent.asks_remotely() || !self.adapter()?.takes_answers() {
            return None;
        }
        Some(Terms {
            id: ApprovalId(delivery),
            expires_at: self.now + agent.approval_time(),
        })
    }

    /// Sets the timer of an approval; at once for one that expired while no server ran.
    pub(super) fn await_decision(&mut self, id: ApprovalId) {
        let asked = self.run.as_ref().and_then(|run| run.approvals.get(id));
        if let Some(asked) = asked {
            let left = (asked.expires_at - self.now).to_std().unwrap_or_default();
            self.set_timer(left, Timer::Approval { id });
        }
    }

    /// Sets the timers of all open approvals, after a restart.
    pub(super) fn resume_approvals(&mut self) {
        let open = self.run.iter().flat_map(|run| &run.approvals.open);
        let open: Vec<ApprovalId> = open.map(|asked| asked.approval_id).collect();
        for id in open {
            self.await_decision(id);
        }
    }

    /// The time of an approval is over, unless the clock was set back meanwhile.
    pub(super) fn on_approval_timer(&mut self, id: ApprovalId) {
        let asked = self.run.as_ref().and_then(|run| run.approvals.get(id));
        match asked.map(|asked| asked.expires_at > self.now) {
            Some(true) => self.await_decision(id),
            Some(false) => self.fact(Command::ExpireApproval { id }),
            None => {}
        }
    }
}
