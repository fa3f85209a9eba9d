//! The launch line of a CLI, put together part by part.

use super::{LaunchContext, choices, launch};
use crate::domain::AgentMode;
use std::path::Path;

/// A program and its arguments so far.
pub(super) struct Argv<'a> {
    context: &'a LaunchContext<'a>,
    items: Vec<String>,
}

impl<'a> Argv<'a> {
    /// Begins with the agent's own program, else with this one.
    pub(super) fn new(context: &'a LaunchContext<'a>, program: &str) -> Self {
        let program = context.agent.bin().unwrap_or(program).to_owned();
        let items = vec![program];
        Self { context, items }
    }

    /// Adds arguments.
    pub(super) fn push(&mut self, items: &[&str]) {
        self.items
            .extend(items.iter().map(|item| (*item).to_owned()));
    }

    /// The session to resume, else the id of a new one.
    pub(super) fn session(&mut self) {
        match self.context.resume {
            Some(session) => self.push(&["--resume", session]),
            None => self.push(&["--session-id", &self.context.new_session_id.to_string()]),
        }
    }

    /// The agent's model, when it names one.
    pub(super) fn model(&mut self, flag: &str) {
        let model = self.context.agent.model.as_deref();
        if let Some(model) = model.filter(|model| !model.is_empty()) {
            self.push(&[flag, model]);
        }
    }

    /// The agent's own arguments.
    pub(super) fn own(&mut self) {
        self.items.extend(self.context.agent.args());
    }

    /// The allowed tools for `--allowed-tools` of Gemini CLI and its kin: their own names, and for
    /// commands the words that those begin with. A tool that is not in `names` goes by its own name.
    pub(super) fn legacy_tools(&mut self, names: &[(&str, &str)]) {
        let mut tools = Vec::new();
        for tool in choices::tools(&self.context.agent.allowed_tools) {
            let (tool, limits) = choices::limited(tool);
            let named = names.iter().find(|(name, _)| *name == tool);
            let tool = named.map_or(tool, |(_, own)| *own);
            match limits {
                None => tools.push(tool.to_owned()),
                Some(limits) => tools.extend(limits.split(',').map(|limit| {
                    let words = limit.trim().trim_end_matches('*');
                    format!("{tool}({})", words.trim_end_matches([':', ' ']))
                })),
            }
        }
        if !tools.is_empty() {
            self.push(&[&format!("--allowed-tools={}", tools.join(","))]);
        }
    }

    /// The allowed tools after a flag of their own.
    pub(super) fn tools(&mut self, flag: &str) {
        let tools = choices::tools(&self.context.agent.allowed_tools).join(",");
        if !tools.is_empty() {
            self.push(&[flag, &tools]);
        }
    }

    /// The agent's own arguments, the folder of a task's file and the task, as Gemini CLI and its
    /// kin take them: in one argument each, since what follows `--` is no prompt to Qwen.
    pub(super) fn legacy_task(mut self) -> Vec<String> {
        self.own();
        let context = self.context;
        if let Some(folder) = context.task_file.and_then(Path::parent) {
            self.push(&[&format!("--include-directories={}", folder.display())]);
        }
        let flag = match context.agent.mode() {
            AgentMode::Headless => "prompt",
            AgentMode::Interactive => "prompt-interactive",
        };
        self.push(&[&format!("--{flag}={}", launch::unstripped(context.task))]);
        self.items
    }

    /// Ends with these arguments.
    pub(super) fn end(mut self, items: &[&str]) -> Vec<String> {
        self.push(items);
        self.items
    }
}
