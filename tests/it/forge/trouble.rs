//! Forges, tokens and programs that misbehave.

use super::fake::{BOTH, Fake, Kind, TOKEN, file, names};
use crate::support::{PATIENCE, wait_for};
use abbado::forge::{ANSWER_BYTES_MAX, Forge, ForgeError, PullRequest};
use serde_json::{Value, json};
use std::{os::unix::fs::PermissionsExt, process::Command, time::Duration};

async fn open(fake: &Fake, forge: &Forge) -> Result<PullRequest, ForgeError> {
    let remote = fake.kind.remote();
    forge
        .open_pull_request(&remote, "b", Some("main"), "T", "B", false)
        .await
}

/// What a scripted answer becomes, for both ways to ask.
async fn answered(fake: &Fake, answer: &Value) -> [ForgeError; 2] {
    fake.next(&json!([answer]));
    let opened = open(fake, &fake.forge()).await.unwrap_err();
    fake.next(&json!([answer]));
    let status = fake.forge();
    let status = status
        .pull_request_status(&fake.kind.remote(), None, &names(&["b"]))
        .await;
    [opened, status.unwrap_err()]
}

/// A folder with a program of that name.
fn program(fake: &Fake, name: &str, script: &str) -> String {
    let folder = fake.folder.path().join("bin");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    folder.to_str().unwrap().to_owned()
}

#[actix_web::test]
async fn without_a_token_it_says_where_it_looked_and_asks_nobody() {
    for (kind, looked_for) in [
        (
            Kind::GitHub,
            "GITHUB_TOKEN, GH_TOKEN, 'gh auth token --hostname github.com' (not installed)",
        ),
        (
            Kind::GitLab,
            "GITLAB_TOKEN, 'glab config get token --host gitlab.com' (not installed)",
        ),
    ] {
        let fake = Fake::start(kind);
        let forge = fake.forge_with(fake.config_with(&[("PATH", "/nonexistent:bin:")]));
        let host = &kind.remote().host;
        let wanted = format!("no token for '{host}'; looked for {looked_for}");
        assert_eq!(forge.check_token().await.unwrap_err().to_string(), wanted);
        assert_eq!(open(&fake, &forge).await.unwrap_err().to_string(), wanted);
        let status = forge
            .pull_request_status(&kind.remote(), None, &names(&["b"]))
            .await;
        assert!(matches!(status, Err(ForgeError::NoToken { .. })));
        assert_eq!(fake.calls().len(), 0);
    }
}

#[actix_web::test]
async fn gh_and_glab_are_asked_for_the_host_and_not_for_their_variables() {
    for (kind, name, argv) in [
        (Kind::GitHub, "gh", "auth token --hostname github.com"),
        (Kind::GitLab, "glab", "config get token --host gitlab.com"),
    ] {
        let fake = Fake::start(kind);
        let said = fake.folder.path().join("said");
        let script = format!(
            "echo \"$* [$OAUTH_TOKEN$GH_ENTERPRISE_TOKEN] $PWD $HOME\" >> '{}'\necho {TOKEN}",
            said.display()
        );
        let path = program(&fake, name, &script);
        let forge = fake.forge_with(fake.config_with(&[
            ("PATH", &path),
            ("HOME", "/h"),
            ("OAUTH_TOKEN", "other"),
            ("GH_ENTERPRISE_TOKEN", "other"),
        ]));
        forge.check_token().await.unwrap();
        assert!(!open(&fake, &forge).await.unwrap().existed);
        let asked = || std::fs::read_to_string(&said).unwrap();
        assert_eq!(asked(), format!("{argv} [] / /h\n"), "asked once");
        fake.move_clock(300);
        forge.check_token().await.unwrap();
        assert_eq!(asked().lines().count(), 2, "tokens change");
        // One that is no longer good is forgotten at once.
        fake.next(&json!([{"status": 401, "body": {"message": "Bad credentials"}}]));
        open(&fake, &forge).await.unwrap_err();
        forge.check_token().await.unwrap();
        assert_eq!(asked().lines().count(), 3);
    }
}

#[actix_web::test]
async fn a_program_that_gives_no_token_or_hangs_is_told_and_ended() {
    let fake = Fake::start(Kind::GitHub);
    let pid = fake.folder.path().join("pid");
    let hangs = format!("/bin/sleep 600 &\necho $! > '{}'\nwait", pid.display());
    let mut cases = vec![
        ("exit 1", PATIENCE, "printed none".to_owned()),
        ("echo", PATIENCE, "printed none".to_owned()),
        ("echo no token here", PATIENCE, "printed none".to_owned()),
    ];
    // On a busy machine the short limits are over before it has begun.
    for (millis, shown) in [(500, "0.5"), (4000, "4"), (16_000, "16")] {
        let why = format!("took longer than {shown} s");
        cases.push((hangs.as_str(), Duration::from_millis(millis), why));
    }
    for (script, limit, why) in cases {
        if script == hangs && std::fs::read_to_string(&pid).is_ok_and(|pid| pid.ends_with('\n')) {
            break;
        }
        let path = program(&fake, "gh", script);
        let mut config = fake.config_with(&[("PATH", &path), ("GH_TOKEN", "two words")]);
        config.program_limit = limit;
        let ForgeError::NoToken { looked_for, .. } =
            fake.forge_with(config).check_token().await.unwrap_err()
        else {
            panic!("{script}");
        };
        assert_eq!(looked_for[0], "GITHUB_TOKEN");
        assert_eq!(looked_for[1], "GH_TOKEN (is set, but holds no token)");
        assert_eq!(
            looked_for[2],
            format!("'gh auth token --hostname github.com' ({why})")
        );
    }
    let pid = std::fs::read_to_string(pid).unwrap();
    let pid = nix::unistd::Pid::from_raw(pid.trim().parse().unwrap());
    wait_for("what the program started is gone", || {
        nix::sys::signal::kill(pid, None).is_err()
    });
}

#[actix_web::test]
async fn a_wrong_token_is_said_without_it() {
    for (kind, words) in [
        (Kind::GitHub, "Bad credentials"),
        (Kind::GitLab, "401 Unauthorized"),
    ] {
        let fake = Fake::start(kind);
        let forge = fake.forge_with(fake.config_with(&[(kind.variable(), "wrong-one")]));
        let host = kind.remote().host;
        let error = open(&fake, &forge).await.unwrap_err();
        assert_eq!(error.to_string(), format!("{host} answered 401: {words}"));

        for error in answered(&fake, &json!({"echo": true})).await {
            let ForgeError::Refused {
                status: 401,
                message,
                ..
            } = &error
            else {
                panic!("{error}");
            };
            assert!(
                message.starts_with("No such token: Bearer *** [31mxxx"),
                "{message}"
            );
            assert_eq!(message.chars().count(), 500);
            assert!(!format!("{error:?}{error}").contains(TOKEN));
        }
    }
}

#[actix_web::test]
async fn a_refusal_has_the_forges_own_words() {
    for (kind, status, words) in [
        (
            Kind::GitHub,
            422,
            "Validation Failed; No commits between main and main",
        ),
        (
            Kind::GitLab,
            422,
            "You can't use same project/branch for source and target",
        ),
    ] {
        let fake = Fake::start(kind);
        let (forge, remote) = (fake.forge(), kind.remote());
        let opened = forge.open_pull_request(&remote, "main", None, "T", "", false);
        let message = words.to_owned();
        let host = remote.host.clone();
        assert_eq!(
            opened.await.unwrap_err(),
            ForgeError::Refused {
                host,
                status,
                message
            }
        );

        let gone = kind.remote_named("gone");
        let opened = forge
            .open_pull_request(&gone, "b", None, "T", "", false)
            .await
            .unwrap_err();
        let status = forge
            .pull_request_status(&gone, None, &names(&["b"]))
            .await
            .unwrap_err();
        for error in [opened, status] {
            assert!(
                matches!(error, ForgeError::Refused { status: 404, .. }),
                "{error}"
            );
        }
        for error in answered(
            &fake,
            &json!({"status": 502, "text": "<html>Bad gateway</html>"}),
        )
        .await
        {
            let wanted = format!(
                "{} answered 502: Bad Gateway, without a message",
                remote.host
            );
            assert_eq!(error.to_string(), wanted);
        }
    }
}

#[actix_web::test]
async fn a_forge_that_hangs_is_given_up() {
    for kind in BOTH {
        let fake = Fake::start(kind);
        let limit = Duration::from_millis(400);
        for answer in [json!([{"hang": true}]), json!([{"stall": true}])] {
            let mut config = fake.config();
            config.request_limit = limit;
            fake.next(&answer);
            let error = open(&fake, &fake.forge_with(config)).await.unwrap_err();
            let host = kind.remote().host;
            assert_eq!(error, ForgeError::TimedOut { host, limit }, "{answer}");
        }
    }
    let fake = Fake::start(Kind::GitHub);
    let forge = fake.forge();
    drop(fake);
    let gone = forge
        .pull_request_status(&Kind::GitHub.remote(), None, &names(&["b"]))
        .await
        .unwrap_err();
    assert!(matches!(gone, ForgeError::Unreachable { .. }), "{gone}");
}

#[actix_web::test]
async fn garbage_and_floods_are_errors() {
    for kind in BOTH {
        let fake = Fake::start(kind);
        let too_long = format!("it is longer than {ANSWER_BYTES_MAX} bytes");
        for (answer, words) in [
            (json!({"text": "\u{1b}[2J{not json"}), "expected value"),
            (json!({"text": ""}), "EOF"),
            (json!({"text": "[".repeat(100_000)}), ""),
            (json!({"bytes": 50_000_000}), too_long.as_str()),
            (
                json!({"bytes": 50_000_000, "chunked": true}),
                too_long.as_str(),
            ),
            (json!({"status": 304, "body": null}), ""),
            (
                json!({"status": 200, "body": {"data": 7, "errors": "x"}}),
                "",
            ),
            (json!({"status": 200, "body": [{"number": "x"}]}), ""),
        ] {
            for error in answered(&fake, &answer).await {
                let usual = matches!(
                    error,
                    ForgeError::Unusable { .. } | ForgeError::Refused { .. }
                );
                assert!(usual && error.to_string().contains(words), "{error}");
            }
        }
    }
}

#[actix_web::test]
async fn redirects_are_followed_within_the_host_alone() {
    let (fake, other) = (Fake::start(Kind::GitHub), Fake::start(Kind::GitHub));
    let moved = |to: String| json!({"status": 301, "headers": {"location": to}, "body": {}});
    fake.pull("b", &json!({}));
    for to in [
        "/repos/o/r/pulls".to_owned(),
        format!("{}/repos/o/r/pulls?state=open", fake.url),
    ] {
        fake.next(&json!([moved(to)]));
        assert_eq!(open(&fake, &fake.forge()).await.unwrap().number, 1);
    }
    let port = other.url.rsplit(':').next().unwrap();
    for to in [
        format!("{}/repos/o/r/pulls", other.url),
        format!("http://localhost:{port}/repos/o/r/pulls"),
        format!(
            "http://{}@127.0.0.1:{port}/x",
            fake.url.trim_start_matches("http://")
        ),
        format!("https://{}/x", fake.url.trim_start_matches("http://")),
    ] {
        fake.next(&json!([moved(to.clone())]));
        let error = open(&fake, &fake.forge()).await.unwrap_err();
        assert!(
            matches!(error, ForgeError::Unusable { .. }),
            "{to}: {error}"
        );
    }
    assert_eq!(other.calls().len(), 0, "the token went nowhere");
    fake.next(&json!(vec![moved("/repos/o/r/pulls".to_owned()); 9]));
    let error = open(&fake, &fake.forge()).await.unwrap_err();
    assert!(error.to_string().contains("redirects endlessly"), "{error}");
}

/// Set for the process in which the test certificate is one of the machine's roots.
const TRUSTS: &str = "ABBADO_TEST_FORGE_API";

#[actix_web::test]
async fn tls_takes_the_certificates_that_this_machine_trusts_and_no_others() {
    let trusted = std::env::var_os(TRUSTS).map(|url| url.into_string().unwrap());
    let pem = file("forge_tls.pem");
    let fake = trusted
        .is_none()
        .then(|| Fake::start_with(Kind::GitHub, &["--tls", pem.to_str().unwrap()]));
    let url = trusted.clone().unwrap_or_else(|| {
        let url = &fake.as_ref().unwrap().url;
        url.replace("http://127.0.0.1", "https://localhost")
    });
    let environment = vec![("GITHUB_TOKEN".to_owned(), TOKEN.to_owned())];
    let mut config =
        abbado::forge::ForgeConfig::new(environment, || abbado::domain::Time::UNIX_EPOCH);
    config.github_api = Some(url.clone());
    let remote = Kind::GitHub.remote();
    let forge = abbado::forge::Forges::new(config)
        .for_remote(&remote)
        .unwrap();
    let error = forge
        .pull_request_status(&remote, None, &names(&["b"]))
        .await
        .unwrap_err();
    if trusted.is_some() {
        assert_eq!(
            error.to_string(),
            "github.com answered 404: Could not resolve to a Repository with the name 'o/r'."
        );
        return;
    }
    let fake = fake.unwrap();
    let distrusted = matches!(&error, ForgeError::Unreachable { reason, .. } if reason.contains("UnknownIssuer"));
    assert!(distrusted, "{error}");
    assert_eq!(fake.calls().len(), 0, "the token went nowhere");
    let name = "forge::trouble::tls_takes_the_certificates_that_this_machine_trusts_and_no_others";
    let again = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name])
        .env("SSL_CERT_FILE", pem)
        .env(TRUSTS, url)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&again.stdout);
    assert!(
        again.status.success() && said.contains("1 passed"),
        "{said}"
    );
    assert_eq!(fake.calls(), [("POST".to_owned(), 200)]);
}
