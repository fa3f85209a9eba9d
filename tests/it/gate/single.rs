//! Rules that the matrix does not reach: hooks, guesses, the cookie, targets, forms of errors.

use super::server::{Answer, OTHER_RUN, RUN, Server, TOKEN, fresh_address, hook_secret, message};

const JSON: &str = "Content-Type: application/json";

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

#[track_caller]
fn check(server: &Server, first: &str, lines: &[&str], body: &str, wanted: u16) -> Answer {
    let request = message(first, &server.host_line(), lines, body);
    let answer = server.send(fresh_address(), &request);
    assert_eq!(answer.status, wanted, "{first} {lines:?}\n{answer:?}");
    answer
}

#[test]
fn hooks_are_opened_by_the_secret_of_the_run() {
    let right = format!("X-Abbado-Hook-Token: {}", hook_secret());
    let wrong = format!("X-Abbado-Hook-Token: {}", "5b".repeat(32));
    let empty = "X-Abbado-Hook-Token:";
    let path = format!("POST /api/runs/{RUN}/hook");
    let unknown = format!("POST /api/runs/{OTHER_RUN}/hook");
    for (token, without_secret) in [(None, 200), (Some(TOKEN), 401)] {
        let server = Server::start("", token);
        check(&server, &path, &[JSON, &right], "{}", 200);
        check(&server, &path, &[JSON, &wrong], "{}", 403);
        check(&server, &path, &[JSON, empty], "{}", 403);
        check(&server, &path, &[JSON, &right, &right], "{}", 403);
        check(&server, &path, &[JSON], "{}", without_secret);
        check(&server, &unknown, &[JSON, &right], "{}", 404);
        check(
            &server,
            "POST /api/runs/none/hook",
            &[JSON, &right],
            "{}",
            404,
        );
        check(
            &server,
            &path,
            &["Content-Type: text/plain", &right],
            "{}",
            415,
        );
        check(
            &server,
            &path,
            &[JSON, &right, "Origin: http://evil"],
            "{}",
            403,
        );
        check(
            &server,
            &path,
            &[JSON, &right, "Sec-Fetch-Site: same-site"],
            "{}",
            403,
        );
    }
    let server = Server::start("", Some(TOKEN));
    check(&server, &path, &[JSON, &bearer(TOKEN)], "{}", 200);
    check(&server, &path, &[JSON, &bearer(TOKEN), &wrong], "{}", 403);
    check(&server, &path, &[JSON, &bearer("wrong"), &right], "{}", 200);
    // It opens nothing else.
    check(&server, "GET /api/runs", &[&right], "", 401);
    check(&server, "POST /api/runs", &[JSON, &right], "{}", 401);
}

#[test]
fn ten_wrong_tokens_lock_an_address_out() {
    let server = Server::start("", Some(TOKEN));
    let guesser = fresh_address();
    let ask = |from, line: &str| {
        server.send(
            from,
            &message("GET /api/runs", &server.host_line(), &[line], ""),
        )
    };
    for _ in 0..20 {
        assert_eq!(
            ask(guesser, "").status,
            401,
            "a missing token does not count"
        );
    }
    for guess in ["Basic eDp5", "Bearer", "Bearer ", "x"]
        .iter()
        .cycle()
        .take(10)
    {
        assert_eq!(
            ask(guesser, &format!("Authorization: {guess}")).status,
            401,
            "{guess}"
        );
    }
    for line in [bearer(TOKEN), bearer("x"), String::new()] {
        let answer = ask(guesser, &line);
        assert_eq!(answer.status, 429, "{line}");
        let wait: u32 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((50..=60).contains(&wait), "{wait}");
    }
    assert_eq!(ask(fresh_address(), &bearer(TOKEN)).status, 200);
    let health = message("GET /api/health", &server.host_line(), &[], "");
    assert_eq!(server.send(guesser, &health).status, 200);
    let right = format!("X-Abbado-Hook-Token: {}", hook_secret());
    let first = format!("POST /api/runs/{RUN}/hook");
    let hook = message(&first, &server.host_line(), &[JSON, &right], "{}");
    assert_eq!(server.send(guesser, &hook).status, 200);
    assert_eq!(
        server
            .metrics
            .refusals(abbado::http::metrics::Rule::TokenRate),
        3
    );
}

#[test]
fn the_token_in_the_address_becomes_a_cookie() {
    let server = Server::start("", Some(TOKEN));
    let answer = check(&server, &format!("GET /?token={TOKEN}"), &[], "", 303);
    assert_eq!(answer.header("location"), Some("/"));
    let cookie = answer.header("set-cookie").unwrap();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!answer.head.contains(TOKEN), "the cookie is not the token");
    let value = cookie.split(';').next().unwrap();
    let page = check(&server, "GET /", &[&format!("Cookie: {value}")], "", 200);
    assert!(
        page.header("content-security-policy")
            .unwrap()
            .contains("default-src 'none'")
    );
    let text = value.split_once('=').unwrap().1;
    check(&server, "GET /", &[&bearer(text)], "", 401);
    check(&server, "GET /", &[], "", 401);
    check(&server, "GET /?token=wrong", &[], "", 401);
    check(&server, "GET /?token=", &[], "", 401);
    check(
        &server,
        &format!("GET /?token={TOKEN}&token=x"),
        &[],
        "",
        401,
    );
    check(
        &server,
        &format!("GET /?token={TOKEN}"),
        &["Sec-Fetch-Site: cross-site"],
        "",
        403,
    );
    check(
        &server,
        &format!("GET /?token={TOKEN}"),
        &["Content-Type: text/plain"],
        "",
        415,
    );
    check(
        &server,
        &format!("GET /api/runs?token={TOKEN}"),
        &[],
        "",
        401,
    );
    let stale = check(&server, "GET /", &[&format!("Cookie: {value}x")], "", 401);
    assert!(stale.header("set-cookie").unwrap().contains("Max-Age=0"));
    let open = Server::start("", None);
    check(&open, "GET /?token=whatever", &[], "", 200);
}

#[test]
fn a_target_that_names_another_authority_is_malformed() {
    let server = Server::start("", None);
    let port = server.port();
    let ask = |target: &str| check_status(&server, &format!("GET {target}"));
    assert_eq!(ask(&format!("http://localhost:{port}/api/runs")), 200);
    assert_eq!(ask("http://evil.example/api/runs"), 400);
    assert_eq!(ask(&format!("http://127.0.0.1:{port}/api/runs")), 400);
    assert_eq!(ask(&format!("https://localhost:{port}/api/runs")), 400);
    assert_eq!(ask(&format!("http://x@localhost:{port}/api/runs")), 400);
    assert_eq!(
        check_status(&server, &format!("CONNECT evil.example:{port}")),
        400
    );
}

fn check_status(server: &Server, first: &str) -> u16 {
    server.lines(first, &[], "").status
}

#[test]
fn a_missing_host_is_malformed() {
    let server = Server::start("", None);
    for version in ["1.0", "1.1"] {
        let request = format!("GET /api/health HTTP/{version}\r\nConnection: close\r\n\r\n");
        assert_eq!(server.ask(&request).status, 400, "{version}");
    }
}

#[test]
fn another_site_may_link_to_pages_and_nothing_else() {
    let server = Server::start("", None);
    let pages = ["GET /", "GET /assets/app.js"];
    let others = [
        "GET /api/runs",
        "GET /api/events/stream",
        "GET /api/terminal",
        "GET /?token=guess",
        "HEAD /",
    ];
    for first in pages.iter().chain(&others) {
        for site in ["cross-site", "same-site", "Cross-Site"] {
            let site = format!("Sec-Fetch-Site: {site}");
            for mode in ["navigate", "no-cors", "cors", "websocket"] {
                let linked = pages.contains(first) && mode == "navigate";
                let wanted = if linked { 200 } else { 403 };
                let mode = format!("Sec-Fetch-Mode: {mode}");
                check(&server, first, &[&site, &mode], "", wanted);
            }
            check(&server, first, &[&site], "", 403);
        }
    }
    for first in pages {
        let mode = "Sec-Fetch-Mode: navigate";
        let foreign = ["Sec-Fetch-Site: cross-site", mode, "Origin: http://evil"];
        check(&server, first, &foreign, "", 403);
        for site in ["same-origin", "none"] {
            let site = format!("Sec-Fetch-Site: {site}");
            check(&server, first, &[&site], "", 200);
        }
    }
    let cross = ["Sec-Fetch-Site: cross-site"];
    check(&server, "GET /api/health", &cross, "", 200);
}

#[test]
fn listed_hosts_are_let_in_with_their_origins() {
    let server = Server::start("box.lan, proxy.lan:443", None);
    let port = server.port();
    let ask = |host: &str, origin: &str| {
        let lines = [origin];
        server
            .ask(&message(
                "GET /api/runs",
                &format!("Host: {host}"),
                &lines,
                "",
            ))
            .status
    };
    assert_eq!(
        ask(
            &format!("box.lan:{port}"),
            &format!("Origin: http://box.lan:{port}")
        ),
        200
    );
    assert_eq!(ask("box.lan", ""), 403);
    assert_eq!(ask("proxy.lan", "Origin: https://proxy.lan"), 200);
    assert_eq!(ask("proxy.lan", "Origin: http://proxy.lan"), 403);
    let own = format!("Origin: https://localhost:{port}");
    assert_eq!(ask(&format!("localhost:{port}"), &own), 403);
}

#[test]
fn writes_without_a_body_need_no_type_but_take_no_other() {
    let server = Server::start("", None);
    let first = "POST /api/runs/x/cancel";
    check(&server, first, &[], "", 200);
    check(&server, first, &["Content-Length: 0"], "", 200);
    check(&server, first, &[JSON], "", 200);
    check(&server, first, &["Content-Type: text/plain"], "", 415);
    check(
        &server,
        first,
        &["Content-Type: multipart/form-data; boundary=x"],
        "",
        415,
    );
    check(&server, first, &[], "{}", 415);
}

#[test]
fn an_encoded_path_is_one_thing_to_gate_and_router() {
    let server = Server::start("", Some(TOKEN));
    check(&server, "GET /api/h%65alth", &[], "", 200);
    check(&server, "GET /api%2Fhealth", &[], "", 401);
    check(&server, "GET //api/health", &[], "", 401);
    check(&server, "GET /api/health/", &[], "", 401);
    check(&server, "GET /api/../api/health", &[], "", 401);
    check(&server, "POST /api/health", &[], "", 401);
}

#[test]
fn every_error_is_plain_text_with_a_code() {
    let server = Server::start("", None);
    let errors = [
        check(&server, "GET /api/none", &[], "", 404),
        check(&server, "DELETE /api/runs", &[], "", 405),
        check(&server, "PUT /api/health", &[], "", 405),
        check(&server, "POST /api/runs", &[JSON], "{", 400),
        check(&server, "POST /api/runs", &[JSON], "[]", 400),
        check(&server, "GET /api/terminal", &[], "", 400),
    ];
    for answer in &errors {
        assert_eq!(
            answer.header("content-type"),
            Some("text/plain; charset=utf-8")
        );
        assert!(answer.header("x-error-code").is_some() && answer.body.ends_with('.'));
        assert_eq!(answer.header("x-frame-options"), Some("DENY"), "{answer:?}");
    }
    assert_eq!(errors[1].header("allow"), Some("POST, GET, HEAD"));
    assert!(
        errors[3].body.contains("line 1, column 1"),
        "{:?}",
        errors[3]
    );
}

#[test]
fn head_is_a_get_without_a_body_and_ends() {
    let server = Server::start("", None);
    let whole = check(&server, "GET /api/version", &[], "", 200);
    let head = check(&server, "HEAD /api/version", &[], "", 200);
    assert_eq!(
        head.header("content-length"),
        whole.header("content-length")
    );
    assert!(head.body.is_empty());
    check(&server, "HEAD /api/events/stream", &[], "", 200);
    let answer = check(&server, "HEAD /api/terminal", &[], "", 405);
    assert_eq!(answer.header("allow"), Some("GET"));
}

#[test]
fn a_large_body_is_told_its_limit() {
    let server = Server::start("", None);
    let fits = format!("{{\"a\":\"{}\"}}", "x".repeat(1024 * 1024 - 8));
    assert_eq!(fits.len(), 1024 * 1024);
    check(&server, "POST /api/runs", &[JSON], &fits, 201);
    let announced = "POST /api/runs HTTP/1.1\r\n{HOST}\r\nContent-Type: application/json\r\n\
                     Content-Length: 1048577\r\n\r\n";
    let announced = announced.replace("{HOST}", &server.host_line());
    let answer = server.ask(&announced);
    assert_eq!(answer.status, 413);
    assert!(answer.body.contains("1048576"), "{answer:?}");
    let hook = format!("POST /api/runs/{RUN}/hook");
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(8 * 1024 * 1024 - 8));
    check(&server, &hook, &[JSON], &large, 200);
}

#[test]
fn a_refused_upload_still_gets_its_answer() {
    let server = Server::start("", None);
    let large = "x".repeat(4 * 1024 * 1024);
    check(
        &server,
        "POST /api/runs",
        &["Content-Type: text/plain"],
        &large,
        415,
    );
    check(&server, "POST /api/runs", &[JSON], &large, 413);
}

#[test]
fn metrics_and_health_are_served() {
    let server = Server::start("", None);
    let health = check(&server, "GET /api/health", &[], "", 200);
    assert_eq!(health.body, "\"ok\"");
    check(&server, "GET /api/runs", &["Origin: null"], "", 403);
    let metrics = check(&server, "GET /api/metrics", &[], "", 200);
    let line = "abbado_gate_refusals_total{rule=\"origin\"} 1";
    assert!(
        metrics.body.lines().any(|found| found == line),
        "{}",
        metrics.body
    );
}
