//! What `make` says to someone whose machine lacks what the UI is built with.

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
