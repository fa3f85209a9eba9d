//! The state of pull requests: one request, cached, stopped before the budget is used up.

use super::fake::{BEGIN, BOTH, Fake, Kind, names, numbers};
use abbado::{
    domain::Time,
    forge::{Checks, ForgeError, PrState},
};
use futures_util::future::join_all;
use serde_json::json;

#[actix_web::test]
async fn thirty_branches_are_one_request() {
    for kind in BOTH {
        let fake = Fake::start(kind);
        let branches: Vec<String> = (0..30).map(|at| format!("abbado/b-{at:02}")).collect();
        for branch in &branches[..20] {
            fake.pull(branch, &json!({"checks": "SUCCESS"}));
        }
        let statuses = fake
            .forge()
            .pull_request_status(&kind.remote(), None, &branches)
            .await
            .unwrap();
        assert_eq!(numbers(&statuses), (1..=20).collect::<Vec<u64>>());
        assert!(
            statuses
                .statuses
                .iter()
                .all(|pr| pr.checks == Checks::Success)
        );
        assert!(
            statuses
                .statuses
                .iter()
                .all(|pr| pr.url.starts_with(&fake.url))
        );
        assert_eq!(statuses.limited_until, None);
        assert_eq!(fake.calls(), [("POST".to_owned(), 200)]);

        let many: Vec<String> = (0..150).map(|at| format!("abbado/b-{at:02}")).collect();
        let statuses = fake
            .forge()
            .pull_request_status(&kind.remote(), None, &many)
            .await
            .unwrap();
        assert_eq!(statuses.statuses.len(), 20);
        assert_eq!(fake.calls().len(), 3);
    }
}

#[actix_web::test]
async fn every_state_and_every_outcome_of_checks_is_told() {
    for kind in BOTH {
        let fake = Fake::start(kind);
        let (failed, waits) = match kind {
            Kind::GitHub => ("ERROR", "EXPECTED"),
            Kind::GitLab => ("CANCELED", "MANUAL"),
        };
        for (head, more) in [
            ("a", json!({"state": "open", "checks": null})),
            (
                "b",
                json!({"state": "open", "draft": true, "checks": "PENDING"}),
            ),
            ("c", json!({"state": "closed", "checks": failed})),
            ("d", json!({"state": "merged", "checks": "SUCCESS"})),
            (
                "e",
                json!({"state": "open", "checks": waits, "title": "older, open"}),
            ),
            ("e", json!({"state": "merged", "checks": "SUCCESS"})),
            (
                "e",
                json!({"state": "open", "fork": true, "title": "of a fork"}),
            ),
            ("other", json!({})),
        ] {
            fake.pull(head, &more);
        }
        let branches = names(&["e", "d", "c", "b", "a", "a", "none"]);
        let statuses = fake
            .forge()
            .pull_request_status(&kind.remote(), None, &branches)
            .await
            .unwrap();
        let told: Vec<_> = statuses
            .statuses
            .iter()
            .map(|pr| (pr.branch.as_str(), pr.state, pr.checks))
            .collect();
        assert_eq!(
            told,
            [
                ("a", PrState::Open, Checks::None),
                ("b", PrState::Draft, Checks::Pending),
                ("c", PrState::Closed, Checks::Failure),
                ("d", PrState::Merged, Checks::Success),
                ("e", PrState::Open, Checks::Pending),
            ]
        );
        assert_eq!(statuses.statuses[4].title, "older, open");
    }
}

#[actix_web::test]
async fn an_answer_is_kept_for_a_minute_and_readers_share_it() {
    for kind in BOTH {
        let fake = Fake::start(kind);
        let (forge, remote) = (fake.forge(), kind.remote());
        fake.pull("a", &json!({}));
        fake.pull("b", &json!({}));
        let (a, b, both) = (names(&["a"]), names(&["b"]), names(&["a", "b"]));
        let asked = async |branches: &[String]| {
            numbers(
                &forge
                    .pull_request_status(&remote, None, branches)
                    .await
                    .unwrap(),
            )
        };
        assert_eq!(asked(&[]).await, [0; 0]);
        assert_eq!(fake.calls().len(), 0, "nothing to ask");

        let readers = join_all((0..8).map(|_| asked(&a))).await;
        assert_eq!((readers, fake.calls().len()), (vec![vec![1]; 8], 1));
        assert_eq!((asked(&b).await, fake.calls().len()), (vec![2], 2));
        assert_eq!(
            (asked(&a).await, asked(&both).await, fake.calls().len()),
            (vec![1], vec![1, 2], 2)
        );
        fake.move_clock(59);
        assert_eq!((asked(&both).await, fake.calls().len()), (vec![1, 2], 2));
        fake.move_clock(1);
        assert_eq!((asked(&both).await, fake.calls().len()), (vec![1, 2], 3));
        fake.move_clock(-30);
        asked(&both).await;
        assert_eq!(
            fake.calls().len(),
            4,
            "a clock that was set back keeps nothing for ever"
        );
    }
}

#[actix_web::test]
async fn looking_stops_when_forty_percent_of_the_budget_are_used() {
    for kind in BOTH {
        let fake = Fake::start(kind);
        let (forge, remote) = (fake.forge(), kind.remote());
        fake.pull("a", &json!({}));
        let a = names(&["a"]);
        fake.post("budget", &json!({"limit": 1000, "remaining": 602}));
        for (seconds, requests) in [(0, 1), (60, 2), (60, 2), (60, 2)] {
            fake.move_clock(seconds);
            forge.pull_request_status(&remote, None, &a).await.unwrap();
            assert_eq!(fake.calls().len(), requests, "{kind:?}");
        }
        let old = forge.pull_request_status(&remote, None, &a).await.unwrap();
        assert_eq!(numbers(&old), [1]);
        assert_eq!(old.as_of, Time::from_timestamp(BEGIN + 60, 0).unwrap());
        let reset = Time::from_timestamp(BEGIN + 3600, 0);
        assert_eq!(old.limited_until, reset);
        // Nothing known of another repository, so there is no old answer.
        let other = forge
            .pull_request_status(&kind.remote_named("other"), None, &a)
            .await
            .unwrap_err();
        let ForgeError::RateLimited { until, message, .. } = other else {
            panic!("{other}");
        };
        assert_eq!(
            (Some(until), message.as_str()),
            (reset, "400 of its 1000 requests are used")
        );
        assert_eq!(fake.calls().len(), 2);
        // What the user asks for goes on.
        forge
            .open_pull_request(&remote, "b", None, "T", "", false)
            .await
            .unwrap();
        fake.post("budget", &json!({"remaining": 1000, "reset": BEGIN + 7200}));
        fake.move_clock(3600 - 180);
        let fresh = forge.pull_request_status(&remote, None, &a).await.unwrap();
        assert_eq!((fresh.as_of, fresh.limited_until), (reset.unwrap(), None));
    }
}

#[actix_web::test]
async fn a_forge_that_says_wait_is_not_asked_and_the_old_answer_is_given() {
    for kind in BOTH {
        let fake = Fake::start(kind);
        let (forge, remote) = (fake.forge(), kind.remote());
        fake.pull("a", &json!({}));
        let a = names(&["a"]);
        forge.pull_request_status(&remote, None, &a).await.unwrap();
        for (at, answer) in [
            json!({"status": 429, "headers": {"retry-after": "100"}, "body": {"message": "Slow down"}}),
            json!({"status": 503, "headers": {"retry-after": "100"}, "text": null, "body": {}}),
        ]
        .into_iter()
        .enumerate()
        {
            let mut answer = answer;
            answer.as_object_mut().unwrap().remove("text");
            fake.move_clock(61);
            fake.next(&json!([answer]));
            let old = forge.pull_request_status(&remote, None, &a).await.unwrap();
            assert_eq!(numbers(&old), [1]);
            assert!(old.limited_until.is_some() && old.as_of < old.limited_until.unwrap());
            let calls = fake.calls().len();
            fake.move_clock(99);
            let refused = forge.open_pull_request(&remote, "b", None, "T", "", false).await;
            assert!(matches!(refused, Err(ForgeError::RateLimited { .. })), "{refused:?}");
            assert_eq!(fake.calls().len(), calls, "not even what the user asks for");
            fake.move_clock(1);
            let fresh = forge.pull_request_status(&remote, None, &a).await.unwrap();
            assert_eq!((fresh.limited_until, fake.calls().len()), (None, calls + 1), "{at}");
        }
    }
}

#[actix_web::test]
async fn githubs_limits_that_come_as_403_or_as_200_are_limits_and_other_403_are_not() {
    let limits = [
        json!({"status": 403, "headers": {"retry-after": "9"}, "body": {"message": "No"}}),
        json!({"status": 403, "headers": {"x-ratelimit-remaining": "0"}, "body": {"message": "No"}}),
        json!({"status": 403, "body": {"message": "You have exceeded a secondary rate limit"}}),
        json!({"status": 200, "body": {"errors": [{"type": "RATE_LIMITED", "message": "Spent"}]}}),
    ];
    for limit in limits {
        let fake = Fake::start(Kind::GitHub);
        fake.next(&json!([limit]));
        let forge = fake.forge();
        for _ in 0..2 {
            let answer = forge
                .pull_request_status(&Kind::GitHub.remote(), None, &names(&["a"]))
                .await;
            assert!(
                matches!(answer, Err(ForgeError::RateLimited { .. })),
                "{answer:?}"
            );
        }
        assert_eq!(fake.calls().len(), 1);
    }
    let fake = Fake::start(Kind::GitHub);
    fake.next(&json!([{"status": 403, "body": {"message": "Resource not accessible"}}]));
    let answer = fake
        .forge()
        .pull_request_status(&Kind::GitHub.remote(), None, &names(&["a"]))
        .await;
    assert_eq!(
        answer.unwrap_err().to_string(),
        "github.com answered 403: Resource not accessible"
    );
}
