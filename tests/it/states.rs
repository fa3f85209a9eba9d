//! Random repositories, states of a worktree and operations, compared with what plain git says.
//!
//! Whatever state an agent leaves its worktree in: no answer is a fault, a refusal changes nothing,
//! what an answer names is true, branches of the user stay where they are, and no content is lost.
//! `ABBADO_SEED=n` plays one history, `ABBADO_PROGRAM=path` has another build play them.

use crate::support::{GIT_CONFIG, Reply, Server, World, text};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

const HISTORIES: u64 = 30;
const HISTORIES_PROVE: u64 = 300;
/// Played side by side.
const PLAYERS: usize = 3;
const SEED: u64 = 20_261_201;

/// What belongs to an operation of git's that waits.
const UNDER_WAY: [&str; 7] = [
    "MERGE_HEAD",
    "CHERRY_PICK_HEAD",
    "REVERT_HEAD",
    "BISECT_START",
    "rebase-merge",
    "rebase-apply",
    "sequencer",
];

/// What the agent does last: where its HEAD is then, and what waits.
const STATES: [&str; 18] = [
    "true",
    "git checkout -q --detach",
    "git checkout -q --detach; echo d >> b.txt; git commit -qam detached",
    "git switch -q -c feature",
    "git switch -q -c feature; echo f >> b.txt; git commit -qam feature",
    "git switch -q develop",
    "git switch -q --orphan pages; echo '<html>' > index.html",
    "git branch -q -m renamed",
    "git merge -q other",
    "git merge -q other; git add -A",
    "git merge -q other; git checkout -q --ours a.txt; git add a.txt",
    "git merge -q other; echo both > a.txt",
    "git rebase -q other",
    "git rebase -q --apply other",
    "git cherry-pick other",
    "git bisect start HEAD main~0",
    "git rebase -q main",
    "git merge -q --no-edit main",
];

/// What the agent does before.
const EDITS: [&str; 11] = [
    "echo more >> a.txt",
    "echo 'new file' > 'new file'",
    "mkdir -p dir/deep; seq 30 > dir/deep/n.txt",
    "git mv -f b.txt moved.txt",
    "rm -f dir/c.txt",
    "printf 'a\\r\\nb\\r\\n' > dos.txt",
    "printf '\\000\\001' > binary",
    "mkdir -p build; echo x > build/x; echo k > build/keep",
    "echo s > x.ignored; git add -f x.ignored; echo t >> x.ignored",
    "echo staged > staged.txt; git add staged.txt; echo later >> staged.txt",
    "git init -q app; echo code > app/main.c; git -C app add -A; git -C app commit -qm inner",
];

const ATTRIBUTES: [&str; 5] = [
    "",
    "* text=auto",
    "*.txt text eol=crlf",
    "*.txt ident",
    "dos.txt -text",
];

/// A git of the agent's or the user's, which may refuse.
fn try_git(folder: &Path, args: &[&str], index: Option<&Path>) -> Output {
    let mut git = Command::new("git");
    git.current_dir(folder).args(args).envs(environment());
    git.envs(index.map(|index| ("GIT_INDEX_FILE", index)));
    git.output().unwrap()
}

fn environment() -> [(&'static str, &'static str); 7] {
    [
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_CONFIG_SYSTEM", GIT_CONFIG),
        ("GIT_AUTHOR_NAME", "a"),
        ("GIT_AUTHOR_EMAIL", "a@localhost"),
        ("GIT_COMMITTER_NAME", "a"),
        ("GIT_COMMITTER_EMAIL", "a@localhost"),
        ("GIT_EDITOR", "true"),
    ]
}

fn git(folder: &Path, args: &[&str]) -> String {
    let output = try_git(folder, args, None);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {args:?}: {error}");
    let said = String::from_utf8_lossy(&output.stdout);
    said.trim().to_owned()
}

/// A revision's commit, if there is one.
fn commit_at(folder: &Path, revision: &str) -> Option<String> {
    let output = try_git(folder, &["rev-parse", "-q", "--verify", revision], None);
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(said)
}

fn shell(folder: &Path, script: &str) {
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).current_dir(folder);
    shell.envs(environment()).output().unwrap();
}

/// All that an operation that is refused must leave alone.
#[derive(Debug, PartialEq)]
struct Snapshot {
    refs: String,
    head: String,
    index: String,
    under_way: Vec<&'static str>,
    files: BTreeMap<PathBuf, Vec<u8>>,
}

/// Totals as `diff-stats` has them.
type Totals = (u64, u64, u64);

fn totals(value: &Value) -> Totals {
    let number = |name: &str| value[name].as_u64().unwrap();
    (
        number("files_changed"),
        number("insertions"),
        number("deletions"),
    )
}

struct History<'a> {
    server: &'a Server,
    repo: PathBuf,
    remote: PathBuf,
    run: String,
    /// As the API names it.
    branch: String,
    base: String,
    worktree: PathBuf,
    admin: PathBuf,
    random: fastrand::Rng,
    /// Branches of the user.
    users: Vec<(String, String)>,
    /// Contents that stood there when an operation could have dropped them, by either id.
    stood: Vec<(PathBuf, [String; 2])>,
    done: Vec<String>,
}

impl<'a> History<'a> {
    fn begin(server: &'a Server, world: &World, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut done = vec![format!("seed {seed}")];
        let repo = world.path(&format!("repo-{seed}"));
        let remote = world.path(&format!("remote-{seed}"));
        fs::create_dir_all(repo.join("dir")).unwrap();
        let attributes = ATTRIBUTES[random.usize(..ATTRIBUTES.len())];
        done.push(format!("attributes {attributes:?}"));
        for (path, contents) in [
            ("a.txt", "one\ntwo\nthree\n"),
            ("b.txt", "$Id$\nb\n"),
            ("dir/c.txt", "c\n"),
            (".gitignore", "*.ignored\nbuild/*\n!build/keep\n"),
            (".gitattributes", attributes),
        ] {
            fs::write(repo.join(path), contents).unwrap();
        }
        let remote_path = remote.to_str().unwrap();
        git(&repo, &["init", "-q", "--bare", remote_path]);
        let begin = "git init -q -b main; git add -A; git commit -qm begin; \
                     git switch -q -c develop; echo dev > dev.txt; git add -A; git commit -qm dev; \
                     git switch -q -c other main; echo theirs > a.txt; git commit -qam theirs; \
                     git switch -q main; git remote add origin";
        shell(&repo, &format!("{begin} '{remote_path}'"));
        let (run, view) = begin_run(server, &repo);
        let worktree = PathBuf::from(text(&view["repos"][0], "worktree"));
        Self {
            branch: text(&view, "run_branch"),
            base: git(&repo, &["rev-parse", "main"]),
            admin: git(&worktree, &["rev-parse", "--absolute-git-dir"]).into(),
            server,
            repo,
            remote,
            run,
            worktree,
            random,
            users: Vec::new(),
            stood: Vec::new(),
            done,
        }
    }

    fn agent(&mut self, script: &str) {
        self.done.push(script.to_owned());
        shell(&self.worktree, script);
    }

    fn play(&mut self) {
        for _ in 0..self.random.usize(0..4) {
            let edit = EDITS[self.random.usize(..EDITS.len())];
            self.agent(edit);
        }
        if self.random.bool() {
            self.agent("git add -A; git commit -qm work; echo mine > a.txt; git commit -qam mine");
        }
        if self.random.bool() {
            let repo = self.repo.clone();
            self.done.push("the user commits on main".into());
            shell(
                &repo,
                "seq 9 > theirs.txt; git add -A; git commit -qm theirs",
            );
        }
        let state = STATES[self.random.usize(..STATES.len())];
        self.agent(state);
        if self.random.bool() {
            self.agent("echo last > last.txt");
        }
        let users = ["main", "develop", "other"];
        self.users = users
            .map(|name| (name.to_owned(), git(&self.repo, &["rev-parse", name])))
            .to_vec();
        self.look();
        for _ in 0..self.random.usize(1..4) {
            match self.random.u32(0..10) {
                0..=3 => self.commit(),
                4..=5 => self.push(),
                6..=7 => self.revert(),
                8 => self.restore(),
                _ => self.rename(),
            }
            self.look();
        }
        self.delete();
    }

    fn path(&self, operation: &str) -> String {
        format!("runs/{}/{operation}", self.run)
    }

    #[track_caller]
    fn check(&self, right: bool, what: impl FnOnce() -> String) {
        assert!(right, "{}\nafter {:#?}", what(), self.done);
    }

    fn snapshot(&self) -> Snapshot {
        let there = |name: &&str| self.admin.join(name).exists();
        Snapshot {
            refs: git(&self.repo, &["for-each-ref", "refs/heads", "refs/tags"]),
            head: fs::read_to_string(self.admin.join("HEAD")).unwrap(),
            index: git(&self.worktree, &["ls-files", "-s", "-v"]),
            under_way: UNDER_WAY.into_iter().filter(there).collect(),
            files: files(&self.worktree),
        }
    }

    /// Asks for an operation, of which a refusal must have changed nothing.
    fn ask(&mut self, operation: &str, body: &Value) -> Reply {
        let before = self.snapshot();
        self.remember(&before);
        let reply = match body.is_null() {
            true => self.server.post_empty(&self.path(operation)),
            false => self.server.post(&self.path(operation), body),
        };
        let said = reply.text.chars().take(200).collect::<String>();
        self.done
            .push(format!("{operation}: {} {said}", reply.status));
        self.check(reply.status < 500, || "a fault".into());
        if reply.status >= 400 {
            let after = self.snapshot();
            self.check(after == before, || {
                format!("it was refused and changed something: {before:#?}\n{after:#?}")
            });
        }
        self.users_stay();
        reply
    }

    fn users_stay(&self) {
        for (name, tip) in &self.users {
            let now = commit_at(&self.repo, &format!("refs/heads/{name}"));
            self.check(now.as_ref() == Some(tip), || {
                format!("the user's branch {name} was moved from {tip} to {now:?}")
            });
        }
    }

    /// Takes down what git would keep of the worktree.
    fn remember(&mut self, snapshot: &Snapshot) {
        let listed = [
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ];
        let listed = try_git(&self.worktree, &listed, None).stdout;
        let paths = listed.split(|byte| *byte == 0);
        let paths: BTreeSet<PathBuf> = paths
            .map(|path| PathBuf::from(std::ffi::OsString::from_vec(path.to_vec())))
            .filter(|path| snapshot.files.contains_key(path))
            .collect();
        let ids = |filters: &[&str]| {
            let mut hash = Command::new("git");
            hash.current_dir(&self.worktree)
                .arg("hash-object")
                .args(filters);
            hash.envs(environment()).arg("--").args(&paths);
            let said = hash.output().unwrap().stdout;
            let said = String::from_utf8(said).unwrap();
            said.lines().map(str::to_owned).collect::<Vec<_>>()
        };
        if paths.is_empty() {
            return;
        }
        let (plain, filtered) = (ids(&["--no-filters"]), ids(&[]));
        let both = plain.into_iter().zip(filtered);
        let both = both.map(|(plain, filtered)| [plain, filtered]);
        self.stood.extend(paths.iter().cloned().zip(both));
    }

    /// Everything that stood there is within reach of a ref.
    fn nothing_is_lost(&self, commits: &[Option<String>]) {
        let listed = git(&self.repo, &["rev-list", "--objects", "--all"]);
        let reached: BTreeSet<&str> = listed.lines().map(|line| &line[..40]).collect();
        for (path, ids) in &self.stood {
            let kept = ids.iter().any(|id| reached.contains(id.as_str()));
            self.check(kept, || format!("contents of {} are lost", path.display()));
        }
        for commit in commits.iter().flatten() {
            self.check(reached.contains(commit.as_str()), || {
                format!("the commit {commit} is lost")
            });
        }
    }

    /// The worktree, staged by plain git in an index of its own: its tree, when git can.
    fn staged(&self) -> Option<(PathBuf, String)> {
        let index = self.admin.join("index-of-the-test");
        drop(fs::remove_file(&index));
        if self.admin.join("index").exists() {
            fs::copy(self.admin.join("index"), &index).unwrap();
        }
        let git = |args: &[&str]| {
            let output = try_git(&self.worktree, args, Some(&index));
            let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            output.status.success().then_some(said)
        };
        git(&["add", "-A"])?;
        let tree = git(&["write-tree"])?;
        Some((index, tree))
    }

    /// Changes and counts agree with each other and with git.
    fn look(&mut self) {
        let changes = self.server.get(&self.path("changes"));
        let stats = self.server.get(&self.path("diff-stats"));
        self.check(changes.status == 200 && stats.status == 200, || {
            format!("{changes:?} {stats:?}")
        });
        let (changes, stats) = (totals(&changes.json()), totals(&stats.json()));
        let expected = self.expected();
        let agree = changes == stats && expected.is_none_or(|expected| expected == changes);
        self.check(agree, || {
            format!("changes {changes:?}, diff-stats {stats:?}, git {expected:?}")
        });
    }

    fn expected(&self) -> Option<Totals> {
        let (index, _) = self.staged()?;
        let base = match commit_at(&self.worktree, "HEAD") {
            Some(_) => commit_of(&try_git(
                &self.worktree,
                &["merge-base", "HEAD", "main"],
                None,
            )),
            None => None,
        };
        let base = base.unwrap_or_else(|| self.base.clone());
        let diff = [
            "diff",
            "--cached",
            "-M",
            "--numstat",
            "--no-ext-diff",
            &base,
        ];
        let output = try_git(&self.worktree, &diff, Some(&index));
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut sum = (0, 0, 0);
        for line in said.lines() {
            let mut words = line.split('\t').map(|word| word.parse().unwrap_or(0));
            sum.0 += 1;
            sum.1 += words.next().unwrap_or(0);
            sum.2 += words.next().unwrap_or(0);
        }
        Some(sum)
    }

    fn commit(&mut self) {
        let head = commit_at(&self.worktree, "HEAD");
        let other = commit_at(&self.worktree, "MERGE_HEAD");
        let staged = self.staged().map(|(_, tree)| tree);
        let tree = commit_at(&self.worktree, "HEAD^{tree}");
        let reply = self.ask("commit", &json!({"message": "by the user"}));
        let nothing = staged.is_some() && staged == tree && other.is_none();
        if reply.status == 400 {
            return self.check(nothing, || "git would have committed".into());
        }
        if reply.status != 200 {
            return;
        }
        let answer = &reply.json()[0];
        let (commit, branch) = (text(answer, "commit"), text(answer, "branch"));
        let of_branch = commit_at(&self.repo, &format!("refs/heads/{branch}"));
        self.check(of_branch.as_deref() == Some(&commit), || {
            format!("{branch} is at {of_branch:?}, not at {commit}")
        });
        let now = commit_at(&self.repo, &format!("{commit}^{{tree}}"));
        self.check(now == staged && !nothing, || {
            format!("tree {now:?}, git has {staged:?}")
        });
        let parents = git(&self.repo, &["log", "-1", "--format=%P", &commit]);
        let expected = [head, other].into_iter().flatten();
        let expected = expected.collect::<Vec<_>>().join(" ");
        self.check(parents == expected, || {
            format!("parents {parents}, not {expected}")
        });
        let marked = try_git(&self.repo, &["grep", "-l", "^<<<<<<< ", &commit], None);
        self.check(marked.stdout.is_empty(), || {
            "conflict markers were committed".into()
        });
    }

    fn push(&mut self) {
        let head = commit_at(&self.worktree, "HEAD");
        let reply = self.ask("push", &Value::Null);
        if reply.status != 200 {
            return;
        }
        let branch = text(&reply.json()[0], "branch");
        let there = commit_at(&self.remote, &format!("refs/heads/{branch}"));
        self.check(there.is_some() && there == head, || {
            format!("{branch} of the remote is at {there:?}, HEAD at {head:?}")
        });
    }

    fn revert(&mut self) {
        let commits = ["HEAD", &self.branch, "MERGE_HEAD", "CHERRY_PICK_HEAD"];
        let commits = commits.map(|name| commit_at(&self.worktree, name));
        let reply = self.ask("revert", &Value::Null);
        self.check(reply.status == 200, || format!("{reply:?}"));
        self.nothing_is_lost(&commits);
        let after = self.snapshot();
        let on_branch = after.head.trim() == format!("ref: refs/heads/{}", self.branch);
        self.check(on_branch && after.under_way.is_empty(), || {
            format!("{after:?}")
        });
        let tip = commit_at(&self.repo, &format!("refs/heads/{}", self.branch));
        self.check(tip.as_ref() == Some(&self.base), || {
            format!("the run's branch is at {tip:?}")
        });
        let status = git(&self.worktree, &["status", "--porcelain"]);
        // What is ignored and was tracked stays, as does a repository that is not git's to remove.
        let left = status.lines().filter(|line| !line.ends_with("app/"));
        self.check(left.count() == 0, || status.clone());
    }

    fn restore(&mut self) {
        let list = self.server.get(&self.path("checkpoints")).expect(200);
        let Some(last) = list.as_array().and_then(|all| all.last()) else {
            return;
        };
        let before = self.snapshot();
        let operation = format!("checkpoints/{}/restore", last["number"]);
        let reply = self.ask(&operation, &Value::Null);
        if reply.status == 200 {
            self.nothing_is_lost(&[commit_at(&self.worktree, "MERGE_HEAD")]);
            let after = self.snapshot();
            self.check(
                after.head == before.head && after.refs == before.refs,
                || format!("{before:?} {after:?}"),
            );
        }
    }

    fn rename(&mut self) {
        let name = format!("name/{}", self.random.u32(..));
        let reply = self.ask("rename-branch", &json!({"name": name}));
        if reply.status == 200 {
            let there = commit_at(&self.repo, &format!("refs/heads/{name}"));
            self.check(there.is_some(), || format!("there is no {name}"));
            self.branch = name;
        }
    }

    fn delete(&mut self) {
        let before = self.snapshot();
        self.remember(&before);
        let commits = ["HEAD", "MERGE_HEAD"].map(|name| commit_at(&self.worktree, name));
        let reply = self.server.delete(&format!("runs/{}", self.run));
        self.done.push(format!("delete: {}", reply.status));
        self.check(reply.status == 204, || format!("{reply:?}"));
        self.check(!self.worktree.exists() && !self.admin.exists(), || {
            "it is there".into()
        });
        self.users_stay();
        self.nothing_is_lost(&commits);
    }
}

fn commit_of(output: &Output) -> Option<String> {
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(said)
}

/// All files and links below a folder, repositories inside it aside.
fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for item in fs::read_dir(folder).unwrap().flatten() {
            let (path, kind) = (item.path(), item.file_type().unwrap());
            let contents = match (kind.is_dir(), kind.is_symlink()) {
                (true, _) if path.join(".git").exists() => continue,
                (true, _) => {
                    folders.push(path);
                    continue;
                }
                (_, true) => fs::read_link(&path)
                    .unwrap()
                    .as_os_str()
                    .as_bytes()
                    .to_vec(),
                (_, false) => fs::read(&path).unwrap(),
            };
            if path != root.join(".git") {
                found.insert(path.strip_prefix(root).unwrap().to_owned(), contents);
            }
        }
    }
    found
}

/// A run whose agent has ended at once, and its view.
fn begin_run(server: &Server, repo: &Path) -> (String, Value) {
    let project = server.post("projects", &json!({"name": "p"})).expect(201);
    let project = text(&project, "id");
    let fields = json!({"name": "repo", "repo_path": repo});
    server
        .post(&format!("projects/{project}/repos"), &fields)
        .expect(201);
    let agent = json!({
        "project_id": project, "name": "a", "cli_name": "command",
        "provider_config": {"command": ["true"]},
    });
    let agent = text(&server.post("agents", &agent).expect(201), "id");
    let run = server.run(&agent, "x");
    let view = server.wait(&run, "it has ended", |view| {
        view["status"] == "completed" && view["process"]["alive"] == false
    });
    (run, view)
}

#[test]
fn whatever_state_git_is_in_answers_are_true_and_nothing_is_lost() {
    let count = match std::env::var_os("ABBADO_PROVE") {
        Some(_) => HISTORIES_PROVE,
        None => HISTORIES,
    };
    let one = std::env::var_os("ABBADO_SEED").and_then(|seed| seed.into_string().ok());
    let one: Option<u64> = one.and_then(|seed| seed.parse().ok());
    let seeds = one.map_or(SEED..SEED + count, |seed| seed..seed + 1);
    let world = World::new();
    let server = match std::env::var_os("ABBADO_PROGRAM") {
        Some(program) => world.serve_by(Command::new(program), "127.0.0.1:0", &[]),
        None => world.serve(),
    };
    let (next, wrong) = (AtomicU64::new(seeds.start), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..PLAYERS {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let play = || History::begin(&server, &world, seed).play();
                    if std::panic::catch_unwind(std::panic::AssertUnwindSafe(play)).is_err() {
                        wrong.lock().unwrap().push(seed);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(
        wrong.is_empty(),
        "{} histories went wrong: {wrong:?}",
        wrong.len()
    );
}
