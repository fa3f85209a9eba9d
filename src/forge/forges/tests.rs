use super::*;
use crate::domain::Time;

fn forges(environment: &[(&str, &str)]) -> Forges {
    let pairs = environment
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    Forges::new(ForgeConfig::new(pairs.collect(), || Time::UNIX_EPOCH))
}

fn remote(url: &str) -> Remote {
    Remote::parse(url).unwrap()
}

#[test]
fn the_host_decides_the_forge_and_its_api() {
    let forges = forges(&[
        ("GH_HOST", "ghe.corp"),
        ("GITLAB_HOST", "https://code.corp:8443/"),
    ]);
    for (url, kind, api) in [
        ("git@github.com:o/r", "GitHub", "https://api.github.com"),
        ("git@me.ghe.com:o/r", "GitHub", "https://api.me.ghe.com"),
        ("git@ghe.corp:o/r", "GitHub", "https://ghe.corp/api/v3"),
        (
            "https://ghe.corp:8443/o/r",
            "GitHub",
            "https://ghe.corp:8443/api/v3",
        ),
        (
            "ssh://git@gitlab.com:22/a/b/c",
            "GitLab",
            "https://gitlab.com/api/v4",
        ),
        (
            "https://gitlab.x.org/o/r",
            "GitLab",
            "https://gitlab.x.org/api/v4",
        ),
        ("git@code.corp:o/r", "GitLab", "https://code.corp/api/v4"),
    ] {
        let forge = forges.for_remote(&remote(url)).unwrap();
        assert_eq!(format!("{:?}", forge.api), kind, "{url}");
        assert_eq!(forge.url, api, "{url}");
    }
    for url in [
        "git@bitbucket.org:o/r",
        "git@notgithub.com:o/r",
        "git@github.com.evil.io:o/r",
    ] {
        let remote = remote(url);
        let host = remote.host.clone();
        let error = forges.for_remote(&remote).unwrap_err();
        assert_eq!(error, ForgeError::UnknownForge { host });
    }
}

#[test]
fn a_token_of_the_environment_goes_to_no_host_but_its_own() {
    let plain = forges(&[("GH_HOST", "ghe.corp")]);
    let bound = forges(&[("GITLAB_HOST", "gitlab.corp")]);
    for (forges, kind, host, variables) in [
        (
            &plain,
            "GitHub",
            "github.com",
            &["GITHUB_TOKEN", "GH_TOKEN"][..],
        ),
        (
            &plain,
            "GitHub",
            "ghe.corp",
            &["GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"],
        ),
        (&plain, "GitLab", "gitlab.com", &["GITLAB_TOKEN"]),
        (&plain, "GitLab", "gitlab.evil.io", &[]),
        (&bound, "GitLab", "gitlab.corp", &["GITLAB_TOKEN"]),
        (&bound, "GitLab", "gitlab.com", &[]),
    ] {
        let api = KINDS.iter().find(|api| format!("{api:?}") == kind).unwrap();
        let found = api.token_variables(host, &forges.0.config);
        assert_eq!(found, variables, "{host}");
    }
}

#[actix_web::test]
async fn no_token_shows_in_debug() {
    let forges = forges(&[("GITHUB_TOKEN", "ghp_secret")]);
    let forge = forges.for_remote(&remote("git@github.com:o/r")).unwrap();
    forge.check_token().await.unwrap();
    assert!(forges.0.kept_token("github.com").is_some());
    let shown = format!("{forges:?} {forge:?}");
    assert!(
        shown.contains("Token(***)") && !shown.contains("ghp_secret"),
        "{shown}"
    );
}
