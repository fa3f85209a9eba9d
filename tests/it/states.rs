//! Random repositories, states of a worktree and operations, compared with what plain git says.
//!
//! Whatever state an agent leaves its worktrees in: no answer is a fault, a refusal changes nothing,
//! what an answer names is true, branches of the user stay where they are, and no content is lost.
//! `ABBADO_SEED=n` plays one history, `ABBADO_PROGRAM=path` has another build play them.

mod checkout;
mod git_of_test;

use crate::support::{Reply, Server, World, text};
use checkout::{Checkout, Snapshot, Totals, totals};
use git_of_test::{commit_at, git, shell, try_git};
use serde_json::{Value, json};
use std::{
    process::Command,
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
const EDITS: [&str; 22] = [
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
    // Names that are no UTF-8, composed and decomposed, and with what has a meaning for git.
    "echo l > \"$(printf 'caf\\351.txt')\"; echo c > \"$(printf 'caf\\303\\251')\"; \
     echo d > \"$(printf 'cafe\\314\\201')\"",
    "echo 1 > ':(glob)*'; echo 2 > '-n'; echo 3 > \"$(printf 'a\\nb')\"; echo 4 > 'back\\slash'",
    "mkdir -p sub; echo n > sub/git~1; echo m > sub/.git.",
    "rm -rf dir; ln -s build dir; ln -s nowhere dangling",
    "rm -f b.txt; mkdir -p b.txt; echo in > b.txt/in; rm -rf dir; echo file > dir",
    "mkfifo pipe; rm -f dir/c.txt; mkdir -p dir; mkfifo dir/c.txt",
    "chmod +x a.txt; echo mode > mode.sh; chmod +x mode.sh",
    // What a CLI makes for its subagents.
    "git worktree add -q --detach .agents/one; echo s > .agents/one/sub.txt",
    "git worktree add -q --detach agents/two; echo t > agents/two/t; git -C agents/two add -A; \
     git -C agents/two commit -qm two",
    "git -c protocol.file.allow=always submodule add -q \"$(git rev-parse --git-common-dir)\" module; \
     echo m >> module/a.txt",
    "git sparse-checkout set --cone --sparse-index build; mkdir -p dir; echo out > dir/outside.txt",
];

/// The last ones name filters and encodings that cannot be.
const ATTRIBUTES: [&str; 8] = [
    "",
    "* text=auto",
    "*.txt text eol=crlf",
    "*.txt ident",
    "dos.txt -text",
    "staged.txt filter=not-here\n*.sh filter=not-here",
    "*.sh working-tree-encoding=nonsense\nlast.txt working-tree-encoding=UTF-16",
    "n.txt filter=needed\nlast.txt filter=needed",
];

struct History<'a> {
    server: &'a Server,
    checkouts: Vec<Checkout>,
    run: String,
    /// As the API names it.
    branch: String,
    random: fastrand::Rng,
    done: Vec<String>,
}

impl<'a> History<'a> {
    fn begin(server: &'a Server, world: &World, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut done = vec![format!("seed {seed}")];
        let count = if random.u32(0..4) == 0 { 2 } else { 1 };
        let mut checkouts: Vec<_> = (0..count)
            .map(|number| {
                let attributes = ATTRIBUTES[random.usize(..ATTRIBUTES.len())];
                done.push(format!("attributes {attributes:?}"));
                Checkout::make(world, &format!("repo-{seed}-{number}"), attributes)
            })
            .collect();
        for at in &checkouts {
            // The repository's own, so it is off; and one that has to run and cannot.
            git(
                &at.repo,
                &["config", "filter.needed.clean", "no-such-program"],
            );
            git(&at.repo, &["config", "filter.needed.required", "true"]);
        }
        let (run, view) = begin_run(server, &checkouts);
        for at in &mut checkouts {
            at.begun(&view);
        }
        Self {
            branch: text(&view, "run_branch"),
            server,
            checkouts,
            run,
            random,
            done,
        }
    }

    fn agent(&mut self, number: usize, script: &str) {
        self.done.push(script.to_owned());
        shell(&self.checkouts[number].worktree, script);
    }

    fn play(&mut self) {
        for number in 0..self.checkouts.len() {
            self.work(number);
        }
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

    /// What the agent, and the user beside it, do in one repository.
    fn work(&mut self, number: usize) {
        for _ in 0..self.random.usize(0..4) {
            let edit = EDITS[self.random.usize(..EDITS.len())];
            self.agent(number, edit);
        }
        if self.random.bool() {
            let work = "git add -A; git commit -qm work; echo mine > a.txt; git commit -qam mine";
            self.agent(number, work);
        }
        if self.random.bool() {
            self.done.push("the user commits on main".into());
            shell(
                &self.checkouts[number].repo,
                "seq 9 > theirs.txt; git add -A; git commit -qm theirs",
            );
        }
        let state = STATES[self.random.usize(..STATES.len())];
        self.agent(number, state);
        if self.random.bool() {
            self.agent(number, "echo last > last.txt");
        }
        self.checkouts[number].note_branches();
    }

    fn path(&self, operation: &str) -> String {
        format!("runs/{}/{operation}", self.run)
    }

    #[track_caller]
    fn check(&self, right: bool, what: impl FnOnce() -> String) {
        assert!(right, "{}\nafter {:#?}", what(), self.done);
    }

    #[track_caller]
    fn check_none(&self, wrong: Option<String>) {
        self.check(wrong.is_none(), || wrong.unwrap_or_default());
    }

    fn snapshots(&self) -> Vec<Snapshot> {
        self.checkouts.iter().map(Checkout::snapshot).collect()
    }

    fn is_strange(&self) -> bool {
        self.checkouts.iter().any(Checkout::is_strange)
    }

    fn remember(&mut self, snapshots: &[Snapshot]) {
        for (at, snapshot) in self.checkouts.iter_mut().zip(snapshots) {
            at.remember(snapshot);
        }
    }

    /// Asks for an operation, of which a refusal must have changed nothing.
    fn ask(&mut self, operation: &str, body: &Value) -> Reply {
        let before = self.snapshots();
        self.remember(&before);
        let reply = match body.is_null() {
            true => self.server.post_empty(&self.path(operation)),
            false => self.server.post(&self.path(operation), body),
        };
        let said = reply.text.chars().take(300).collect::<String>();
        self.done
            .push(format!("{operation}: {} {said}", reply.status));
        // 502: the remote refused a push.
        let is_fault = reply.status >= 500 && reply.status != 502;
        self.check(!is_fault, || "a fault".into());
        if reply.status >= 400 {
            let after = self.snapshots();
            self.check(after == before, || {
                format!("it was refused and changed something: {before:#?}\n{after:#?}")
            });
        }
        self.users_stay();
        reply
    }

    /// Asks for what replaces or drops files: where some have no contents to keep it is refused unless
    /// forced.
    fn ask_to_replace(&mut self, operation: &str) -> Reply {
        let reply = self.ask(operation, &Value::Null);
        let strange = self.is_strange() && reply.status != 200;
        if !strange {
            return reply;
        }
        self.check(reply.text.contains("force=true"), || format!("{reply:?}"));
        self.ask(&format!("{operation}?force=true"), &Value::Null)
    }

    fn users_stay(&self) {
        for at in &self.checkouts {
            self.check_none(at.moved_branch());
        }
    }

    /// Changes and counts agree with each other and with git.
    fn look(&mut self) {
        let changes = self.server.get(&self.path("changes"));
        let stats = self.server.get(&self.path("diff-stats"));
        self.check(changes.status == 200 && stats.status == 200, || {
            format!("{changes:?} {stats:?}")
        });
        let (changes, stats) = (totals(&changes.json()), totals(&stats.json()));
        let expected: Option<Vec<Totals>> = self.checkouts.iter().map(Checkout::expected).collect();
        let expected = expected.map(|all| {
            let add = |sum: Totals, one: &Totals| (sum.0 + one.0, sum.1 + one.1, sum.2 + one.2);
            all.iter().fold((0, 0, 0), add)
        });
        let agree = changes == stats && expected.is_none_or(|expected| expected == changes);
        self.check(agree, || {
            format!("changes {changes:?}, diff-stats {stats:?}, git {expected:?}")
        });
    }

    fn commit(&mut self) {
        let before: Vec<_> = self.checkouts.iter().map(Before::of).collect();
        let reply = self.ask("commit", &json!({"message": "by the user"}));
        if reply.status == 400 {
            let nothing = before.iter().all(Before::is_nothing);
            return self.check(nothing, || "git would have committed".into());
        }
        if reply.status != 200 {
            return;
        }
        let answer = reply.json();
        for (at, before) in self.checkouts.iter().zip(before) {
            let answers = answer.as_array().unwrap();
            let own = answers
                .iter()
                .find(|own| own["repo_name"] == at.name.as_str());
            let Some(own) = own else {
                self.check(before.is_nothing(), || format!("{} was left out", at.name));
                continue;
            };
            if own["commit"].is_null() {
                self.check(own["error"].is_string(), || answer.to_string());
                continue;
            }
            self.check_none(before.differs(at, own));
        }
    }

    fn push(&mut self) {
        let heads: Vec<_> = self
            .checkouts
            .iter()
            .map(|at| commit_at(&at.worktree, "HEAD"))
            .collect();
        let reply = self.ask("push", &Value::Null);
        if reply.status != 200 {
            return;
        }
        let answer = reply.json();
        for (at, head) in self.checkouts.iter().zip(heads) {
            let answers = answer.as_array().unwrap().iter();
            let mut own = answers.filter(|own| own["repo_name"] == at.name.as_str());
            let own = own.next().unwrap();
            if own["pushed"] == false {
                continue;
            }
            let branch = text(own, "branch");
            let there = commit_at(&at.remote, &format!("refs/heads/{branch}"));
            self.check(there.is_some() && there == head, || {
                format!("{branch} of the remote is at {there:?}, HEAD at {head:?}")
            });
        }
    }

    fn revert(&mut self) {
        let names = ["HEAD", &self.branch, "MERGE_HEAD", "CHERRY_PICK_HEAD"];
        let of = |at: &Checkout| names.map(|name| commit_at(&at.worktree, name));
        let commits: Vec<_> = self.checkouts.iter().map(of).collect();
        let reply = self.ask_to_replace("revert");
        self.check(reply.status == 200, || format!("{reply:?}"));
        for (at, commits) in self.checkouts.iter().zip(&commits) {
            self.check_none(at.lost(commits));
            let after = at.snapshot();
            self.check(after.is_on(&self.branch), || format!("{after:?}"));
            let tip = commit_at(&at.repo, &format!("refs/heads/{}", self.branch));
            self.check(tip.as_ref() == Some(&at.base), || {
                format!("the run's branch is at {tip:?}")
            });
            let status = git(&at.worktree, &["status", "--porcelain"]);
            // What is ignored and was tracked stays, as do repositories that are not git's to remove.
            let nested = ["app/", "agents/", "module/"];
            let stays = |line: &&str| nested.iter().any(|name| line.ends_with(name));
            let left = status.lines().filter(|line| !stays(line));
            self.check(left.count() == 0, || status.clone());
        }
    }

    fn restore(&mut self) {
        let list = self.server.get(&self.path("checkpoints")).expect(200);
        let Some(last) = list.as_array().and_then(|all| all.last()) else {
            return;
        };
        let before = self.snapshots();
        let operation = format!("checkpoints/{}/restore", last["number"]);
        let reply = self.ask_to_replace(&operation);
        if reply.status == 200 {
            for (at, before) in self.checkouts.iter().zip(&before) {
                self.check_none(at.lost(&[commit_at(&at.worktree, "MERGE_HEAD")]));
                let after = at.snapshot();
                self.check(after.is_at(before), || format!("{before:?} {after:?}"));
            }
        }
    }

    fn rename(&mut self) {
        let name = format!("name/{}", self.random.u32(..));
        let reply = self.ask("rename-branch", &json!({"name": name}));
        if reply.status == 200 {
            for at in &self.checkouts {
                let there = commit_at(&at.repo, &format!("refs/heads/{name}"));
                self.check(there.is_some(), || format!("there is no {name}"));
            }
            self.branch = name;
        }
    }

    fn delete(&mut self) {
        let before = self.snapshots();
        self.remember(&before);
        self.checkouts
            .iter_mut()
            .for_each(Checkout::remember_nested);
        let of = |at: &Checkout| ["HEAD", "MERGE_HEAD"].map(|name| commit_at(&at.worktree, name));
        let commits: Vec<_> = self.checkouts.iter().map(of).collect();
        let strange = self.is_strange();
        let mut reply = self.server.delete(&format!("runs/{}", self.run));
        self.done
            .push(format!("delete: {} {}", reply.status, reply.text));
        if strange {
            self.check(reply.status == 409 && self.snapshots() == before, || {
                format!("{reply:?}")
            });
            reply = self.server.delete(&format!("runs/{}?force=true", self.run));
        }
        self.check(reply.status == 204, || format!("{reply:?}"));
        self.users_stay();
        for (at, commits) in self.checkouts.iter().zip(&commits) {
            self.check(!at.worktree.exists() && !at.admin.exists(), || {
                "it is there".into()
            });
            self.check_none(at.lost(commits));
        }
    }
}

/// What a commit begins with.
struct Before {
    head: Option<String>,
    other: Option<String>,
    staged: Option<String>,
    tree: Option<String>,
}

impl Before {
    fn of(at: &Checkout) -> Self {
        Self {
            head: commit_at(&at.worktree, "HEAD"),
            other: commit_at(&at.worktree, "MERGE_HEAD"),
            staged: at.staged().map(|(_, tree)| tree),
            tree: commit_at(&at.worktree, "HEAD^{tree}"),
        }
    }

    fn is_nothing(&self) -> bool {
        self.staged.is_some() && self.staged == self.tree && self.other.is_none()
    }

    /// How an answer differs from the commit that git would have made.
    fn differs(self, at: &Checkout, answer: &Value) -> Option<String> {
        let (commit, branch) = (text(answer, "commit"), text(answer, "branch"));
        let of_branch = commit_at(&at.repo, &format!("refs/heads/{branch}"));
        if of_branch.as_deref() != Some(&commit) {
            return Some(format!("{branch} is at {of_branch:?}, not at {commit}"));
        }
        let now = commit_at(&at.repo, &format!("{commit}^{{tree}}"));
        if now != self.staged || self.is_nothing() {
            return Some(format!("tree {now:?}, git has {:?}", self.staged));
        }
        let parents = git(&at.repo, &["log", "-1", "--format=%P", &commit]);
        let expected = [self.head, self.other].into_iter().flatten();
        let expected = expected.collect::<Vec<_>>().join(" ");
        if parents != expected {
            return Some(format!("parents {parents}, not {expected}"));
        }
        let marked = try_git(&at.repo, &["grep", "-l", "^<<<<<<< ", &commit], None);
        (!marked.stdout.is_empty()).then(|| "conflict markers were committed".into())
    }
}

/// A run whose agent has ended at once, and its view.
fn begin_run(server: &Server, checkouts: &[Checkout]) -> (String, Value) {
    let project = server.post("projects", &json!({"name": "p"})).expect(201);
    let project = text(&project, "id");
    for at in checkouts {
        let fields = json!({"name": at.name, "repo_path": at.repo});
        server
            .post(&format!("projects/{project}/repos"), &fields)
            .expect(201);
    }
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
