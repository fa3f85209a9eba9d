//! The adversarial matrix, generated: every combination of Origin, Host, shape and token; those
//! with what a browser says of the site; those of servers that list further names.

use super::model::{Case, Host, LISTED, Origin, Rule, Shape, Site, Token, expected};
use super::server::{Answer, Server, TOKEN, fresh_address, message};

/// Fewest combinations that count as the matrix.
const CASES_MIN: usize = 1_500;

/// A server without a token and one with, with its cookie.
struct Pair {
    open: Server,
    closed: Server,
    cookie: String,
}

impl Pair {
    fn start(allowed_hosts: &str) -> Self {
        let closed = Server::start(allowed_hosts, Some(TOKEN));
        Self {
            open: Server::start(allowed_hosts, None),
            cookie: cookie_of(&closed),
            closed,
        }
    }
}

/// All combinations of these.
fn combine(
    (hosts, origins, sites): (&[Host], &[Origin], &[Site]),
    (shapes, tokens): (&[Shape], &[Token]),
    listed: bool,
) -> Vec<Case> {
    let mut cases = Vec::new();
    for &host in hosts {
        for &origin in origins {
            for &site in sites {
                for &shape in shapes {
                    cases.extend(tokens.iter().map(|&token| Case {
                        host,
                        origin,
                        site,
                        shape,
                        token,
                        listed,
                    }));
                }
            }
        }
    }
    cases
}

fn cases() -> Vec<Case> {
    let tokens = [&[Token::Off], &Token::WITH_TOKEN[..]].concat();
    let some_shapes = [
        Shape::Get,
        Shape::Form,
        Shape::Json,
        Shape::Preflight,
        Shape::Sse,
        Shape::WebSocket,
        Shape::Health,
    ];
    let parts = [
        combine(
            (&Host::ALL, &Origin::ALL, &[Site::Unsaid]),
            (&Shape::ALL, &tokens),
            false,
        ),
        combine(
            (
                &[Host::V4, Host::Foreign],
                &[Origin::No, Origin::Evil, Origin::Exact, Origin::Two],
                &Site::ALL,
            ),
            (
                &Shape::ALL,
                &[Token::Off, Token::Missing, Token::Good, Token::Cookie],
            ),
            false,
        ),
        combine(
            (&Host::WITH_LIST, &Origin::WITH_LIST, &[Site::Unsaid]),
            (&some_shapes, &[Token::Off, Token::Missing, Token::Good]),
            true,
        ),
        // What is not listed opens nothing.
        combine(
            (&Host::WITH_LIST, &Origin::WITH_LIST, &[Site::Unsaid]),
            (&[Shape::Get], &[Token::Off]),
            false,
        ),
    ];
    parts.concat()
}

#[test]
fn every_combination_gets_its_status() {
    let (plain, listed) = (Pair::start(""), Pair::start(LISTED));
    let mut failures = Vec::new();
    let mut answered = Vec::new();
    for case in cases() {
        let answer = ask(if case.listed { &listed } else { &plain }, case);
        let faults = faults(&answer, expected(case, None));
        if !faults.is_empty() {
            failures.push(format!("{case:?}: {faults:?}\n{answer:?}"));
        }
        answered.push((case, answer.status));
    }
    let count = answered.len();
    println!("{count} combinations, {} of them wrong", failures.len());
    assert!(count > CASES_MIN, "{count} combinations are too few");
    assert!(
        failures.is_empty(),
        "{}",
        failures[..failures.len().min(20)].join("\n")
    );
    // A gate that lacked a rule would be noticed, by so many answers.
    for rule in Rule::ALL {
        let differs = |(case, status): &&(Case, u16)| expected(*case, Some(rule)) != *status;
        let noticed = answered.iter().filter(differs).count();
        println!("{noticed} of them would be wrong without the rule {rule:?}");
        assert!(noticed > 20, "{rule:?} is noticed {noticed} times only");
    }
}

fn cookie_of(server: &Server) -> String {
    let answer = server.lines(&format!("GET /?token={TOKEN}"), &[], "");
    let cookie = answer.header("set-cookie").unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

fn ask(pair: &Pair, case: Case) -> Answer {
    let server = if case.token == Token::Off {
        &pair.open
    } else {
        &pair.closed
    };
    let cookie = &pair.cookie;
    let (first, lines, body) = case.shape.parts();
    let mut lines: Vec<String> = lines.into_iter().map(str::to_owned).collect();
    lines.extend(case.origin.lines(server.port()));
    lines.extend(case.site.lines());
    match case.token {
        Token::Off | Token::Missing => {}
        Token::Bad => lines.push(format!("Authorization: Bearer {TOKEN}x")),
        Token::Good => lines.push(format!("Authorization: Bearer {TOKEN}")),
        Token::Cookie => lines.push(format!("Cookie: other=1; {cookie}")),
        Token::BadCookie => lines.push(format!("Cookie: {cookie}0")),
    }
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    // An address for each case, so that wrong tokens do not add up.
    server.send(
        fresh_address(),
        &message(first, &case.host.line(server.port()), &lines, body),
    )
}

/// What is wrong with an answer beside its status: rule 7 and the form of errors.
fn faults(answer: &Answer, wanted: u16) -> Vec<String> {
    let mut faults = Vec::new();
    if answer.status != wanted {
        faults.push(format!("wanted {wanted}"));
    }
    let has_cors = answer.head.to_ascii_lowercase().contains("access-control-");
    if has_cors {
        faults.push("a CORS header".to_owned());
    }
    if answer.is_of_the_parser() {
        return faults;
    }
    let always = [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "DENY"),
    ];
    let when_refused = [("content-type", "text/plain; charset=utf-8")];
    let further = if answer.status >= 400 {
        &when_refused[..]
    } else {
        &[]
    };
    for (name, value) in always.iter().chain(further) {
        if answer.header(name) != Some(value) {
            faults.push(format!("{name} is {:?}", answer.header(name)));
        }
    }
    if answer.status >= 400 && answer.header("x-error-code").is_none() {
        faults.push("no code".to_owned());
    }
    faults
}
