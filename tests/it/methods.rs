//! Every path with every method that it does not support.

use crate::support::{World, raw};
use abbado::http::routes::ROUTES;
use std::collections::BTreeSet;

/// An unsupported method is refused before anything is done, in the form of all errors, with the
/// supported ones.
#[test]
fn every_path_refuses_every_other_method() {
    let world = World::new();
    let server = world.serve();
    let none = "00000000-0000-4000-8000-000000000000";
    let paths: BTreeSet<&str> = ROUTES
        .iter()
        .map(|route| route.path_pattern.as_str())
        .collect();
    let mut refused = 0;
    for pattern in paths {
        let own: BTreeSet<&str> = ROUTES
            .iter()
            .filter(|route| route.path_pattern == pattern)
            .map(|route| route.method.as_str())
            .collect();
        let path = pattern
            .replace("{id}", none)
            .replace("{place}*", "x")
            .replace(['{', '}', '*'], "");
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE"] {
            let heads = method == "HEAD" && own.contains("GET") && pattern != "/api/terminal";
            if heads || own.contains(method) {
                continue;
            }
            let request = format!(
                "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
                server.address
            );
            let said = raw(&server.address, &request);
            let what = format!("{method} {path}: {said}");
            let said = said.to_lowercase();
            let (head, _) = said.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with("http/1.1 405 "), "{what}");
            for line in [
                "x-content-type-options: nosniff",
                "referrer-policy: no-referrer",
                "x-frame-options: deny",
                "content-type: text/plain; charset=utf-8",
                "x-error-code: ",
            ] {
                assert!(head.contains(line), "{line} {what}");
            }
            assert!(!head.contains("access-control-"), "{what}");
            let allow = head.lines().find_map(|line| line.strip_prefix("allow: "));
            let mut allow: BTreeSet<_> = allow.unwrap_or_default().split(", ").collect();
            if pattern != "/api/terminal" && own.contains("GET") {
                assert!(allow.remove("head"), "{what}");
            }
            let own: BTreeSet<String> = own.iter().map(|name| name.to_lowercase()).collect();
            assert!(
                allow.iter().copied().eq(own.iter().map(String::as_str)),
                "{what}"
            );
            refused += 1;
        }
    }
    println!("{refused} refused");
    assert!(refused > 250);
}
