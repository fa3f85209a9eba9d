//! A repository whose own configuration names programs wherever git would start one.

use super::support::{BRANCH, RUN, World, commit_all, git, write};
use crate::git::{
    add_all, branches, check_branch_free, copy_files, delete_user_branch, inspect, merge, rebase,
    remove, resolve_commit, restore, take,
};
use std::{fs, path::Path};

const DRIVERS: [&str; 4] = ["plain", "inc", "cond", "a=b"];

/// Sets all traps in `repo`; each is a script that leaves a mark.
pub(super) fn set_traps(world: &World, repo: &Path) -> Vec<String> {
    let trap = |name: &str| world.marking_script(name).display().to_string();
    let mut names = Vec::new();
    let mut file = String::new();
    for driver in DRIVERS {
        let name = format!("filter-{driver}");
        let script = trap(&name);
        let text = format!(
            "[filter \"{driver}\"]\n\tclean = {script}\n\tsmudge = {script}\n\trequired\n\
             [diff \"{driver}\"]\n\ttextconv = {script}\n\tcommand = {script}\n\
             [merge \"{driver}\"]\n\tdriver = {script}\n"
        );
        match driver {
            "inc" | "cond" => write(repo, &format!(".git/{driver}.conf"), text),
            _ => file.push_str(&text),
        }
        names.push(name);
    }
    file.push_str("[include]\n\tpath = inc.conf\n");
    // Applies in the worktree only: to read the main folder's configuration is not enough.
    file.push_str("[includeIf \"onbranch:abbado/**\"]\n\tpath = cond.conf\n");
    for (key, name) in [
        ("fsmonitor", "fsmonitor"),
        ("sshCommand", "ssh"),
        ("editor", "editor"),
        ("pager", "pager"),
        ("askPass", "askpass"),
        ("alternateRefsCommand", "alternates"),
    ] {
        file.push_str(&format!("[core]\n\t{key} = {}\n", trap(name)));
        names.push(name.to_owned());
    }
    file.push_str(&format!(
        "[gpg]\n\tprogram = {}\n[commit]\n\tgpgSign = true\n",
        trap("gpg")
    ));
    names.push("gpg".into());
    let hooks = world.path("home/hooks");
    fs::create_dir_all(&hooks).unwrap();
    for hook in [
        "post-checkout",
        "post-merge",
        "post-rewrite",
        "pre-merge-commit",
        "pre-rebase",
        "commit-msg",
        "post-index-change",
        "reference-transaction",
        "pre-commit",
    ] {
        for folder in [&hooks, &repo.join(".git/hooks")] {
            fs::create_dir_all(folder).unwrap();
            fs::copy(trap(hook), folder.join(hook)).unwrap();
        }
        names.push(hook.to_owned());
    }
    file.push_str(&format!("[core]\n\thooksPath = {}\n", hooks.display()));
    let config = repo.join(".git/config");
    let before = fs::read_to_string(&config).unwrap();
    fs::write(config, before + &file).unwrap();
    names
}

pub(super) fn commit_attributes(repo: &Path) {
    let lines = DRIVERS.map(|driver| {
        format!(
            "*.{0} filter={driver} diff={driver} merge={driver}\n",
            &driver[..1]
        )
    });
    write(repo, ".gitattributes", lines.concat());
    for driver in DRIVERS {
        write(
            repo,
            &format!("file.{}", &driver[..1]),
            format!("contents {driver}\n"),
        );
    }
    commit_all(repo, "attributes");
}

#[test]
fn nothing_that_a_repository_names_runs() {
    let world = World::new();
    let repo = world.repo("api");
    commit_attributes(&repo);
    write(&repo, "local.ignored", "secret");
    let names = set_traps(&world, &repo);

    inspect(&repo).unwrap();
    resolve_commit(&repo, "HEAD").unwrap();
    check_branch_free(&repo, BRANCH).unwrap();
    let mut spec = world.spec(&repo);
    // `world.spec` runs the user's own git; what it set off is not ours.
    names
        .iter()
        .for_each(|name| drop(fs::remove_file(world.mark(name))));
    spec.base_commit = resolve_commit(&repo, "HEAD").unwrap();
    let at = add_all(&[spec], &|| false).unwrap().remove(0);
    assert_eq!(
        copy_files(&repo, &at.worktree, &["*.ignored".into()])
            .unwrap()
            .files,
        1
    );
    assert_eq!(
        fs::read_to_string(at.worktree.join("file.c")).unwrap(),
        "contents cond\n"
    );
    for driver in DRIVERS {
        write(&at.worktree, &format!("file.{}", &driver[..1]), "changed\n");
    }
    let kept = take(&at, &repo, RUN, 1, "stop", None).unwrap().unwrap();
    write(&at.worktree, "file.p", "again\n");
    restore(&at, &repo, &kept.commit).unwrap();
    assert_eq!(
        fs::read_to_string(at.worktree.join("file.p")).unwrap(),
        "changed\n"
    );
    assert!(remove(&at, &repo, &world.data()).unwrap());
    for name in names {
        assert!(!world.mark(&name).exists(), "{name} ran");
    }
}

#[test]
fn nothing_runs_when_branches_are_merged_rebased_and_deleted() {
    let world = World::new();
    let repo = world.repo("api");
    commit_attributes(&repo);
    let at = add_all(&[world.spec(&repo)], &|| false).unwrap().remove(0);
    // Both sides change each file, at its ends, so that a merge driver would be asked.
    for driver in DRIVERS {
        let name = format!("file.{}", &driver[..1]);
        write(&repo, &name, "1\n2\n3\n4\n5\n6\n");
    }
    commit_all(&repo, "lines");
    git(&at.worktree, &["merge", "-q", "main"]);
    for (folder, text) in [
        (&at.worktree, "1\n2\n3\n4\n5\ntheirs\n"),
        (&repo, "ours\n2\n3\n4\n5\n6\n"),
    ] {
        for driver in DRIVERS {
            write(folder, &format!("file.{}", &driver[..1]), text);
        }
        commit_all(folder, "a side");
    }
    git(&repo, &["branch", "copy", BRANCH]);
    let names = set_traps(&world, &repo);
    branches(&repo).unwrap();
    rebase(&repo, BRANCH, None).unwrap();
    merge(&repo, "copy", None).unwrap();
    delete_user_branch(&repo, "copy", false).unwrap();
    for folder in [&repo, &at.worktree] {
        let file = fs::read_to_string(folder.join("file.c")).unwrap();
        assert_eq!(file, "ours\n2\n3\n4\n5\ntheirs\n");
    }
    for name in names {
        assert!(!world.mark(&name).exists(), "{name} ran");
    }
}

#[test]
fn the_traps_work_on_a_git_that_is_not_ours() {
    let world = World::new();
    let repo = world.repo("api");
    commit_attributes(&repo);
    set_traps(&world, &repo);
    git(&repo, &["worktree", "add", "-q", "-b", BRANCH, "../other"]);
    for name in [
        "filter-plain",
        "filter-inc",
        "filter-cond",
        "filter-a=b",
        "post-checkout",
    ] {
        assert!(world.mark(name).exists(), "{name} should have run");
    }
}

#[test]
fn the_users_own_filter_runs_and_wins_over_the_repositorys() {
    let world = World::new();
    let repo = world.repo("api");
    write(&repo, ".gitattributes", "*.x filter=x\n");
    write(&repo, "file.x", "contents\n");
    commit_all(&repo, "attributes");
    let good = world.marking_script("good").display().to_string();
    let evil = world.marking_script("evil").display().to_string();
    write(
        &world.path("home"),
        ".gitconfig",
        format!("[filter \"x\"]\n\tclean = {good}\n\tsmudge = {good}\n\trequired = true\n"),
    );
    let config = fs::read_to_string(repo.join(".git/config")).unwrap();
    write(
        &repo,
        ".git/config",
        format!("{config}[filter \"x\"]\n\tsmudge = {evil}\n"),
    );
    let at = add_all(&[world.spec(&repo)], &|| false).unwrap().remove(0);
    assert!(world.mark("good").exists());
    fs::remove_file(world.mark("good")).unwrap();
    write(&at.worktree, "file.x", "changed\n");
    take(&at, &repo, RUN, 1, "stop", None).unwrap().unwrap();
    assert!(world.mark("good").exists());
    assert!(!world.mark("evil").exists());
}

#[test]
fn a_git_file_that_an_agent_wrote_leads_nowhere() {
    let world = World::new();
    let (repo, at) = world.worktree();
    let other = world.repo("other");
    let names = set_traps(&world, &other);
    write(
        &at.worktree,
        ".git",
        format!("gitdir: {}\n", other.join(".git").display()),
    );
    write(&at.worktree, "new", "work");
    let kept = take(&at, &repo, RUN, 1, "stop", None).unwrap().unwrap();
    assert!(git(&repo, &["ls-tree", "--name-only", &kept.commit]).contains("new"));
    assert!(!remove(&at, &repo, &world.data()).unwrap());
    for name in names {
        assert!(!world.mark(&name).exists(), "{name} ran");
    }
}
