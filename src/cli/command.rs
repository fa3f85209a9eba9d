//! Any program: the adapter `command`.
//!
//! The agent gives an argument vector; `{task}`, `{session_id}`, `{worktree}` and `{model}` in it
//! are replaced, whole or as parts of an argument, and never by a shell. The program may post hooks
//! with Claude's event names through `$ABBADO_HOOK`; it does not have to.

use super::{
    Adapter, CliError, Command, Keeper, LaunchContext, Limits, Transcript, TranscriptContext,
    hooks, launch,
};
use crate::domain::{AgentMode, run::command::Hook};
use serde_json::Value;

/// The adapter.
pub(crate) struct AnyCommand;

impl Adapter for AnyCommand {
    fn name(&self) -> &'static str {
        "command"
    }

    fn install_hint(&self) -> &'static str {
        "install it, or give its full path in provider_config.command"
    }

    fn limits(&self, _: AgentMode) -> Limits {
        Limits {
            max_turns: Keeper::None,
            allowed_tools: Keeper::None,
        }
    }

    fn command(&self, context: &LaunchContext<'_>) -> Result<Command, CliError> {
        let agent = context.agent;
        let mut template = agent.command();
        match (agent.bin(), template.first_mut()) {
            (Some(bin), Some(program)) => bin.clone_into(program),
            (Some(_) | None, None) => return Err(CliError::NoProgram),
            (None, Some(_)) => {}
        }
        template.extend(agent.args());
        let values = [
            ("task", context.task),
            ("session_id", context.resume.unwrap_or_default()),
            ("worktree", launch::utf8(context.cwd)?),
            ("model", agent.model.as_deref().unwrap_or_default()),
        ];
        let filled = template.iter().map(|item| launch::fill(item, &values));
        Ok((filled.collect(), launch::environment(context, &[])))
    }

    fn hook(&self, payload: Value) -> Result<Hook, CliError> {
        hooks::translate(payload, "The agent")
    }

    fn transcript(&self, _: TranscriptContext) -> Option<Box<dyn Transcript>> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Launch;
    use super::*;

    #[test]
    fn names_are_replaced_whole_and_in_part_and_never_by_a_shell() {
        let mut launch = Launch::new("command");
        launch.agent.model = Some("m1".into());
        launch.task = "$(touch x); `y` {model} \"z\"".into();
        launch.config(
            r#"{"command": ["sh", "-c", "exec true", "{task}", "--in={worktree}", "{session_id}", "{model}"], "args": ["--more={model}"]}"#,
        );
        assert_eq!(
            launch.argv()[1..],
            [
                "-c",
                "exec true",
                "$(touch x); `y` {model} \"z\"",
                "--in=ROOT/work tree",
                "",
                "m1",
                "--more=m1",
            ]
        );
        assert!(launch.argv()[0].ends_with("/sh"));
        launch.resume("s-9");
        assert_eq!(launch.argv()[5], "s-9");
    }

    #[test]
    fn bin_takes_the_place_of_the_program() {
        let mut launch = Launch::new("command");
        launch.config(r#"{"command": ["absent", "a"], "bin": "/bin/sh"}"#);
        assert_eq!(launch.argv(), ["/bin/sh", "a"]);
        launch.config("{}");
        assert!(matches!(launch.plan(), Err(CliError::NoProgram)));
    }

    #[test]
    fn it_reads_no_transcript_but_takes_hooks() {
        use crate::domain::run::command::Usage;
        let context = TranscriptContext::new(AgentMode::Interactive, Usage::default());
        assert!(AnyCommand.transcript(context).is_none());
        assert!(
            AnyCommand
                .hook(serde_json::json!({"hook_event_name": "Stop"}))
                .is_ok()
        );
    }
}
