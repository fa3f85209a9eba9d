//! Cached counts equal fresh ones after any change.

use super::support::{World, commit_all, git, write};
use crate::{
    domain::run::event::WorktreeAt,
    git::{ChangesOf, DiffStats, StatsCache, changes},
};
use proptest::{prelude::*, test_runner::RngSeed};
use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

struct Case {
    world: World,
    repo: PathBuf,
    at: WorktreeAt,
    base: String,
    cache: StatsCache,
}

impl Case {
    fn new() -> Self {
        let world = World::new();
        let (repo, at) = world.worktree();
        let base = git(&at.worktree, &["rev-parse", "HEAD"]).trim().to_owned();
        let home = world.path("home");
        let cache = StatsCache::new(&home, &[home.join(".config")]);
        Self {
            world,
            repo,
            at,
            base,
            cache,
        }
    }

    fn of(&self) -> ChangesOf<'_> {
        ChangesOf {
            at: &self.at,
            repo_path: &self.repo,
            base_commit: &self.base,
            checkpoint: None,
        }
    }

    fn told(&self) -> DiffStats {
        self.cache.diff_stats(self.of()).unwrap()
    }

    /// The other way: everything staged.
    fn fresh(&self) -> DiffStats {
        changes(self.of(), &mut |_| Ok(())).unwrap().total
    }

    fn remembers(&self) -> bool {
        self.cache.remembers(&self.at.worktree)
    }
}

/// Something that happens in or to a worktree.
#[derive(Debug, Clone)]
enum Step {
    Write(&'static str, u8),
    Append(&'static str),
    InPlace(&'static str),
    Remove(&'static str),
    Rename(&'static str, &'static str),
    Link(&'static str),
    Runs(&'static str, bool),
    Folder(&'static str),
    Ignore(&'static str),
    IgnoreBelow(&'static str),
    Exclude(&'static str),
    UserIgnore(&'static str),
    Attributes(&'static str),
    Config(&'static str, &'static str),
    Git(&'static [&'static str]),
}

fn step() -> impl Strategy<Value = Step> {
    let name = || {
        prop::sample::select(vec![
            "a.txt",
            "dir/b.txt",
            "dir/new",
            "new/deep/er/file",
            "new/x",
            "out/kept",
            "out",
            "dir",
            "x.ignored",
            "new",
            "new/.gitignore",
            "new/deep/.keep",
            ".gitattributes",
            ":(top)a",
        ])
    };
    let rule = || {
        prop::sample::select(vec![
            "",
            "out/\n",
            "new\n",
            "!x.ignored\n",
            "dir/n*\n",
            // Folders whose contents are ignored, but for some.
            "new/*\n!new/x\n",
            "/new/**\n!/new/deep/\n!.keep\n",
            "new/*\n!new/deep\nnew/deep/*\n!.keep\n",
            "*\n!*/\n!.gitignore\n!x\n",
            "deep/\n!new/deep/er/file\n",
        ])
    };
    let own = || {
        prop::sample::select(vec![
            "*\n!x\n",
            "*\n!.gitignore\n!deep/\n",
            "/deep/*\n!/deep/.keep\n",
        ])
    };
    prop_oneof![
        6 => (name(), any::<u8>()).prop_map(|(name, text)| Step::Write(name, text)),
        2 => name().prop_map(Step::Append),
        2 => name().prop_map(Step::InPlace),
        3 => name().prop_map(Step::Remove),
        3 => (name(), name()).prop_map(|(from, to)| Step::Rename(from, to)),
        1 => name().prop_map(Step::Link),
        1 => (name(), any::<bool>()).prop_map(|(name, runs)| Step::Runs(name, runs)),
        2 => name().prop_map(Step::Folder),
        1 => rule().prop_map(Step::Ignore),
        1 => own().prop_map(Step::IgnoreBelow),
        1 => rule().prop_map(Step::Exclude),
        1 => rule().prop_map(Step::UserIgnore),
        1 => prop::sample::select(vec!["", "*.txt binary\n", "*.txt eol=crlf\n"])
            .prop_map(Step::Attributes),
        1 => prop::sample::select(vec![("core.autocrlf", "input"), ("core.filemode", "false"), ("core.bigFileThreshold", "3")])
            .prop_map(|(key, value)| Step::Config(key, value)),
        4 => prop::sample::select(vec![
            &["add", "-A"][..],
            &["add", "-f", "-A"],
            &["commit", "-q", "-m", "more", "--allow-empty"],
            &["rm", "-q", "-r", "--cached", "--ignore-unmatch", "dir", "a.txt"],
            &["reset", "-q"],
            &["reset", "-q", "--hard"],
            &["status"],
            &["add", "-A", "-N"],
            &["stash", "-q"],
        ]).prop_map(Step::Git),
    ]
}

/// Applies it, if that is possible there.
fn act(case: &Case, step: &Step) {
    let root = &case.at.worktree;
    let lines = |text: u8| -> String {
        let lines = (0..u32::from(text) % 7).map(|line| format!("{} {line}\n", text % 3));
        lines.collect()
    };
    match step {
        Step::Write(path, text) => {
            let path = root.join(path);
            path.parent().map(fs::create_dir_all);
            drop(fs::write(path, lines(*text)));
        }
        Step::Append(path) => {
            let file = File::options().append(true).open(root.join(path));
            drop(file.and_then(|mut file| file.write_all(b"more\n")));
        }
        Step::InPlace(path) => {
            // The same length, immediately after the last request.
            if let Ok(mut text) = fs::read(root.join(path)) {
                text.iter_mut().take(1).for_each(|byte| *byte ^= 1);
                drop(fs::write(root.join(path), text));
            }
        }
        Step::Remove(path) => {
            let path = root.join(path);
            drop(fs::remove_file(&path).or_else(|_| fs::remove_dir_all(path)));
        }
        Step::Rename(from, to) => drop(fs::rename(root.join(from), root.join(to))),
        Step::Link(path) => drop(symlink("a.txt", root.join(path))),
        Step::Runs(path, runs) => {
            let mode = fs::Permissions::from_mode(if *runs { 0o755 } else { 0o644 });
            let path = root.join(path);
            if fs::symlink_metadata(&path).is_ok_and(|found| found.is_file()) {
                fs::set_permissions(path, mode).unwrap();
            }
        }
        Step::Folder(path) => drop(fs::create_dir_all(root.join(path))),
        Step::Ignore(rules) => write(root, ".gitignore", format!("*.ignored\n{rules}")),
        Step::IgnoreBelow(rules) => {
            if fs::create_dir_all(root.join("new")).is_ok() {
                drop(fs::write(root.join("new/.gitignore"), rules));
            }
        }
        Step::Exclude(rules) => write(&case.repo, ".git/info/exclude", rules),
        Step::UserIgnore(rules) => write(&case.world.path("home"), ".config/git/ignore", rules),
        Step::Attributes(rules) => write(&case.repo, ".git/info/attributes", rules),
        Step::Config(key, value) => drop(git(&case.repo, &["config", key, value])),
        Step::Git(arguments) => may_fail(root, arguments),
    }
}

/// Such as a commit during a conflict.
fn may_fail(folder: &Path, arguments: &[&str]) {
    let who = ["-c", "user.name=T", "-c", "user.email=t@localhost"];
    let output = std::process::Command::new("git")
        .current_dir(folder)
        .args(who)
        .args(arguments)
        .envs(super::hermetic_environment())
        .output();
    drop(output.unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if std::env::var_os("ABBADO_PROVE").is_some() { 400 } else { 24 },
        rng_seed: RngSeed::Fixed(20_261_129), failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn after_any_change_the_answer_is_a_fresh_one(
        steps in prop::collection::vec((step(), 0..3_u8), 1..20),
    ) {
        let case = Case::new();
        prop_assert_eq!(case.told(), DiffStats::default());
        prop_assert!(case.remembers());
        for (step, looks) in &steps {
            act(&case, step);
            for _ in 0..*looks {
                let fresh = case.fresh();
                prop_assert_eq!(case.told(), fresh, "{:?}", step);
                prop_assert_eq!(case.told(), fresh, "{:?}, again", step);
            }
        }
    }
}

#[test]
fn an_answer_is_remembered_until_something_changes() {
    let case = Case::new();
    let root = &case.at.worktree;
    write(root, "a.txt", "one\ntwo\n");
    write(root, "new/file", "x\n");
    assert!(!case.remembers());
    let told = case.told();
    assert_eq!((told.files_changed, told.insertions), (2, 2));
    assert!(case.remembers());
    assert_eq!(case.told(), told);
    assert!(case.remembers());
    // Ignored and untracked folders are not watched.
    fs::create_dir_all(root.join("y.ignored/deep")).unwrap();
    assert_eq!(case.told(), told);
    fs::write(root.join("y.ignored/deep/file"), "x").unwrap();
    assert!(case.remembers());
    assert_eq!(case.told(), told);
    // A folder that was created later is.
    fs::create_dir_all(root.join("empty/deep")).unwrap();
    assert_eq!(case.told(), told);
    write(root, "empty/deep/file", "x\n");
    assert_eq!(case.told().files_changed, 3);
    commit_all(root, "work");
    assert_eq!(case.told().files_changed, 3);
    assert!(case.remembers());
    case.cache.forget(root);
    assert!(!case.remembers());
    assert_eq!(case.told().files_changed, 3);
}

#[test]
fn a_file_with_another_name_elsewhere_is_not_remembered() {
    let case = Case::new();
    let other = case.world.path("elsewhere");
    fs::hard_link(case.at.worktree.join("a.txt"), &other).unwrap();
    assert_eq!(case.told(), DiffStats::default());
    assert!(!case.remembers());
    fs::write(&other, "other\n").unwrap();
    assert_eq!(case.told().files_changed, 1);
}

#[test]
fn a_worktree_that_needs_staging_is_counted_each_time() {
    let case = Case::new();
    let root = &case.at.worktree;
    git(root, &["update-index", "--skip-worktree", "a.txt"]);
    assert_eq!(case.told(), DiffStats::default());
    assert!(!case.remembers());
    write(root, "a.txt", "other\n");
    assert_eq!(case.told().files_changed, 1);
    // Removed: only the branch is left.
    fs::remove_dir_all(root).unwrap();
    assert_eq!(case.told(), DiffStats::default());
    assert!(!case.remembers());
}

#[test]
fn indexes_of_all_versions_are_read() {
    for version in ["2", "3", "4"] {
        let case = Case::new();
        let root = &case.at.worktree;
        write(root, "dir/c.txt", "three\n");
        git(root, &["add", "-A"]);
        git(
            root,
            &["update-index", &format!("--index-version={version}")],
        );
        assert_eq!(case.told().files_changed, 1, "version {version}");
        assert!(case.remembers(), "version {version}");
        git(root, &["update-index", "--split-index"]);
        write(root, "dir/d.txt", "four\n");
        assert_eq!(case.told().files_changed, 2);
        assert!(!case.remembers(), "a part of it is elsewhere");
    }
}

#[test]
fn what_is_kept_in_a_folder_of_ignored_files_is_counted() {
    for (rules, files) in [
        ("build/*\n!build/keep\n", &["build/keep", "build/gone"][..]),
        ("/logs/**\n!/logs/.keep\n", &["logs/.keep", "logs/x.log"]),
        (
            "var/*\n!var/cache/\nvar/cache/*\n!var/cache/.keep\n",
            &["var/cache/.keep", "var/cache/x", "var/y"],
        ),
    ] {
        let case = Case::new();
        let root = &case.at.worktree;
        write(root, ".gitignore", format!("*.ignored\n{rules}"));
        files.iter().for_each(|file| write(root, file, "x\n"));
        // The rules and one file.
        assert_eq!(case.told().files_changed, 2, "{rules}");
        assert_eq!(case.told(), case.fresh(), "{rules}");
        assert!(case.remembers(), "{rules}");
    }
    let case = Case::new();
    write(&case.at.worktree, "d/.gitignore", "*\n!a\n!.gitignore\n");
    write(&case.at.worktree, "d/a", "x\n");
    write(&case.at.worktree, "d/b", "x\n");
    assert_eq!((case.told().files_changed, case.told()), (2, case.fresh()));
}
