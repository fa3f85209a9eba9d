//! Pull requests on a forge on loopback, by the module's public functions.

pub mod fake;
mod status;
mod trouble;

use abbado::forge::{ForgeError, Head, cross_reference};
use fake::{BOTH, Fake, Kind};
use serde_json::json;

#[actix_web::test]
async fn one_is_opened_into_the_default_branch_and_found_again() {
    for kind in BOTH {
        let fake = Fake::start(kind);
        let (forge, remote) = (fake.forge(), kind.remote());
        let open = async || {
            let opened = forge.open_pull_request(&remote, "abbado/x y&z", None, "T", "B", false);
            opened.await.unwrap()
        };
        let first = open().await;
        assert!(!first.existed && first.number == 1, "{first:?}");
        assert!(first.url.starts_with(&fake.url), "{first:?}");
        let again = open().await;
        assert!(again.existed);
        assert_eq!((again.number, &again.url), (1, &first.url));
        let requests = fake.requests();
        let created: Vec<_> = requests.iter().filter(|r| r["method"] == "POST").collect();
        assert_eq!(created.len(), 1);
        let (body, text) = (&created[0]["body"], json!("B"));
        match kind {
            Kind::GitHub => {
                assert_eq!((&body["base"], &body["body"]), (&json!("main"), &text));
            }
            Kind::GitLab => {
                assert_eq!(
                    (&body["target_branch"], &body["description"]),
                    (&json!("main"), &text)
                );
            }
        }
    }
}

#[actix_web::test]
async fn a_base_and_a_draft_are_what_was_asked_for() {
    for kind in BOTH {
        let fake = Fake::start(kind);
        let (forge, remote) = (fake.forge(), kind.remote());
        let opened = forge.open_pull_request(&remote, "b", Some("next"), "T", "", true);
        assert!(!opened.await.unwrap().existed);
        let requests = fake.requests();
        let body = &requests.last().unwrap()["body"];
        match kind {
            Kind::GitHub => assert_eq!(
                (&body["base"], &body["draft"]),
                (&json!("next"), &json!(true))
            ),
            Kind::GitLab => {
                assert_eq!(
                    (&body["target_branch"], &body["title"]),
                    (&json!("next"), &json!("Draft: T"))
                );
            }
        }
        assert_eq!(requests.len(), 2, "the default branch was not asked for");
    }
}

#[actix_web::test]
async fn what_others_opened_counts_if_it_is_open_and_no_forks() {
    for kind in BOTH {
        let fake = Fake::start(kind);
        let (forge, remote) = (fake.forge(), kind.remote());
        for more in [
            json!({"fork": true}),
            json!({"state": "closed"}),
            json!({"state": "merged"}),
        ] {
            fake.pull("b", &more);
        }
        let opened = forge.open_pull_request(&remote, "b", Some("main"), "T", "", false);
        assert_eq!(opened.await.unwrap().number, 4);
        // Another client opens one between our look-up and our request.
        fake.next(&json!([{}, {"pull": {"name": kind.name(), "head": "c"}}]));
        let opened = forge.open_pull_request(&remote, "c", Some("main"), "T", "", false);
        let opened = opened.await.unwrap();
        assert_eq!((opened.number, opened.existed), (5, true));
    }
}

#[actix_web::test]
async fn what_did_not_change_is_not_paid_for_again() {
    for kind in BOTH {
        let fake = Fake::start(kind);
        let (forge, remote) = (fake.forge(), kind.remote());
        fake.pull("b", &json!({}));
        let before = fake.remaining();
        for _ in 0..5 {
            let found = forge
                .open_pull_request(&remote, "b", None, "T", "", false)
                .await
                .unwrap();
            assert_eq!((found.number, found.existed), (1, true));
        }
        assert_eq!(fake.remaining(), before - 1);
        let statuses: Vec<u64> = fake.calls().into_iter().map(|(_, status)| status).collect();
        assert_eq!(statuses, [200, 304, 304, 304, 304]);
    }
}

#[actix_web::test]
async fn pull_requests_of_one_run_name_each_other_once() {
    for kind in BOTH {
        let fake = Fake::start(kind);
        let (forge, remote) = (fake.forge(), kind.remote());
        let opened = forge.open_pull_request(&remote, "b", None, "T", "Words.\r\nMore.", false);
        let opened = opened.await.unwrap();
        let block = cross_reference(&[("web".to_owned(), opened.clone())]);
        for _ in 0..3 {
            forge
                .add_cross_reference(&remote, opened.number, &block)
                .await
                .unwrap();
        }
        let writes = |method: &str| fake.calls().iter().filter(|(m, _)| m == method).count();
        assert_eq!(writes("PATCH") + writes("PUT"), 1);
        let requests = fake.requests();
        let written = requests
            .iter()
            .find(|r| r["method"] == "PATCH" || r["method"] == "PUT");
        let written = &written.unwrap()["body"];
        let text = written.get("body").or(written.get("description")).unwrap();
        assert_eq!(text, &json!(format!("Words.\nMore.\n\n{block}")));
        assert!(block.contains(&opened.url));

        let gone = forge
            .add_cross_reference(&kind.remote_named("gone"), 1, "x")
            .await
            .unwrap_err();
        assert!(
            matches!(gone, ForgeError::Refused { status: 404, .. }),
            "{gone}"
        );
    }
}

#[actix_web::test]
async fn one_comes_from_a_fork_and_is_found_again_there() {
    for kind in BOTH {
        let fake = Fake::start(kind);
        let (forge, base) = (fake.forge(), kind.remote());
        fake.post(
            "repository",
            &json!({"name": "me/r", "default_branch": "main"}),
        );
        let fork = kind.remote_named("me/r");
        // Somebody else's fork has a branch of that name too, and so has the repository itself.
        fake.pull("b", &json!({"fork": true}));
        fake.pull("b", &json!({}));
        let open = async || {
            let head = Head {
                branch: "b",
                at: Some(&fork),
            };
            let opened = forge.open_pull_request(&base, head, None, "T", "B", false);
            opened.await.unwrap()
        };
        let first = open().await;
        assert!(!first.existed && first.number == 3, "{first:?}");
        assert!(first.url.contains(kind.name()), "{first:?}");
        let requests = fake.requests();
        let made = requests.iter().find(|r| r["method"] == "POST").unwrap();
        match kind {
            Kind::GitHub => assert_eq!(made["body"]["head"], "me:b"),
            Kind::GitLab => {
                assert!(made["path"].as_str().unwrap().contains("me%2Fr"), "{made}");
                assert_eq!(made["body"]["target_project_id"], 1);
            }
        }
        assert_eq!((open().await.existed, open().await.number), (true, 3));
        let b = ["b".to_owned()];
        let known = forge.pull_request_status(&base, Some(&fork), &b);
        let known = known.await.unwrap();
        assert_eq!(known.statuses[0].number, 3, "the newest of ours: {known:?}");
        let known = forge.pull_request_status(&base, None, &b).await.unwrap();
        assert_eq!(known.statuses[0].number, 2);
    }
}

#[actix_web::test]
async fn a_branch_is_there_or_not() {
    for kind in BOTH {
        let fake = Fake::start(kind);
        let branches = json!({"name": kind.name(), "default_branch": "main",
                              "branches": ["release/1.x"]});
        fake.post("repository", &branches);
        let (forge, remote) = (fake.forge(), kind.remote());
        assert!(forge.has_branch(&remote, "release/1.x").await.unwrap());
        assert!(!forge.has_branch(&remote, "release/2.x?#").await.unwrap());
        let config = fake.config_with(&[(kind.variable(), "another")]);
        let refused = fake.forge_with(config).has_branch(&remote, "x").await;
        assert!(
            matches!(refused, Err(ForgeError::Refused { status: 401, .. })),
            "{refused:?}"
        );
    }
}
