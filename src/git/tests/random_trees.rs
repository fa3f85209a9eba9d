//! Any two states of a worktree, under any attributes: the first is kept, the second made, the first
//! comes back.

use super::support::{RUN, World, commit_all, git};
use crate::git::{restore, take_always};
use proptest::prelude::*;
use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    os::unix::{
        ffi::{OsStrExt, OsStringExt},
        fs::{PermissionsExt, symlink},
    },
    path::{Path, PathBuf},
};

/// What is at a path. The only permission that git stores is whether a file is executable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    File { contents: Vec<u8>, runs: bool },
    Link(Vec<u8>),
}

pub(super) type Tree = BTreeMap<PathBuf, Node>;

/// Few names, so that files, links and folders take each other's places.
fn name() -> impl Strategy<Value = Vec<u8>> {
    prop::sample::select(vec![
        b"a".to_vec(),
        b"b".to_vec(),
        b" lead and trail ".to_vec(),
        b"-rf".to_vec(),
        b":(exclude)a".to_vec(),
        b"*".to_vec(),
        b"new\nline\t\"quote\"".to_vec(),
        b"caf\xc3\xa9".to_vec(),
        b"not-utf8-\xff\xfe".to_vec(),
        b"back\\slash".to_vec(),
        b"x.ignored-not".to_vec(),
    ])
}

fn node() -> impl Strategy<Value = Node> {
    // A few lines more or less in one long text, so that there is something to be renamed.
    let story = prop::collection::vec(0..30_usize, 0..6).prop_map(|gone| {
        let lines = (0..30).filter(|line| !gone.contains(line));
        let text: String = lines
            .map(|line| format!("line {line} of a story\n"))
            .collect();
        text.into_bytes()
    });
    let contents = prop_oneof![
        3 => story,
        1 => Just(b"no end of line".to_vec()),
        1 => Just(Vec::new()),
        1 => Just(b"lines\r\nof\nboth\r\n".to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..200),
    ];
    prop_oneof![
        4 => (contents, any::<bool>()).prop_map(|(contents, runs)| Node::File { contents, runs }),
        1 => prop::sample::select(vec![&b"a"[..], b"/etc", b"../..", b"gone\xff"])
            .prop_map(|to| Node::Link(to.to_vec())),
    ]
}

pub(super) fn tree() -> impl Strategy<Value = Tree> {
    let path = prop::collection::vec(name(), 1..4);
    prop::collection::vec((path, node()), 0..12).prop_map(|items| {
        let mut tree = Tree::new();
        for (parts, node) in items {
            let path: PathBuf = parts.into_iter().map(OsString::from_vec).collect();
            // The later one wins where a file would have to be a folder.
            tree.retain(|other, _| !other.starts_with(&path) && !path.starts_with(other));
            tree.insert(path, node);
        }
        tree
    })
}

pub(super) fn write_tree(root: &Path, tree: &Tree) {
    for item in fs::read_dir(root).unwrap().map(Result::unwrap) {
        match item.file_name().to_str() {
            Some(".git" | "kept.ignored") => {}
            _ if item.file_type().unwrap().is_dir() => fs::remove_dir_all(item.path()).unwrap(),
            _ => fs::remove_file(item.path()).unwrap(),
        }
    }
    fs::write(root.join(".gitignore"), "*.ignored\n").unwrap();
    for (path, node) in tree {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match node {
            Node::File { contents, runs } => {
                fs::write(&path, contents).unwrap();
                let mode = if *runs { 0o755 } else { 0o644 };
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            }
            Node::Link(to) => symlink(OsString::from_vec(to.clone()), &path).unwrap(),
        }
    }
}

pub(super) fn read_tree(root: &Path) -> Tree {
    let mut tree = Tree::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for item in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let (path, kind) = (item.path(), item.file_type().unwrap());
            let below = path.strip_prefix(root).unwrap().to_owned();
            if below == Path::new(".git") || below == Path::new(".gitignore") {
                continue;
            }
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_symlink() {
                let to = fs::read_link(&path).unwrap();
                tree.insert(below, Node::Link(to.as_os_str().as_bytes().to_vec()));
            } else {
                let runs = fs::metadata(&path).unwrap().permissions().mode() & 0o100 != 0;
                tree.insert(
                    below,
                    Node::File {
                        contents: fs::read(&path).unwrap(),
                        runs,
                    },
                );
            }
        }
    }
    tree
}

/// One that loses bytes, one that cannot run, and one that is exact.
const FILTERS: &str = "[filter \"lossy\"]\n\tclean = tr -d o\n\tsmudge = cat\n\
                       [filter \"broken\"]\n\tclean = false\n\tsmudge = false\n\trequired = true\n\
                       [filter \"exact\"]\n\tclean = base64\n\tsmudge = base64 -d\n\trequired = true\n";

/// How contents are converted; most trees are without.
fn attributes() -> impl Strategy<Value = String> {
    let rule = prop::sample::select(vec![
        "text=auto",
        "text",
        "text eol=crlf",
        "ident",
        "working-tree-encoding=UTF-16",
        "filter=lossy",
        "filter=exact",
        "filter=broken",
    ]);
    let pattern = prop::sample::select(vec!["*", "a", "b", "a/**", "*.ignored-not"]);
    prop::collection::vec((pattern, rule), 0..4).prop_map(|rules| {
        let lines = rules
            .into_iter()
            .map(|(pattern, rule)| format!("{pattern} {rule}\n"));
        lines.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_restore_is_byte_for_byte(
        committed in tree(), first in tree(), second in tree(), commit_between in any::<bool>(),
        rules in attributes(),
    ) {
        let world = World::new();
        let (repo, at) = world.worktree();
        let root = &at.worktree;
        fs::write(world.path("home/.gitconfig"), FILTERS).unwrap();
        let attributes = repo.join(".git/info/attributes");
        write_tree(root, &committed);
        git(root, &["add", "-A"]);
        git(root, &["commit", "-q", "--allow-empty", "-m", "committed"]);

        // The user's git would refuse some of them.
        fs::write(&attributes, &rules).unwrap();
        write_tree(root, &first);
        fs::write(root.join("kept.ignored"), "stays").unwrap();
        let before = read_tree(root);
        let kept = take_always(&at, &repo, RUN, 1, "stop").unwrap();
        write_tree(root, &second);
        if commit_between {
            fs::remove_file(&attributes).unwrap();
            git(root, &["commit", "-q", "--allow-empty", "-m", "empty"]);
            commit_all_or_nothing(root);
            fs::write(&attributes, &rules).unwrap();
        }
        restore(&at, &repo, &kept.commit).unwrap();
        prop_assert_eq!(read_tree(root), before);

        let again = take_always(&at, &repo, RUN, 2, "stop").unwrap();
        prop_assert_eq!(again.tree, kept.tree);
        prop_assert!(again.left_out.is_empty());
        let differs = git(root, &["diff", "--cached", "--name-only"]);
        prop_assert_eq!(differs, "", "the index is that of HEAD");
    }
}

fn commit_all_or_nothing(root: &Path) {
    if !git(root, &["status", "--porcelain"]).is_empty() {
        commit_all(root, "between");
    }
}
