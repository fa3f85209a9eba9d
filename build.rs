//! Tells the program which commit it was built from, as `ABBADO_COMMIT`.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=ABBADO_COMMIT");
    println!("cargo::rerun-if-changed=build.rs");
    // HEAD changes with the branch, its log with each commit.
    for name in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--git-path", name]) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    let given = std::env::var_os("ABBADO_COMMIT").and_then(|value| value.into_string().ok());
    let commit = given.or_else(|| git(&["rev-parse", "HEAD"]));
    println!(
        "cargo::rustc-env=ABBADO_COMMIT={}",
        commit.as_deref().unwrap_or("unknown")
    );
}

/// Asks git; nothing without git or outside a repository.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}
