//! Sets `ABBADO_COMMIT` to the commit of the build, and embeds the web UI from web/dist; without
//! one the server shows how to build it.

use std::{env, fmt::Write as _, fs, path::Path, process::Command};

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
    write_assets();
}

/// Writes the table of the UI's files for src/http/api/ui.rs.
fn write_assets() {
    let here = env::current_dir().expect("cargo starts this in the package's folder");
    let dist = here.join("web/dist");
    // Created when missing: cargo treats a missing folder as always changed.
    fs::create_dir_all(&dist).expect("web/ can be written");
    println!("cargo::rerun-if-changed=web/dist");
    let mut found = Vec::new();
    collect(&dist, &mut found);
    found.sort();
    let mut table = String::from("static ASSETS: &[Asset] = &[\n");
    for path in &found {
        let name = path.strip_prefix(&dist).expect("it was found below");
        let name = name.to_str().expect("Vite writes plain names");
        writeln!(
            table,
            "    Asset {{ path: {name:?}, bytes: include_bytes!({path:?}) }},"
        )
        .expect("a String takes everything");
    }
    table.push_str("];\n");
    let out = env::var_os("OUT_DIR").expect("cargo sets it");
    fs::write(Path::new(&out).join("web_assets.rs"), table).expect("OUT_DIR can be written");
}

fn collect(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// The output of a git command; none without git or outside a repository.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}
