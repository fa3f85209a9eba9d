//! The adversarial matrix, generated: every combination of Origin, Host, shape and token.

use super::model::{Host, Origin, Shape, Token, expected};
use super::server::{Answer, Server, TOKEN, fresh_address, message};

/// Fewest combinations that count as the matrix.
const CASES_MIN: usize = 1_500;

#[test]
fn every_combination_gets_its_status() {
    let open = Server::start("", None);
    let closed = Server::start("", Some(TOKEN));
    let cookie = cookie_of(&closed);
    let mut failures = Vec::new();
    let mut cases = 0;
    for token in [Token::Off].into_iter().chain(Token::WITH_TOKEN) {
        let server = if token == Token::Off { &open } else { &closed };
        for origin in Origin::ALL {
            for host in Host::ALL {
                for shape in Shape::ALL {
                    let answer = ask(server, origin, host, shape, token, &cookie);
                    let wanted = expected(origin, host, shape, token);
                    let faults = faults(&answer, host, wanted);
                    if !faults.is_empty() {
                        let case = format!("{origin:?} {host:?} {shape:?} {token:?}");
                        failures.push(format!("{case}: {faults:?}\n{answer:?}"));
                    }
                    cases += 1;
                }
            }
        }
    }
    println!("{cases} combinations, {} of them wrong", failures.len());
    assert!(cases > CASES_MIN, "{cases} combinations are too few");
    assert!(
        failures.is_empty(),
        "{}",
        failures[..failures.len().min(20)].join("\n")
    );
}

fn cookie_of(server: &Server) -> String {
    let answer = server.lines(&format!("GET /?token={TOKEN}"), &[], "");
    let cookie = answer.header("set-cookie").unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

fn ask(
    server: &Server,
    origin: Origin,
    host: Host,
    shape: Shape,
    token: Token,
    cookie: &str,
) -> Answer {
    let (first, lines, body) = shape.parts();
    let mut lines: Vec<String> = lines.into_iter().map(str::to_owned).collect();
    lines.extend(origin.lines(server.port()));
    match token {
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
        &message(first, &host.line(server.port()), &lines, body),
    )
}

/// What is wrong with an answer beside its status: rule 7 and the form of errors.
fn faults(answer: &Answer, host: Host, wanted: u16) -> Vec<String> {
    let mut faults = Vec::new();
    if answer.status != wanted {
        faults.push(format!("wanted {wanted}"));
    }
    let has_cors = answer.head.to_ascii_lowercase().contains("access-control-");
    if has_cors {
        faults.push("a CORS header".to_owned());
    }
    // A doubled Host is refused by the parser of actix-http, which knows no headers of ours.
    if host == Host::Doubled {
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
