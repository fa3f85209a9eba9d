//! Pull requests of runs over HTTP: real git, a forge on loopback.

use crate::{
    forge::fake::{BOTH, Fake, Kind, TOKEN},
    support::{Reply, Server, World, git, text},
};
use serde_json::json;
use std::path::PathBuf;

fn refused(reply: &Reply, status: u16, cause: &str) {
    assert_eq!(reply.status, status, "{reply:?}");
    assert_eq!(reply.kind, "text/plain; charset=utf-8", "{reply:?}");
    assert!(reply.text.contains(cause), "'{cause}' is not in {reply:?}");
    assert!(!reply.text.contains(TOKEN), "the token is told");
}

/// A run that has ended with a commit; gives its project, its id and its branch.
fn worked(world: &World, server: &Server) -> (String, String, String) {
    let fields = json!({"cli_name": "command", "provider_config": {"command": ["touch", "work"]}});
    let run = server.run(&server.agent(world, fields), "x");
    let view = server.wait(&run, "it has ended", |view| {
        view["status"] == "completed" && view["process"]["alive"] == false
    });
    let message = json!({"message": "Work"});
    server
        .post(&format!("runs/{run}/commit"), &message)
        .expect(200);
    (text(&view, "project_id"), run, text(&view, "run_branch"))
}

/// A remote whose name is at the forge, and whose pushes go to a folder.
fn remote(world: &World, kind: Kind) -> PathBuf {
    let (repo, bare) = (world.path("repo"), world.path("bare.git"));
    let host = match kind {
        Kind::GitHub => "github.com",
        Kind::GitLab => "gitlab.com",
    };
    let url = format!("https://{host}/{}.git", kind.name());
    git(&repo, &["init", "-q", "--bare", bare.to_str().unwrap()]);
    git(&repo, &["remote", "add", "origin", &url]);
    git(
        &repo,
        &[
            "remote",
            "set-url",
            "--push",
            "origin",
            bare.to_str().unwrap(),
        ],
    );
    bare
}

#[test]
fn one_is_opened_after_the_push_and_its_status_is_told() {
    for kind in BOTH {
        let (world, fake) = (World::new(), Fake::start(kind));
        let (api, url) = match kind {
            Kind::GitHub => ("ABBADO_GITHUB_API", fake.url.clone()),
            Kind::GitLab => ("ABBADO_GITLAB_API", format!("{}/api/v4", fake.url)),
        };
        let server = world.serve_with(&[(api, &url), (kind.variable(), TOKEN)]);
        let (project, run, branch) = worked(&world, &server);
        let bare = remote(&world, kind);
        let path = format!("runs/{run}/pull-request");
        let wish = json!({"title": "Work", "body": "All of it", "draft": false});
        refused(&server.post(&path, &json!({"title": " "})), 400, "title");
        let opened = server.post(&path, &wish).expect(201);
        assert_eq!(
            (&opened[0]["repo_name"], &opened[0]["number"]),
            (&json!("repo"), &json!(1))
        );
        assert!(git(&bare, &["branch", "--list", &branch]).contains(&branch));
        let types = server.types(&run);
        assert_eq!(types[types.len() - 2..], ["run.pushed", "run.pull_request"]);
        // Asked again, it is the same one.
        let again = server.post(&path, &wish).expect(201);
        assert_eq!(again[0]["number"], 1);
        let status = server.get(&format!("projects/{project}/branches/pr-status"));
        let status = status.expect(200);
        assert_eq!(status.as_array().unwrap().len(), 1, "{status}");
        assert_eq!(
            (&status[0]["branch"], &status[0]["state"]),
            (&json!(branch), &json!("open"))
        );
        assert!(!world.log().contains(TOKEN), "the token is in the log");
    }
}

#[test]
fn without_a_forge_or_a_token_nothing_is_pushed() {
    let world = World::new();
    let server = world.serve();
    let (project, run, branch) = worked(&world, &server);
    let path = format!("runs/{run}/pull-request");
    let wish = json!({"title": "Work", "body": ""});
    refused(&server.post(&path, &wish), 409, "no remote");
    let bare = remote(&world, Kind::GitHub);
    refused(&server.post(&path, &wish), 409, "GITHUB_TOKEN");
    refused(
        &server.get(&format!("projects/{project}/branches/pr-status")),
        409,
        "GITHUB_TOKEN",
    );
    git(
        &world.path("repo"),
        &["remote", "set-url", "origin", "https://code.test/o/r.git"],
    );
    refused(&server.post(&path, &wish), 409, "code.test");
    assert!(git(&bare, &["branch", "--list", &branch]).is_empty());
    assert!(!server.types(&run).contains(&"run.pushed".to_owned()));
}

#[test]
fn a_forge_that_refuses_is_a_502_with_its_own_words() {
    let (world, fake) = (World::new(), Fake::start(Kind::GitHub));
    let env = [
        ("ABBADO_GITHUB_API", fake.url.as_str()),
        ("GITHUB_TOKEN", "another"),
    ];
    let server = world.serve_with(&env);
    let (_, run, _) = worked(&world, &server);
    remote(&world, Kind::GitHub);
    let wish = json!({"title": "Work", "body": ""});
    let reply = server.post(&format!("runs/{run}/pull-request"), &wish);
    refused(&reply, 502, "401");
    let types = server.types(&run);
    assert_eq!(types[types.len() - 2..], ["run.pushed", "run.pull_request"]);
}

#[test]
fn one_goes_from_a_fork_behind_an_ssh_alias_into_the_branch_that_the_run_came_from() {
    let (world, fake) = (World::new(), Fake::start(Kind::GitHub));
    let repository = json!({"name": "o/r", "default_branch": "main", "branches": ["release"]});
    fake.post("repository", &repository);
    fake.post(
        "repository",
        &json!({"name": "me/r", "default_branch": "main"}),
    );
    let (repo, bare) = (world.path("repo"), world.path("bare.git"));
    git(&repo, &["switch", "-q", "-c", "release"]);
    git(&repo, &["init", "-q", "--bare", bare.to_str().unwrap()]);
    for (name, url) in [
        ("origin", "https://github.com/o/r.git"),
        ("fork", "git@work:me/r.git"),
    ] {
        git(&repo, &["remote", "add", name, url]);
    }
    // All of it in the user's own files: the alias, the fork, and a folder instead of the network.
    std::fs::create_dir_all(world.path("home/.ssh")).unwrap();
    std::fs::write(
        world.path("home/.ssh/config"),
        "Host work\n HostName github.com\n",
    )
    .unwrap();
    let mine = format!(
        "[remote]\n\tpushDefault = fork\n[url \"{}\"]\n\tpushInsteadOf = git@work:me/r.git\n",
        bare.display()
    );
    std::fs::write(world.path("home/mine"), mine).unwrap();
    let mine = world.path("home/mine");
    let env = [
        ("ABBADO_GITHUB_API", fake.url.as_str()),
        ("GITHUB_TOKEN", TOKEN),
        ("GIT_CONFIG_GLOBAL", mine.to_str().unwrap()),
    ];
    let server = world.serve_with(&env);
    let (project, run, branch) = worked(&world, &server);
    let wish = json!({"title": "Work", "body": ""});
    let opened = server.post(&format!("runs/{run}/pull-request"), &wish);
    assert_eq!(opened.expect(201)[0]["number"], 1);
    assert!(git(&bare, &["branch", "--list", &branch]).contains(&branch));
    let requests = fake.requests();
    let made = requests.iter().find(|r| r["method"] == "POST").unwrap();
    assert_eq!(
        (&made["path"], &made["body"]["head"], &made["body"]["base"]),
        (
            &json!("/repos/o/r/pulls"),
            &json!(format!("me:{branch}")),
            &json!("release")
        )
    );
    let status = server.get(&format!("projects/{project}/branches/pr-status"));
    assert_eq!(status.expect(200)[0]["branch"], json!(branch));
    let events = server.events(&run);
    let pushed = events
        .iter()
        .find(|event| event["event_type"] == "run.pushed");
    let pushed = &pushed.unwrap()["payload"]["repos"][0];
    assert_eq!(
        (&pushed["remote"], &pushed["remote_branch"]),
        (&json!("fork"), &json!(branch))
    );
}
