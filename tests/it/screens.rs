//! A late viewer sees what an early one sees: xterm.js, the page's terminal, shows the same of a
//! program's whole output and of our snapshot of it, every attribute included.
//!
//! `tests/xterm/screens.mjs` runs xterm.js and names the rules by which its own faults count for
//! nothing. What is left out here, and why:
//! - Wide characters while wrapping is off: xterm.js then writes half of one.
//! - `CSI 1J`: in the last column xterm.js takes the wrong line for the next one, and fails when
//!   there is none.
//! - Regions, shifted columns and scrolling while the cursor waits behind the last column over a
//!   line whose end is empty: no sequence puts the cursor there again.

use abbado::pty::{emulator::Emulator, protocol::Size};
use data_encoding::BASE64;
use fastrand::Rng;
use serde_json::{Value, json};
use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

/// What a program or a viewer does.
#[derive(Clone, Debug)]
enum Step {
    Write(Vec<u8>),
    Resize(Size),
}

#[derive(Clone, Debug)]
struct Case {
    name: String,
    size: Size,
    steps: Vec<Step>,
}

impl Case {
    fn document(size: Size, steps: &[Step]) -> Value {
        let steps: Vec<Value> = steps
            .iter()
            .map(|step| match step {
                Step::Write(bytes) => json!({"write": BASE64.encode(bytes)}),
                Step::Resize(size) => json!({"resize": [size.cols, size.rows]}),
            })
            .collect();
        json!({"cols": size.cols, "rows": size.rows, "steps": steps})
    }

    fn live(&self) -> Value {
        Self::document(self.size, &self.steps)
    }

    fn late(&self) -> Value {
        let mut emulator = Emulator::new(self.size);
        for step in &self.steps {
            match step {
                Step::Write(bytes) => emulator.process(bytes),
                Step::Resize(size) => emulator.resize(*size),
            }
        }
        Self::document(emulator.size(), &[Step::Write(emulator.snapshot())])
    }
}

/// What xterm.js answers to each document.
fn ask(documents: &[Value]) -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/xterm");
    assert!(
        folder.join("node_modules/@xterm/headless").is_dir(),
        "xterm.js is not installed: run `make xterm`"
    );
    let mut node = Command::new("node")
        .arg(folder.join("screens.mjs"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = node.stdin.take().unwrap();
    let lines: String = documents.iter().map(|it| format!("{it}\n")).collect();
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = node.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success());
    let answers = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<Value> = answers
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(answers.len(), documents.len());
    answers
}

fn assert_same(cases: &[Case]) {
    let documents: Vec<Value> = cases
        .iter()
        .flat_map(|case| [case.live(), case.late()])
        .collect();
    let mut different = Vec::new();
    for (case, pair) in cases.iter().zip(ask(&documents).chunks(2)) {
        if pair[0] != pair[1] {
            different.push(format!("{}: {}", case.name, first_difference(pair)));
        }
    }
    assert!(
        different.is_empty(),
        "{} of {} screens differ:\n{}",
        different.len(),
        cases.len(),
        different.join("\n")
    );
}

fn first_difference(pair: &[Value]) -> String {
    let [live, late] = pair else { unreachable!() };
    for (name, value) in live.as_object().unwrap() {
        if let (Some(live), Some(late)) = (value.as_array(), late[name].as_array()) {
            let mut lines = live.iter().zip(late).enumerate();
            if let Some((at, (live, late))) = lines.find(|(_, (live, late))| live != late) {
                return format!("{name} {at}: live {live}, late {late}");
            }
        }
        if *value != late[name] {
            return format!("{name}: live {value}, late {}", late[name]);
        }
    }
    "more lines".to_owned()
}

fn count(test: usize, prove: usize) -> usize {
    if std::env::var_os("ABBADO_PROVE").is_some() {
        prove
    } else {
        test
    }
}

#[test]
fn generated_screens_are_shown_again() {
    let cases: Vec<Case> = (0..count(100, 2000))
        .map(|it| generated(it as u64))
        .collect();
    assert_same(&cases);
}

#[test]
fn screens_of_real_programs_are_shown_again() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/screens");
    let mut cases = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let size = Size { cols: 80, rows: 24 };
        let output = fs::read(&path).unwrap();
        // At its end, in the middle of it, and after changes of size.
        let mut rng = Rng::with_seed(output.len() as u64);
        for cut in 0..count(4, 60) {
            let end = if cut == 0 {
                output.len()
            } else {
                rng.usize(1..output.len())
            };
            let mut steps = vec![Step::Write(output[..end].to_vec())];
            if cut % 2 == 1 {
                let middle = rng.usize(0..end);
                steps = vec![
                    Step::Write(output[..middle].to_vec()),
                    Step::Resize(some_size(&mut rng)),
                    Step::Write(output[middle..end].to_vec()),
                    Step::Resize(some_size(&mut rng)),
                ];
            }
            cases.push(Case {
                name: format!("{name} cut {cut}"),
                size,
                steps,
            });
        }
    }
    assert!(cases.len() >= 32);
    assert_same(&cases);
}

#[test]
fn the_page_and_the_emulator_count_the_same_columns() {
    let step = count(53, 1);
    let told = ask(&[json!({"widths": step})]);
    let expected = told[0].as_array().unwrap();
    let mut emulator = Emulator::new(Size { cols: 20, rows: 2 });
    let mut at = 0;
    for code in (0xa0..0x11_0000).step_by(step) {
        let Some(char) = char::from_u32(code).filter(|it| *it != '\u{feff}') else {
            continue;
        };
        for before in ["", "a", "\u{1f469}\u{200d}"] {
            emulator.process(format!("\x1b[H\x1b[2K{before}{char}\x1b[6n").as_bytes());
            let answer = String::from_utf8(emulator.take_answers()).unwrap();
            let columns = expected[at].as_u64().unwrap();
            assert_eq!(
                answer,
                format!("\x1b[1;{}R", columns + 1),
                "{before:?} and {code:x}"
            );
            at += 1;
        }
    }
    assert_eq!(at, expected.len());
}

fn some_size(rng: &mut Rng) -> Size {
    let (cols, rows) = if rng.u8(..5) > 0 {
        (rng.u16(2..=40), rng.u16(2..=12))
    } else {
        (rng.u16(40..=120), rng.u16(10..=30))
    };
    Size { cols, rows }
}

fn generated(seed: u64) -> Case {
    let mut rng = Rng::with_seed(seed);
    let size = some_size(&mut rng);
    let mut steps = Vec::new();
    let mut output = Vec::new();
    let (mut wide, mut unwrapped) = (false, false);
    for _ in 0..rng.usize(1..=80) {
        if rng.u8(..20) == 0 {
            steps.push(Step::Write(std::mem::take(&mut output)));
            steps.push(Step::Resize(some_size(&mut rng)));
            continue;
        }
        let piece = if rng.u8(..100) < 45 {
            text(&mut rng)
        } else {
            control(&mut rng)
        };
        let (unwraps, widens) = (piece.contains("[?7l"), !piece.is_ascii());
        if unwraps && wide || widens && unwrapped {
            continue;
        }
        wide |= widens;
        unwrapped |= unwraps;
        output.extend_from_slice(piece.as_bytes());
    }
    steps.push(Step::Write(output));
    Case {
        name: format!("seed {seed}"),
        size,
        steps,
    }
}

fn any<'a>(rng: &mut Rng, list: &[&'a str]) -> &'a str {
    list[rng.usize(..list.len())]
}

fn some_of(rng: &mut Rng, letters: &str, count: usize) -> String {
    let letters: Vec<char> = letters.chars().collect();
    (0..count)
        .map(|_| letters[rng.usize(..letters.len())])
        .collect()
}

fn text(rng: &mut Rng) -> String {
    let clusters = [
        "e\u{301}o\u{308}",
        "\u{1f469}\u{200d}\u{1f4bb}",
        "❤\u{fe0f}",
        "🇩🇪🇫🇷",
        "👍🏽",
        "Z\u{300}\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}\u{307}\u{308}\u{309}\u{30a}\u{30b}\u{30c}",
        "\u{301}",
        "\u{1112}\u{1161}\u{11ab}",
        "क्षि",
        "\u{600}a",
    ];
    match rng.u8(..100) {
        0..50 => {
            let count = rng.usize(1..=30);
            some_of(rng, "abcdefgh xyz", count)
        }
        50..60 => {
            let count = rng.usize(1..=8);
            some_of(rng, "äöü€日本語한ea✅👍", count)
        }
        60..65 => any(rng, &clusters).to_owned(),
        65..80 => {
            let count = rng.usize(40..=120);
            some_of(rng, "abcdefghijklmnopqrstuvwxyz", count)
        }
        _ => rng.u16(..9999).to_string(),
    }
}

fn number(rng: &mut Rng) -> String {
    match rng.u8(..26) {
        0 => String::new(),
        1 => "0".to_owned(),
        2 => "999".to_owned(),
        3 => "65535".to_owned(),
        _ => rng.u8(1..12).to_string(),
    }
}

fn control(rng: &mut Rng) -> String {
    let one = number(rng);
    match rng.u8(..100) {
        0..15 => "\r\n".to_owned(),
        15..25 => any(
            rng,
            &[
                "\n", "\x08", "\t", "\r", "\x0b", "\x0e", "\x0f", "\x1bD", "\x1bE",
            ],
        )
        .to_owned(),
        25..35 => any(
            rng,
            &[
                "\x1b7", "\x1b8", "\x1bM", "\x1b=", "\x1b>", "\x1bH", "\x1b(0", "\x1b(B", "\x1b)0",
                "\x1b[s", "\x1b[u", "\x1bc", "\x1b[!p", "\x1b#8", "\x1bn",
            ],
        )
        .to_owned(),
        35..60 => {
            let end = some_of(rng, "@ABCDEFGJKLMPSTXZdIab`eg", 1);
            let one = if one == "1" && end == "J" { "2" } else { &one };
            format!("\x1b[{one}{end}")
        }
        60..68 => format!(
            "\x1b[{one};{}{}",
            number(rng),
            any(rng, &["H", "H", "r", "f"])
        ),
        68..82 => sgr(rng),
        82..90 => {
            let modes = [
                "1", "6", "7", "25", "45", "47", "1047", "1048", "1049", "1049", "1000", "1002",
                "1006", "2004", "1004", "12", "66",
            ];
            format!("\x1b[?{}{}", any(rng, &modes), any(rng, &["h", "l"]))
        }
        90..92 => format!(
            "\x1b[{}{}",
            any(rng, &["4", "20"]),
            any(rng, &["h", "l", "l"])
        ),
        92..94 => format!(
            "\x1b]8;{};{}\x1b\\",
            any(rng, &["", "id=a"]),
            any(rng, &["", "http://a/", "http://b/"])
        ),
        94 => format!("\x1b[{one}{}", any(rng, &[" @", " A", "'}", "'~", "\"q"])),
        95..97 => format!("\x1b[?{}{}", any(rng, &["0", "2"]), any(rng, &["J", "K"])),
        97 => format!("\x1b]{};a;title\x07", rng.u8(..3)),
        _ => format!("\x1b[{} q", rng.u8(..7)),
    }
}

fn sgr(rng: &mut Rng) -> String {
    let codes: Vec<String> = (0..rng.u8(..5))
        .map(|_| match rng.u8(..10) {
            0 => "0".to_owned(),
            1 => rng.u8(1..10).to_string(),
            2 => rng.u8(30..50).to_string(),
            3 => rng.u8(90..108).to_string(),
            4 => format!("38;5;{}", rng.u8(..)),
            5 => format!("48;2;{};{};9", rng.u8(..), rng.u8(..)),
            6 => format!("4:{}", rng.u8(..6)),
            7 => format!("58:2::{}:2:3", rng.u8(..)),
            8 => any(
                rng,
                &[
                    "21", "22", "23", "24", "25", "27", "28", "29", "53", "55", "59",
                ],
            )
            .to_owned(),
            _ => format!("38:5:{}", rng.u8(..)),
        })
        .collect();
    format!("\x1b[{}m", codes.join(";"))
}
