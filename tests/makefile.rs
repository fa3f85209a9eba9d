//! The Makefile: its message without Node.js, its list of targets, and the versions that CI and
//! toolchain files share.

#![expect(clippy::unwrap_used, reason = "helpers of tests, too, may fail loudly")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

/// `make node` where only these programs are found.
fn make_node(programs: &Path) -> Output {
    Command::new(find("make"))
        .args(["--silent", "--no-print-directory", "node"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_remove("MAKEFLAGS")
        .env_remove("MAKELEVEL")
        .env("PATH", programs)
        .output()
        .unwrap()
}

/// The lines about Node.js; make adds one of its own, that the target failed.
fn said(output: &Output) -> Vec<String> {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    let lines = text.lines().filter(|line| !line.contains("make: ***"));
    lines.map(str::to_owned).collect()
}

/// Where `/bin/sh` finds a program of this machine.
fn find(program: &str) -> String {
    let found = Command::new("/bin/sh")
        .args(["-c", &format!("command -v {program}")])
        .output()
        .unwrap();
    let path = String::from_utf8(found.stdout).unwrap().trim().to_owned();
    assert!(!path.is_empty(), "{program} is missing");
    path
}

/// The real Node.js, which calls itself of this version.
fn node(folder: &Path, version: &str) {
    let script = format!(
        "#!/bin/sh\n\
         if [ \"$1\" = --version ]; then echo v{version}; exit; fi\n\
         exec {} -e \"Object.defineProperty(process, 'versions', \
         {{value: {{node: '{version}'}}}}); $2\"\n",
        find("node")
    );
    let path = folder.join("node");
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn a_missing_or_old_node_is_told_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    // What the Makefile looks for when it is read.
    std::os::unix::fs::symlink(find("find"), folder.path().join("find")).unwrap();
    let output = make_node(folder.path());
    assert!(!output.status.success());
    let line = "the web UI is built with Node.js 20.19 or newer; here is ";
    assert_eq!(said(&output), [format!("{line}none")]);
    for version in ["18.20.4", "20.18.3"] {
        node(folder.path(), version);
        let output = make_node(folder.path());
        assert!(!output.status.success(), "{version}");
        assert_eq!(said(&output), [format!("{line}v{version}")]);
    }
    for version in ["20.19.0", "22.0.0"] {
        node(folder.path(), version);
        let output = make_node(folder.path());
        assert!(output.status.success(), "{version}: {output:?}");
        assert_eq!(said(&output), [""; 0]);
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The targets that `make help` lists.
fn targets() -> Vec<String> {
    let output = Command::new(find("make"))
        .args(["--silent", "--no-print-directory", "help"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_remove("MAKEFLAGS")
        .env_remove("MAKELEVEL")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let names = text
        .lines()
        .filter_map(|line| line.split_whitespace().nth(1));
    names.map(str::to_owned).collect()
}

#[test]
fn help_lists_every_target_that_is_no_file() {
    let makefile = read("Makefile");
    let phony = makefile
        .lines()
        .find_map(|line| line.strip_prefix(".PHONY: "));
    let mut phony: Vec<_> = phony.unwrap().split_whitespace().collect();
    let mut listed = targets();
    phony.sort_unstable();
    listed.sort_unstable();
    assert_eq!(listed, phony);
}

#[test]
fn ci_runs_make_and_nothing_else() {
    let targets = targets();
    let workflow = read(".github/workflows/ci.yml");
    let steps: Vec<_> = workflow
        .lines()
        .filter_map(|line| line.trim_start_matches([' ', '-']).strip_prefix("run:"))
        .collect();
    assert!(steps.len() >= 3, "{steps:?}");
    for step in steps {
        let target = step.trim().strip_prefix("make ");
        let target = target.unwrap_or_else(|| panic!("{step}"));
        assert!(targets.iter().any(|name| name == target), "{target}");
    }
}

/// Cargo refuses an older one than `rust-version`; everything else that names a version agrees.
#[test]
fn the_least_toolchain_is_the_same_wherever_it_is_named() {
    let value = |text: &str, key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key));
        let value = line
            .unwrap_or_else(|| panic!("no {key}"))
            .trim_matches(['=', ' ', '"']);
        value.to_owned()
    };
    let least = value(&read("Cargo.toml"), "rust-version");
    let number = |version: &str| -> Vec<u32> {
        version
            .split('.')
            .map(|part| part.parse().unwrap())
            .collect()
    };
    let channel = value(&read("rust-toolchain.toml"), "channel");
    assert!(
        channel == "stable" || number(&channel) >= number(&least),
        "rust-toolchain.toml has {channel}, Cargo.toml {least}"
    );
    let workflow = read(".github/workflows/ci.yml");
    assert!(workflow.contains(&format!("RUSTUP_TOOLCHAIN: \"{least}\"")));
    assert!(workflow.contains(&format!("\"rust:{least}-bookworm\"")));
    assert!(read("CONTRIBUTING.md").contains(&format!("Rust {least} or newer")));
}
