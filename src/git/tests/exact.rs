//! Whatever the attributes, a restore writes the bytes that were on disk.

use super::support::{RUN, World, commit_all, git, write};
use crate::git::{Wish, checkpoint, restore, take, take_always};
use std::fs;

#[test]
fn conversions_that_lose_bytes_lose_none() {
    let world = World::new();
    let (repo, at) = world.worktree();
    let root = &at.worktree;
    // A filter of the user's that loses something.
    write(
        &world.path("home"),
        ".gitconfig",
        "[filter \"strip\"]\n\tclean = sed /OUTPUT/d\n\tsmudge = cat\n",
    );
    let rules = "*.auto text=auto\n*.crlf text eol=crlf\n*.id ident\n*.nb filter=strip\n\
                 *.utf16 text working-tree-encoding=UTF-16LE-BOM\n*.plain -text\n";
    write(root, ".gitattributes", rules);
    write(root, "committed.auto", "lines\r\nof\nboth\r\n");
    let base = commit_all(root, "attributes");
    let utf16: Vec<u8> = "\u{feff}Ünï\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let files: [(&str, &[u8]); 9] = [
        ("mixed.auto", b"a\r\nb\nc\r\n"),
        ("sub/mixed.crlf", b"a\r\nb\n"),
        ("lf.crlf", b"a\nb\n"),
        ("x.id", b"$Id: mine $\n"),
        ("n.nb", b"code\nOUTPUT big\n"),
        ("good.utf16", &utf16),
        ("bad.utf16", b"plain\n"),
        ("b.plain", b"a\r\nb\n"),
        ("binary.auto", b"\0\r\n\xff"),
    ];
    for (name, contents) in files {
        write(root, name, contents);
    }
    // Only its line endings changed, so there is nothing to commit.
    write(root, "a.txt", "one\n");
    write(root, "committed.auto", "lines\nof\r\nboth\r\n");
    let kept = take_always(&at, &repo, RUN, 1, "stop").unwrap();
    let listed = |tree: &str| git(&repo, &["ls-tree", "-r", "--name-only", tree]);
    let exact = listed(kept.exact.as_deref().unwrap());
    let expected = "bad.utf16\ncommitted.auto\nlf.crlf\nmixed.auto\nn.nb\nsub/mixed.crlf\nx.id\n";
    assert_eq!(exact, expected);
    // The tree itself is what would be committed.
    let show = |path: &str| git(&repo, &["show", &format!("{}:{path}", kept.commit)]);
    assert_eq!(
        (show("n.nb"), show("mixed.auto")),
        ("code\n".into(), "a\nb\nc\n".into())
    );
    for clean in [true, false] {
        for (name, _) in files {
            if clean {
                drop(fs::remove_file(root.join(name)));
            } else {
                write(root, name, "other\n");
            }
        }
        restore(&at, &repo, &kept.commit).unwrap();
        for (name, contents) in files {
            assert_eq!(fs::read(root.join(name)).unwrap(), contents, "{name}");
        }
        let both = fs::read(root.join("committed.auto")).unwrap();
        assert_eq!(both, b"lines\nof\r\nboth\r\n");
    }
    let again = checkpoint(Wish {
        at: &at,
        repo_path: &repo,
        run_id: RUN,
        number: 2,
        reason: "stop",
        base_commit: &base,
        previous: Some(&kept),
    });
    assert_eq!(again.unwrap(), None);
    restore(&at, &repo, &base).unwrap();
    assert!(!root.join("sub").exists() && !root.join("n.nb").exists());
}

#[test]
fn what_a_checkout_brings_back_is_kept_once() {
    let world = World::new();
    let (repo, at) = world.worktree();
    let root = &at.worktree;
    write(
        &world.path("home"),
        ".gitconfig",
        "[filter \"crypt\"]\n\tclean = base64\n\tsmudge = base64 -d\n\trequired = true\n",
    );
    write(root, ".gitattributes", "*.key filter=crypt\n* text=auto\n");
    write(root, "a.key", "in plain text\n");
    write(root, "new.txt", "lines\n");
    let kept = take(&at, &repo, RUN, 1, "stop", None).unwrap().unwrap();
    assert_eq!(kept.exact, None);
    // No object has the plain text.
    let all = git(&repo, &["cat-file", "--batch-all-objects", "--batch"]);
    assert!(!all.contains("in plain text"));
    fs::remove_file(root.join("a.key")).unwrap();
    restore(&at, &repo, &kept.commit).unwrap();
    assert_eq!(
        fs::read_to_string(root.join("a.key")).unwrap(),
        "in plain text\n"
    );
}

#[test]
fn a_change_of_bytes_alone_is_a_checkpoint() {
    let world = World::new();
    let (repo, at) = world.worktree();
    write(&at.worktree, ".gitattributes", "* text=auto\n");
    commit_all(&at.worktree, "attributes");
    assert_eq!(take(&at, &repo, RUN, 1, "stop", None).unwrap(), None);
    write(&at.worktree, "a.txt", "one\r\n");
    let kept = take(&at, &repo, RUN, 1, "stop", None).unwrap().unwrap();
    write(&at.worktree, "a.txt", "one\n");
    restore(&at, &repo, &kept.commit).unwrap();
    assert_eq!(fs::read(at.worktree.join("a.txt")).unwrap(), b"one\r\n");
}
