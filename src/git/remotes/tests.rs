use super::*;

const B: &str = "abbado/run-1";

/// Settings from `key=value` lines.
fn settings(lines: &str) -> Settings {
    let pair = |line: &str| {
        let (key, value) = line.trim().split_once('=').unwrap();
        (key.to_owned(), value.to_owned())
    };
    Settings(
        lines
            .lines()
            .filter(|line| !line.trim().is_empty())
            .map(pair)
            .collect(),
    )
}

const THREE: &str = "remote.origin.url=/o.git
    remote.fork.url=/f.git
    remote.Other.One.url=/x.git
    ";

fn goes_to(lines: &str) -> (String, String) {
    let found = settings(lines).destination("api", B).unwrap();
    (found.remote, found.reference)
}

#[test]
fn a_branch_is_pushed_to_the_remote_that_git_would_take() {
    for (more, remote) in [
        ("", "origin"),
        ("remote.pushdefault=fork", "fork"),
        ("branch.abbado/run-1.remote=fork", "fork"),
        ("branch.abbado/run-1.remote=.", "origin"),
        (
            "remote.pushdefault=fork\nbranch.abbado/run-1.pushremote=Other.One",
            "Other.One",
        ),
        (
            "branch.abbado/run-1.remote=origin\nremote.pushdefault=fork",
            "fork",
        ),
        (
            "remote.pushdefault=fork\nremote.pushdefault=origin",
            "origin",
        ),
        ("branch.abbado/run-2.pushremote=fork", "origin"),
        (
            "branch.abbado/run-1.pushremote=git@h:me/r.git",
            "git@h:me/r.git",
        ),
    ] {
        assert_eq!(goes_to(&format!("{THREE}{more}")).0, remote, "{more}");
    }
    assert_eq!(goes_to("remote.only.pushurl=/p.git").0, "only");
    let none = settings("user.name=A").destination("api", B);
    assert!(matches!(none, Err(GitError::NoRemote { name }) if name == "api"));
    let several = settings("remote.a.url=/a\nremote.b.url=/b")
        .destination("api", B)
        .unwrap_err();
    let said = several.to_string();
    assert!(
        said.contains("a, b") && said.contains("remote.pushDefault"),
        "{said}"
    );
}

#[test]
fn a_branch_keeps_its_name_unless_the_user_said_otherwise() {
    let own = format!("refs/heads/{B}");
    let follows = "branch.abbado/run-1.remote=origin\nbranch.abbado/run-1.merge=refs/heads/topic\n";
    for (more, reference) in [
        (String::new(), own.as_str()),
        ("push.default=upstream".to_owned(), &own),
        ("push.default=nothing".to_owned(), &own),
        (follows.to_owned(), &own),
        (format!("{follows}push.default=simple"), &own),
        (format!("{follows}push.default=current"), &own),
        (
            format!("{follows}push.default=upstream"),
            "refs/heads/topic",
        ),
        (
            format!("{follows}push.default=tracking"),
            "refs/heads/topic",
        ),
        (
            format!("{follows}push.default=upstream\nremote.pushdefault=fork"),
            &own,
        ),
        (
            "remote.origin.push=HEAD:refs/for/main".to_owned(),
            "refs/for/main",
        ),
        (
            "remote.origin.push=+refs/heads/*:refs/heads/me/*".to_owned(),
            "refs/heads/me/abbado/run-1",
        ),
        (
            "remote.origin.push=refs/tags/*:refs/tags/*".to_owned(),
            &own,
        ),
        (
            "remote.origin.push=main\nremote.origin.push=abbado/run-1:x".to_owned(),
            "refs/heads/x",
        ),
        ("remote.origin.push=:".to_owned(), &own),
        ("remote.fork.push=HEAD:refs/for/main".to_owned(), &own),
    ] {
        assert_eq!(goes_to(&format!("{THREE}{more}")).1, reference, "{more}");
    }
}

#[test]
fn urls_are_rewritten_as_git_does_it() {
    let lines = "remote.a.url=gh:o/r
        remote.b.url=https://github.com/o/r
        remote.b.pushurl=gh:me/r
        remote.c.url=work:x/y
        url.git@github.com:.insteadof=gh:
        url.ssh://git@github.com/.pushinsteadof=https://github.com/
        url.https://mirror.example/x/.insteadof=work:x/
        url.https://mirror.example/.insteadof=work:";
    let settings = settings(lines);
    let urls = |remote, push| settings.candidates(remote, push);
    assert_eq!(urls("a", false), ["git@github.com:o/r", "gh:o/r"]);
    assert_eq!(urls("a", true), ["git@github.com:o/r", "gh:o/r"]);
    assert_eq!(urls("b", false), ["https://github.com/o/r"]);
    // A URL for pushes is not rewritten by what is for pushes to other URLs.
    assert_eq!(urls("b", true), ["git@github.com:me/r", "gh:me/r"]);
    assert_eq!(urls("c", false), ["https://mirror.example/x/y", "work:x/y"]);
    assert_eq!(urls("gh:z/r", true), ["git@github.com:z/r", "gh:z/r"]);
    let lines = "remote.b.url=https://github.com/o/r
        url.ssh://git@github.com/.pushinsteadof=https://github.com/";
    let pushed = super::Settings::candidates(&self::settings(lines), "b", true);
    assert_eq!(pushed[0], "ssh://git@github.com/o/r");
}

fn bases(lines: &str) -> (Vec<String>, Option<String>) {
    let found = settings(lines).remotes("api", B).unwrap();
    (
        found.bases.into_iter().map(|base| base.name).collect(),
        found.chosen,
    )
}

#[test]
fn a_pull_request_goes_where_gh_would_open_it() {
    let origin = "remote.origin.url=https://github.com/me/r\n";
    let fork = "remote.fork.url=https://github.com/you/r\nremote.pushdefault=fork\n";
    let upstream = "remote.upstream.url=https://github.com/acme/r\n";
    assert_eq!(
        bases(origin),
        (vec!["origin".into(), "origin".into()], None)
    );
    assert_eq!(bases(&format!("{origin}{fork}")).0, ["origin", "fork"]);
    assert_eq!(
        bases(&format!("{origin}{upstream}")).0,
        ["upstream", "origin", "origin"]
    );
    let resolved = format!("{origin}{upstream}remote.origin.gh-resolved=base\n");
    assert_eq!(
        bases(&resolved).0,
        ["origin", "upstream", "origin", "origin"]
    );
    let named = format!("{origin}remote.origin.gh-resolved=acme/r\n");
    assert_eq!(
        bases(&named),
        (vec!["origin".into(); 3], Some("acme/r".into()))
    );
    let merge_base = format!("{origin}branch.{B}.gh-merge-base=release\n");
    let found = settings(&merge_base).remotes("api", B).unwrap();
    assert_eq!(found.base_branch.as_deref(), Some("release"));
}
