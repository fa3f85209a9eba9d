//! Tasks that are too long for an argument or a variable.

use super::{CliError, hook_files, launch};
use crate::domain::run::prompt;
use std::path::{Path, PathBuf};

/// Folder in the run folder for task files only: CLIs may be allowed to read in it.
const FOLDER: &str = "task";
const FILE: &str = "task.txt";

/// A task in a file.
pub struct LongTask {
    /// The file.
    pub path: PathBuf,
    /// The prompt that refers to the file.
    pub prompt: String,
}

impl LongTask {
    /// Writes a task to a file; none for a task that fits into an argument.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn of(task: &str, run_dir: &Path) -> Result<Option<Self>, CliError> {
        if task.len() <= prompt::ARGUMENT_BYTES_MAX {
            return Ok(None);
        }
        let folder = hook_files::folder(run_dir, FOLDER)?;
        hook_files::write(&folder, FILE, task.as_bytes())?;
        let path = folder.join(FILE);
        let prompt = prompt::in_a_file(launch::utf8(&path)?);
        Ok(Some(Self { path, prompt }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{NAMES, adapter, testing::Launch};
    use super::*;
    use crate::domain::run::prompt::same_prompt;
    use std::fs;

    /// Whatever a CLI does with its prompt, no argument and no variable is too long, and the whole
    /// task is where the prompt says.
    #[test]
    fn a_task_of_any_allowed_size_reaches_every_cli() {
        for (name, mode) in NAMES
            .iter()
            .flat_map(|name| [(name, "interactive"), (name, "headless")])
        {
            let mut launch = Launch::new(name);
            let command = if *name == "command" {
                r#", "command": ["/bin/sh", "{task}"]"#
            } else {
                ""
            };
            launch.config(&format!(
                r#"{{"mode": "{mode}", "bin": "/bin/sh"{command}}}"#
            ));
            for (size, in_file) in [(100 * 1024, false), (100 * 1024 + 1, true), (1 << 20, true)] {
                let task = "'ä' ".repeat(size / 5) + &"x".repeat(size % 5);
                assert_eq!(task.len(), size);
                let long = LongTask::of(&task, launch.run_dir()).unwrap();
                assert_eq!(long.is_some(), in_file, "{size}");
                let mut context = launch.context();
                context.task = long.as_ref().map_or(&task, |long| &long.prompt);
                context.task_file = long.as_ref().map(|long| long.path.as_path());
                let plan = adapter(name).unwrap().plan(&context).unwrap();
                let told = plan
                    .argv
                    .iter()
                    .any(|argument| argument.contains(context.task));
                assert!(told, "{name} {mode} {size}: {:?}", plan.argv.len());
                let file = plan.env.iter().find(|(name, _)| name == "ABBADO_TASK_FILE");
                assert_eq!(file.is_some(), in_file, "{name} {size}");
                if let Some((_, file)) = file {
                    assert!(context.task.contains(file.as_str()));
                    assert_eq!(fs::read_to_string(file).unwrap(), task);
                }
                // Its prompt hook tells what it was told: that is the task, and nobody's message.
                assert!(same_prompt(&task, context.task), "{name} {size}");
            }
        }
    }

    #[test]
    fn no_other_prompt_is_taken_for_a_long_task() {
        let told = prompt::in_a_file("/run/task.txt");
        assert!(!same_prompt("short", &told));
        assert!(!same_prompt(&"x".repeat(200_000), "something else"));
    }
}
