use super::*;
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

struct Bench {
    folder: tempfile::TempDir,
    spec: LaunchSpec,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let spec = LaunchSpec {
            run_id: uuid::Uuid::nil(),
            attempt: 1,
            run_dir: folder.path().to_owned(),
            argv: vec!["program".into()],
            cwd: folder.path().to_owned(),
            env: vec![("PATH".into(), "bin:/usr/bin:/bin".into())],
            cols: 80,
            rows: 24,
            ephemeral: false,
        };
        Self { folder, spec }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn program(&self, name: &str, text: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// What a person is told when the kernel itself is asked.
    fn told(&self, path: &Path) -> String {
        if let Some(why) = unfit(path, &self.spec) {
            return why;
        }
        let env = self.spec.env.iter().cloned();
        let spawned = Command::new(path).env_clear().envs(env).spawn();
        assert!(spawned.is_err(), "{}", path.display());
        refusal(path)
    }
}

#[test]
fn what_the_kernel_refuses_has_a_reason() {
    let mut bench = Bench::new();
    let missing = bench.program("missing", b"#! /opt/node-of-old --flag\n1\n");
    assert_eq!(
        bench.told(&missing),
        "its interpreter `/opt/node-of-old` does not exist"
    );
    let nested = format!("#!{}\n", missing.display());
    let nested = bench.program("nested", nested.as_bytes());
    assert_eq!(
        bench.told(&nested),
        "its interpreter `/opt/node-of-old` does not exist"
    );
    let crlf = "its first line ends in a Windows line break (CRLF), so that `/bin/sh` is not found; save it with LF";
    let windows = bench.program("windows", b"#!/bin/sh\r\necho hi\r\n");
    assert_eq!(bench.told(&windows), crlf);
    let windows = bench.program("windows-env", b"#!/usr/bin/env sh\r\necho hi\r\n");
    assert_eq!(bench.told(&windows), crlf.replace("/bin/sh", "sh"));
    let absent = bench.program("absent", b"#!/usr/bin/env node-of-old\n");
    assert_eq!(
        bench.told(&absent),
        "its interpreter `node-of-old` is not in PATH"
    );
    let plain = bench.path("plain");
    fs::write(&plain, "").unwrap();
    let denied = format!("#!{}\n", plain.display());
    let denied = bench.program("denied", denied.as_bytes());
    assert_eq!(
        bench.told(&denied),
        format!(
            "its interpreter `{}`: it is not executable",
            plain.display()
        )
    );
    let busy = bench.program("busy", &fs::read("/bin/true").unwrap());
    let writer = fs::OpenOptions::new().append(true).open(&busy).unwrap();
    assert!(bench.told(&busy).contains("text file busy"));
    drop(writer);
    let long = "x".repeat(100_000);
    bench
        .spec
        .env
        .extend((0..40).map(|n| (format!("V{n}"), long.clone())));
    let told = bench.told(Path::new("/bin/true"));
    assert_eq!(
        told,
        "its arguments and environment are too long (3907 KiB)"
    );
}

#[test]
fn programs_of_other_machines_and_systems_are_named() {
    let bench = Bench::new();
    let mut head = fs::read("/proc/self/exe").unwrap();
    head.truncate(HEAD_LEN);
    let own = bench.program("own", &head);
    assert_eq!(unfit(&own, &bench.spec), None);
    // Its loader by another name: what a program of another C library asks for.
    if let Some(Form::Elf {
        loader: Some(loader),
    }) = Form::of(&own)
    {
        assert!(Path::new(&loader).exists(), "{loader}");
        let at = memchr::memmem::find(&head, loader.as_bytes()).unwrap();
        let mut other = head.clone();
        other[at + 1] = b'X';
        let other = bench.program("other", &other);
        let told = missing_part(&other, &bench.spec.cwd).unwrap();
        assert!(told.starts_with("its loader `/X"), "{told}");
    }
    if other_formats() {
        return;
    }
    // s390
    head[18..20].copy_from_slice(&[22, 0]);
    for (name, bytes, whose) in [
        ("foreign", head.as_slice(), "another processor"),
        ("mac", b"\xcf\xfa\xed\xfe\x0c\0\0\x01", "macOS"),
        ("windows", b"MZ\x90\0", "Windows"),
    ] {
        let path = bench.program(name, bytes);
        let told = unfit(&path, &bench.spec).unwrap();
        assert!(
            told.starts_with(&format!("it is built for {whose},")),
            "{told}"
        );
    }
}

#[test]
fn headers_of_any_bytes_are_read_without_harm() {
    let mut random = fastrand::Rng::with_seed(7);
    let folder = Bench::new();
    let mut head = fs::read("/proc/self/exe").unwrap();
    head.truncate(512);
    for _ in 0..300 {
        let mut bytes = head.clone();
        for _ in 0..8 {
            let at = random.usize(4..bytes.len());
            bytes[at] = random.u8(..);
        }
        bytes.truncate(random.usize(..bytes.len()));
        let path = folder.program("any", &bytes);
        let told = [
            unfit(&path, &folder.spec),
            missing_part(&path, &folder.spec.cwd),
        ];
        assert!(
            told.into_iter()
                .flatten()
                .all(|why| why.contains("its ") || why.contains("it is "))
        );
    }
}

#[test]
fn a_program_is_found_or_it_is_said_why_not() {
    let mut bench = Bench::new();
    let tool = bench.program("bin/tool", b"#!/bin/sh\n");
    assert_eq!(find("tool", &bench.spec), Ok(tool.clone()));
    assert_eq!(find("bin/tool", &bench.spec), Ok(tool));
    fs::create_dir(bench.path("folder")).unwrap();
    fs::write(bench.path("bin/data"), "").unwrap();
    symlink("loop", bench.path("loop")).unwrap();
    nix::unistd::mkfifo(&bench.path("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let data = format!("{}: it is not executable", bench.path("bin/data").display());
    for (name, why) in [
        ("./folder", "it is a directory"),
        ("bin/data", "it is not executable"),
        ("data", data.as_str()),
        ("./absent", "there is no such file"),
        ("./loop", "its symbolic links form a loop"),
        ("./fifo", "it is not a regular file"),
        ("absent", "it is not installed, or not in PATH"),
    ] {
        assert_eq!(find(name, &bench.spec), Err(why.to_owned()), "{name}");
    }
    bench.spec.env.clear();
    let none = OsString::from("tool");
    assert!(find(none.to_str().unwrap(), &bench.spec).is_err());
}
