//! Messages typed into live CLIs: confirmed and equal, or refused before a byte is typed.

use crate::{
    programs::{Model, claude, codex, payloads, type_in},
    support::{PATIENCE, Server, World, pause, text, wait_for},
};
use abbado::domain::run::prompt::is_invisible;
use serde_json::{Value, json};
use std::time::Instant;

/// Speaks as a CLI does by its hooks, and keeps what is typed. Confirms nothing.
const DEAF: &str = r#"
stty raw -echo
hook() { printf '%s' "$1" | "$ABBADO_HOOK" > /dev/null; }
hook '{"hook_event_name":"SessionStart","session_id":"s"}'
printf '\033[?2004h'
hook '{"hook_event_name":"Stop","session_id":"s"}'
cat > typed
"#;

/// A run of this script that waits at its prompt.
fn waiting(world: &World, server: &Server, script: &str) -> String {
    let argv = json!({"command": ["sh", "-c", script]});
    let agent = server.agent(
        world,
        json!({"cli_name": "command", "provider_config": argv}),
    );
    let run = server.run(&agent, "x");
    server.wait_status(&run, "paused");
    run
}

fn typed(server: &Server, run: &str) -> String {
    let view = server.view(run);
    let path = format!("{}/typed", text(&view["repos"][0], "worktree"));
    std::fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn what_is_never_confirmed_is_a_502_and_not_delivered() {
    let world = World::new();
    let server = world.serve();
    let run = waiting(&world, &server, DEAF);
    let message = json!({"message": "two\r\nlines"});
    let answer = server.post_with(
        &format!("runs/{run}/continue"),
        &[
            ("content-type", "application/json"),
            ("idempotency-key", "k"),
        ],
        &message.to_string(),
    );
    assert_eq!(answer.status, 502, "{answer:?}");
    assert!(answer.text.contains("did not confirm"), "{answer:?}");
    let view = server.view(&run);
    assert_eq!(view["status"], "paused");
    assert_eq!(payloads(&server, &run, "user.message"), [Value::Null; 0]);
    assert_eq!(payloads(&server, &run, "message.not_taken").len(), 1);
    // The text once, Enter twice.
    assert_eq!(typed(&server, &run), "\x1b[200~two\nlines\x1b[201~\r\r");
    let again = server.post(&format!("runs/{run}/queue"), &json!({"message": "later"}));
    assert_eq!(again.expect(201)["position"], 1);
    let view = server.view(&run);
    assert!(
        text(&view["queue"], "halted").contains("did not confirm"),
        "{view}"
    );
    server.post_empty(&format!("runs/{run}/cancel")).expect(200);
    assert_eq!(server.view(&run)["queue"]["length"], 1);
}

#[test]
fn a_cli_that_ends_meanwhile_is_a_502_as_well() {
    let world = World::new();
    let server = world.serve();
    let dying = DEAF.replace("cat > typed", "head -c 1 > typed");
    let run = waiting(&world, &server, &dying);
    let answer = server.post(&format!("runs/{run}/continue"), &json!({"message": "a"}));
    assert_eq!(answer.status, 502, "{answer:?}");
    assert!(
        answer.text.contains("ended before it accepted"),
        "{answer:?}"
    );
    assert_eq!(payloads(&server, &run, "user.message"), [Value::Null; 0]);
}

#[test]
fn what_a_program_would_take_line_by_line_is_not_typed() {
    let world = World::new();
    let server = world.serve();
    let plain = DEAF.replace("printf '\\033[?2004h'\n", "");
    let run = waiting(&world, &server, &plain);
    let answer = server.post(&format!("runs/{run}/continue"), &json!({"message": "a\nb"}));
    assert_eq!(answer.status, 502, "{answer:?}");
    assert_eq!(typed(&server, &run).replace('\r', ""), "");
}

#[test]
fn nothing_is_typed_behind_a_draft_or_into_a_question() {
    let world = World::new();
    let server = world.serve();
    let run = waiting(&world, &server, DEAF);
    type_in(&server, &run, b"half a");
    let refused = |code: &str| {
        let answer = server.post(&format!("runs/{run}/continue"), &json!({"message": "m"}));
        assert_eq!(
            (answer.status, answer.code.as_deref()),
            (409, Some(code)),
            "{answer:?}"
        );
    };
    wait_for("the draft is known", || {
        let answer = server.post(&format!("runs/{run}/continue"), &json!({"message": ""}));
        answer.status == 400 && typed(&server, &run) == "half a"
    });
    refused("draft_at_prompt");
    // One of the queue is not taken, and says why.
    let queue = format!("runs/{run}/queue");
    let queued = server.post(&queue, &json!({"message": "q"})).expect(201);
    let halted = server.wait(&run, "the queue halts", |view| {
        view["queue"]["halted"].is_string()
    });
    assert!(
        text(&halted["queue"], "halted").contains("draft"),
        "{halted}"
    );
    let arrives = |keys: &str| {
        type_in(&server, &run, keys.as_bytes());
        wait_for("the keys arrive", || typed(&server, &run).ends_with(keys));
        pause();
    };
    // Ctrl-C empties the prompt, and the queue goes on by itself.
    type_in(&server, &run, b"\x03");
    server.wait(&run, "it is typed", |_| {
        typed(&server, &run).ends_with("\x03\x1b[200~q\x1b[201~\r")
    });
    let taken = json!({"hook_event_name": "UserPromptSubmit", "session_id": "s", "prompt": "q"});
    server.post(&format!("runs/{run}/hook"), &taken).expect(200);
    let stop = json!({"hook_event_name": "Stop", "session_id": "s"});
    server.post(&format!("runs/{run}/hook"), &stop).expect(200);
    assert_eq!(
        server.view(&run)["queue"],
        json!({"length": 0, "halted": null})
    );
    assert_eq!(queued["message"], "q");
    // Then a question comes up.
    let asks =
        json!({"hook_event_name": "PermissionRequest", "session_id": "s", "tool_name": "Bash"});
    server.post(&format!("runs/{run}/hook"), &asks).expect(200);
    refused("question_open");
    // What answers a question is no draft.
    arrives("1");
    let answered =
        json!({"hook_event_name": "PostToolUse", "session_id": "s", "tool_name": "Bash"});
    server
        .post(&format!("runs/{run}/hook"), &answered)
        .expect(200);
    let stop = json!({"hook_event_name": "Stop", "session_id": "s"});
    server.post(&format!("runs/{run}/hook"), &stop).expect(200);
    server.post(&queue, &json!({"message": "m"})).expect(201);
    server.wait(&run, "it is typed", |_| {
        typed(&server, &run).contains("200~m")
    });
    let typed = typed(&server, &run);
    assert!(
        typed.starts_with("half a\x03\x1b[200~q\x1b[201~\r1\x1b[200~m\x1b[201~"),
        "{typed:?}"
    );
}

#[test]
fn nothing_is_typed_into_a_menu_that_a_person_opened() {
    let world = World::new();
    let brief = json!([{"say": "Yes."}]);
    let model = Model::start_with(&world, &json!({"claude": brief}));
    let server = world.serve();
    let agent = claude(&world, &model, "interactive");
    let run = server.run(&server.agent(&world, agent), "Begin");
    server.wait_status(&run, "paused");
    type_in(&server, &run, b"/model");
    pause();
    type_in(&server, &run, b"\r");
    let queue = format!("runs/{run}/queue");
    server
        .post(&queue, &json!({"message": "2 it is"}))
        .expect(201);
    let halted = server.wait(&run, "the queue halts", |view| {
        view["queue"]["halted"].is_string()
    });
    assert!(
        text(&halted["queue"], "halted").contains("menu"),
        "{halted}"
    );
    let answer = server.post(&format!("runs/{run}/continue"), &json!({"message": "m"}));
    assert_eq!(answer.code.as_deref(), Some("menu_open"), "{answer:?}");
    // Escape closes it, and the queue goes on by itself.
    type_in(&server, &run, b"\x1b");
    server.wait(&run, "it is delivered", |view| view["queue"]["length"] == 0);
    let said = payloads(&server, &run, "user.message");
    assert_eq!((&said[0]["text"], said.len()), (&json!("2 it is"), 1));
    server.wait_status(&run, "paused");
    server.post_empty(&format!("runs/{run}/cancel")).expect(200);
}

#[test]
fn a_message_under_way_when_the_server_is_killed_is_not_typed_again() {
    let world = World::new();
    let server = world.serve();
    let run = waiting(&world, &server, DEAF);
    let queued = server.post(&format!("runs/{run}/queue"), &json!({"message": "a"}));
    queued.expect(201);
    server.wait(&run, "it is typed", |_| {
        typed(&server, &run).ends_with('\r')
    });
    server.kill();
    let server = world.serve();
    let view = server.wait(&run, "it is given up", |view| {
        view["queue"]["halted"].is_string()
    });
    assert_eq!(
        (&view["status"], &view["queue"]["length"]),
        (&json!("paused"), &json!(1))
    );
    assert_eq!(typed(&server, &run), "\x1b[200~a\x1b[201~\r");
    // Its prompt comes at last: it is delivered, and waits no more.
    let late = json!({"hook_event_name": "UserPromptSubmit", "session_id": "s", "prompt": "a"});
    server.post(&format!("runs/{run}/hook"), &late).expect(200);
    let view = server.view(&run);
    assert_eq!(view["queue"], json!({"length": 0, "halted": null}));
    assert_eq!(
        payloads(&server, &run, "user.message")[0]["delivered_by"],
        "typed"
    );
}

/// Numbers that look random and are the same every time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

/// 1 byte to 64 KiB, every size as likely as its double.
fn random_text(numbers: &mut Numbers) -> String {
    const LETTERS: [&str; 46] = [
        "a",
        "b",
        "c",
        "d",
        "e",
        "Z",
        "0",
        "9",
        " ",
        " ",
        "  ",
        "\n",
        "\n\n",
        "\r\n",
        "\t",
        "/",
        "!",
        "#",
        "@",
        "\\",
        "'",
        "\"",
        "`",
        "$",
        "{",
        "<",
        "~",
        "ä",
        "é",
        "e\u{301}",
        "漢",
        "字",
        "😀",
        "👩\u{200d}🚀",
        "\u{202e}",
        "\u{2028}",
        "\u{200b}",
        "\u{200d}",
        "\u{200e}",
        "\u{ad}",
        "\u{feff}",
        "\u{2060}",
        "\u{3164}",
        "\u{fe0f}",
        "\u{e0101}",
        "\u{2001}",
    ];
    let mut longest = 1 << numbers.below(17);
    longest -= numbers.below(longest / 2 + 1);
    let begins = ["", "", "", "/", "/clear ", "!", "#", " /", " !"];
    let mut text = begins[numbers.below(begins.len())].to_owned();
    loop {
        let letter = LETTERS[numbers.below(LETTERS.len())];
        if text.len() + letter.len() > longest {
            break;
        }
        text.push_str(letter);
    }
    if numbers.below(16) == 0 {
        text.push('\u{1b}');
    }
    text
}

/// What is documented to change: line ends, white space at the ends; by Claude also tabs, letters
/// with accents of their own, which it composes, and letters that nobody sees, most of which it drops.
fn normal(cli: &str, text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let text = if cli == "claude" {
        let text = text.replace('\t', "    ").replace('\u{2028}', "\n");
        let text = text
            .replace("e\u{301}", "é")
            .replace('\u{2001}', "\u{2003}");
        text.replace(is_invisible, "")
    } else {
        text
    };
    text.trim().to_owned()
}

/// Claude marks a long paste as one.
fn unpacked(text: &str) -> &str {
    let text = text.trim();
    let inner = text
        .strip_prefix("<pasted_content id=")
        .and_then(|text| Some(text.split_once('\n')?.1.rsplit_once('\n')?.0));
    inner.unwrap_or(text).trim()
}

/// Every text of a person in the session's own record.
fn recorded(server: &Server, run: &str) -> Vec<String> {
    let init = payloads(server, run, "session.init").pop().unwrap();
    let rows = std::fs::read_to_string(text(&init, "transcript_path")).unwrap();
    let rows = rows
        .lines()
        .filter_map(|row| serde_json::from_str::<Value>(row).ok());
    let content = rows.filter_map(|row| match row["type"].as_str() {
        Some("user") if row["isMeta"] != true => Some(row["message"]["content"].clone()),
        Some("response_item") if row["payload"]["role"] == "user" => {
            Some(row["payload"]["content"].clone())
        }
        _ => None,
    });
    let words = content.filter_map(|content| {
        let words = content.as_str().or_else(|| content[0]["text"].as_str());
        words.map(str::to_owned)
    });
    words.map(|text| unpacked(&text).to_owned()).collect()
}

/// Sends random texts; gives those that were delivered, as they should be recorded.
fn send(cli: &str, server: &Server, run: &str, count: usize) -> Vec<String> {
    let mut numbers = Numbers(2026);
    let mut delivered: Vec<String> = Vec::new();
    let mut refused = 0;
    while delivered.len() < count {
        let text = random_text(&mut numbers);
        let answer = server.post(&format!("runs/{run}/continue"), &json!({"message": text}));
        if answer.status == 400 {
            let typing = payloads(server, run, "message.typing").len();
            assert_eq!(typing, delivered.len(), "{text:?} was typed");
            refused += 1;
            continue;
        }
        let bytes = text.len();
        let taken = payloads(server, run, "user.message").pop();
        assert_eq!(
            answer.status, 200,
            "{bytes} bytes: {answer:?}\n{text:?}\n{taken:?}"
        );
        delivered.push(normal(cli, &text));
        server.wait(run, "the turn is over", |view| {
            view["status"] == "paused"
                && payloads(server, run, "run.paused").len() == delivered.len() + 1
        });
    }
    println!("{cli}: {} delivered, {refused} refused", delivered.len());
    assert!(refused > 0, "none was to be refused");
    delivered
}

fn deliveries(cli: &str) {
    let count = std::env::var_os("ABBADO_PROVE").map_or(20, |_| 200);
    let world = World::new();
    let brief = json!([{"say": "Yes."}]);
    let model = Model::start_with(&world, &json!({"claude": brief, "codex": brief}));
    let server = world.serve();
    let agent = match cli {
        "claude" => claude(&world, &model, "interactive"),
        _ => codex(&world, &model, "interactive"),
    };
    let run = server.run(&server.agent(&world, agent), "Begin");
    server.wait_status(&run, "paused");
    let delivered = send(cli, &server, &run, count);
    let said = payloads(&server, &run, "user.message");
    assert_eq!(said.len(), delivered.len());
    for (said, text) in said.iter().zip(&delivered) {
        assert_eq!(
            (&said["by"], &said["delivered_by"]),
            (&json!("api"), &json!("typed"))
        );
        assert_eq!(&normal(cli, said["text"].as_str().unwrap()), text);
    }
    // A session is written down a moment after its hooks.
    let begun = Instant::now();
    // As the log has them, which is as the CLI took them.
    let delivered: Vec<String> = said
        .iter()
        .map(|said| text(said, "text").trim().to_owned())
        .collect();
    let there = loop {
        let all = recorded(&server, &run);
        let there = all[all.len().saturating_sub(delivered.len())..].to_vec();
        if there == delivered || begun.elapsed() > PATIENCE {
            break there;
        }
        pause();
    };
    for (at, (there, text)) in there.iter().zip(&delivered).enumerate() {
        assert_eq!(there, text, "text {at}");
    }
    assert_eq!(there.len(), delivered.len());
    server.post_empty(&format!("runs/{run}/cancel")).expect(200);
}

#[test]
fn random_texts_reach_claude_whole() {
    deliveries("claude");
}

#[test]
fn random_texts_reach_codex_whole() {
    deliveries("codex");
}
