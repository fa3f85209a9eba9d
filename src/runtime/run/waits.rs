//! How long the core of a run waits for what does not come.

use crate::fault;
use std::time::Duration;

/// The waits of one run.
#[derive(Debug, Clone)]
pub(crate) struct Waits {
    /// How long a CLI may idle at its prompt before it is stopped; none for ever.
    pub idle: Option<Duration>,
    /// From the start of a CLI with a prompt to its first hook, which comes within seconds.
    pub hook: Duration,
    /// A working CLI without an event for so long is silent.
    pub event: Duration,
    /// Before the first new try to reach a holder.
    pub reach: Duration,
    /// How long a CLI has to leave by its own keys.
    pub quit: Duration,
    /// A holder that was told to stop has ended its process tree by then, unless it is stuck.
    pub stuck: Duration,
}

impl Waits {
    /// The waits of a server; tests change them by `ABBADO_WAITS`.
    #[must_use]
    pub(crate) fn new(idle: Option<Duration>) -> Self {
        Self {
            idle,
            hook: fault::wait("quiet.no_hook", Duration::from_secs(30)),
            event: fault::wait("quiet.no_event", Duration::from_secs(90)),
            reach: fault::wait("holder.again", Duration::from_secs(5)),
            quit: fault::wait("holder.quit", Duration::from_secs(5)),
            stuck: fault::wait("holder.stuck", Duration::from_secs(15)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_waits_are_those_of_the_texts() {
        let waits = Waits::new(None);
        assert_eq!(waits.hook.as_secs(), 30);
        assert_eq!(waits.event.as_secs(), 90);
    }
}
