//! The promise of a snapshot on output that a hostile program could write. What the screen should
//! look like is compared with xterm.js in tests/it/screens.rs.

use proptest::prelude::*;

use super::*;

const SIZE: Size = Size { cols: 20, rows: 5 };

/// One thing that a program or its user does.
#[derive(Clone, Debug)]
enum Step {
    Output(Vec<u8>),
    Resize(Size),
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => "[a-z ]{1,30}",
        2 => "[äöü€日本語한ea✅👍]{1,8}",
        1 => Just("e\u{301}o\u{308}".to_owned()),
        1 => Just("\u{1F469}\u{200D}\u{1F4BB}🇩🇪❤\u{fe0f}".to_owned()),
        2 => "[a-z]{40,120}",
    ]
    .prop_map(String::into_bytes)
}

fn control() -> impl Strategy<Value = Vec<u8>> {
    let number = || prop_oneof![Just(0_u16), 1..12_u16, Just(999), Just(65535)];
    let fixed = "(\r\n|\n|\x08|\t|\x0e|\x0f|\x1b7|\x1b8|\x1bM|\x1bD|\x1bE|\x1bH|\x1b=|\x1b>)";
    prop_oneof![
        5 => fixed.prop_map(String::into_bytes),
        1 => "(\x1b\\(0|\x1b\\(B|\x1b\\)0|\x1b#8|\x1bc|\x1b\\[!p)".prop_map(String::into_bytes),
        6 => (number(), "[@ABCDEFGIJKLMPSTXZabdegsu`]")
            .prop_map(|(n, c)| format!("\x1b[{n}{c}").into_bytes()),
        3 => (number(), number(), "[Hr]")
            .prop_map(|(a, b, c)| format!("\x1b[{a};{b}{c}").into_bytes()),
        4 => sgr(),
        3 => ("(1|6|9|25|45|47|1000|1002|1006|1047|1048|1049|2004|1004)", "[hl]")
            .prop_map(|(mode, c)| format!("\x1b[?{mode}{c}").into_bytes()),
        1 => ("(4|20)", "[hl]").prop_map(|(mode, c)| format!("\x1b[{mode}{c}").into_bytes()),
        1 => "[a-z;]{0,9}".prop_map(|t| format!("\x1b]2;{t}\x07").into_bytes()),
        1 => "(http://a/)?".prop_map(|t| format!("\x1b]8;;{t}\x1b\\").into_bytes()),
        1 => "[a-z;]{0,9}".prop_map(|t| format!("\x1bP1$q{t}\x1b\\").into_bytes()),
        1 => (0..8_u16, "[ '][@A}~]").prop_map(|(n, c)| format!("\x1b[{n}{c}").into_bytes()),
    ]
}

fn sgr() -> impl Strategy<Value = Vec<u8>> {
    let code = prop_oneof![
        (0..10_u8).prop_map(|n| n.to_string()),
        (21..60_u8).prop_map(|n| n.to_string()),
        (90..108_u8).prop_map(|n| n.to_string()),
        (0..6_u8).prop_map(|n| format!("4:{n}")),
        any::<u8>().prop_map(|n| format!("38;5;{n}")),
        any::<[u8; 3]>().prop_map(|[r, g, b]| format!("48;2;{r};{g};{b}")),
        any::<u8>().prop_map(|n| format!("58:5:{n}")),
    ];
    proptest::collection::vec(code, 0..4)
        .prop_map(|codes| format!("\x1b[{}m", codes.join(";")).into_bytes())
}

fn output() -> impl Strategy<Value = Vec<u8>> {
    let noise = proptest::collection::vec(any::<u8>(), 1..6);
    prop_oneof![5 => text(), 6 => control(), 1 => noise]
}

fn size() -> impl Strategy<Value = Size> {
    prop_oneof![
        5 => (2..40_u16, 2..12_u16).prop_map(|(cols, rows)| Size { cols, rows }),
        1 => (1..4_u16, 1..4_u16).prop_map(|(cols, rows)| Size { cols, rows }),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        20 => output().prop_map(Step::Output),
        2 => size().prop_map(Step::Resize),
    ];
    proptest::collection::vec(step, 0..60)
}

fn feed(emulator: &mut Emulator, steps: &[Step]) {
    for step in steps {
        match step {
            Step::Output(bytes) => {
                let (parser, terminal) = (&mut emulator.parser, &mut emulator.terminal);
                // Not guarded: a panic fails the test.
                parser.advance(bytes, terminal);
            }
            Step::Resize(size) => {
                emulator.size = size.clamped();
                let (cols, rows) = sides(*size);
                emulator.terminal.resize(cols, rows);
            }
        }
    }
}

/// A terminal of the emulator's size that shows its snapshot.
fn shown(emulator: &Emulator) -> Emulator {
    let mut fresh = Emulator::new(emulator.size());
    fresh.process(&emulator.snapshot());
    fresh
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, max_shrink_iters: 5000, ..ProptestConfig::default() })]

    #[test]
    fn no_output_ends_the_emulator_and_the_screen_is_whole(first in size(), steps in steps()) {
        let mut emulator = Emulator::new(first);
        feed(&mut emulator, &steps);
        let terminal = &emulator.terminal;
        let (cols, rows) = (terminal.cols, terminal.rows);
        for screen in [&terminal.normal, &terminal.alternate] {
            prop_assert!(screen.lines.is_empty() || screen.lines.len() == screen.base + rows);
            prop_assert!(screen.x <= cols && screen.y < rows);
            prop_assert!(screen.top <= screen.bottom && screen.bottom < rows);
        }
        let copy = shown(&emulator);
        // Cells beyond the edge of an alternate screen that was wider are a stated limit.
        let resized = steps.iter().any(|step| matches!(step, Step::Resize(_)));
        if !resized {
            prop_assert_eq!(copy.text(), emulator.text());
        }
    }

    #[test]
    fn output_may_be_cut_anywhere(steps in proptest::collection::vec(output(), 1..20), at in any::<prop::sample::Index>()) {
        let output = steps.concat();
        let at = at.index(output.len());
        let mut whole = Emulator::new(SIZE);
        whole.process(&output);
        let mut cut = Emulator::new(SIZE);
        cut.process(&output[..at]);
        cut.process(&output[at..]);
        prop_assert_eq!(whole.snapshot(), cut.snapshot());
    }
}

#[test]
fn titles_modes_and_colours_are_carried_over() {
    let mut real = Emulator::new(SIZE);
    real.process(b"\x1b]0;a;b\x07\x1b[?1004h\x1b[?2004;1016h\x1b[?2031h\x1b[>5u");
    real.process(b"\x1b]4;1;#ff0000\x07\x1b]11;rgb:00/00/ff\x07\x1b[5 q\x1b[?12h");
    let bytes = real.snapshot();
    assert!(bytes.starts_with(b"\x1bc"));
    for part in [
        "\x1b]2;a;b\x07",
        "\x1b]1;a;b\x07",
        "\x1b[?1004h",
        "\x1b[?1016h",
        "\x1b[?2031h",
        "\x1b[>5u",
        "\x1b]4;1;rgb:ffff/0000/0000\x07",
        "\x1b]11;rgb:0000/0000/ffff\x07",
        "\x1b[5 q",
    ] {
        let part = part.as_bytes();
        let holds = bytes.windows(part.len()).any(|it| it == part);
        assert!(holds, "{} in {}", part.escape_ascii(), bytes.escape_ascii());
    }
    assert!(real.bracketed_paste());
    real.process(b"\x1bc");
    assert!(!real.bracketed_paste());
    assert!(!real.snapshot().windows(8).any(|it| it == b"\x1b[?1004h"));
}

#[test]
fn ten_thousand_lines_are_kept_and_shown() {
    let mut real = Emulator::new(Size { cols: 30, rows: 6 });
    for line in 0..12_000 {
        real.process(format!("\x1b[3{}mline {line}\x1b[m\r\n", line % 8).as_bytes());
    }
    let copy = shown(&real);
    for emulator in [&real, &copy] {
        let screen = &emulator.terminal.normal;
        assert_eq!(screen.base, SCROLLBACK_LINES_MAX);
        let first: String = screen.lines[0]
            .cells()
            .iter()
            .map(|cell| emulator.terminal.text_of(*cell))
            .collect();
        assert_eq!(first, "line 1995");
    }
    assert_eq!(real.snapshot(), copy.snapshot());
}

#[test]
fn a_line_comes_back_whole_after_a_narrow_viewer() {
    let wide = Size { cols: 60, rows: 6 };
    let mut real = Emulator::new(wide);
    let line = format!("{} END\r\n", "x".repeat(50));
    real.process(line.repeat(20).as_bytes());
    let before = real.snapshot();
    real.resize(Size { cols: 15, rows: 6 });
    real.resize(wide);
    assert_eq!(real.snapshot(), before);
}

#[test]
fn an_unfinished_sequence_follows_the_snapshot() {
    let cases: [(&[u8], &[u8]); 17] = [
        (b"plain", b""),
        (b"a\x1b", b"\x1b"),
        (b"a\x1b[3", b"\x1b[3"),
        (b"a\x1b[3\n1", b"\x1b[31"),
        (b"a\x1b[31m", b""),
        (b"\x1b[31\x18x", b""),
        (b"\x1b[31\x1b[4", b"\x1b[4"),
        (b"\x1b(", b"\x1b("),
        (b"\x1b(B", b""),
        (b"\x1b]0;ti", b"\x1b]0;ti"),
        (b"\x1b]0;ti\x07", b""),
        (b"\x1b]0;ti\x1b", b"\x1b"),
        (b"\x1bP1$qm\xc2\x9c", b""),
        (b"\xc2\x9b3", b"\xc2\x9b3"),
        ("gr\u{fc}n\u{1F600}".as_bytes(), b""),
        (b"x\xf0\x9f\x98", b"\xf0\x9f\x98"),
        (b"x\xe4\xb8", b"\xe4\xb8"),
    ];
    for (bytes, pending) in cases {
        let mut real = Emulator::new(SIZE);
        for byte in bytes {
            real.process(std::slice::from_ref(byte));
        }
        assert_eq!(real.parser.pending(), pending, "{}", bytes.escape_ascii());
        assert!(real.snapshot().ends_with(pending));
        assert_eq!(real.scrolls_freely(), pending.is_empty());
    }
    let mut real = Emulator::new(SIZE);
    real.process(b"\x1b]52;c;");
    real.process(&[b'A'; 100_000]);
    assert!(real.parser.pending().len() <= 4096);
    real.process(b"\x07ok");
    assert_eq!(real.text().trim_end(), "ok");
}

#[test]
fn what_programs_ask_is_answered_once_and_in_order() {
    for (asked, answer) in [
        ("\x1b[c", "\x1b[?1;2c"),
        ("\x1b[0c", "\x1b[?1;2c"),
        ("\x1b[>c", "\x1b[>0;276;0c"),
        ("\x1b[=c", "\x1bP!|00000000\x1b\\"),
        ("\x1b[5n", "\x1b[0n"),
        ("ab\r\nc\x1b[6n", "\x1b[2;2R"),
        ("\x1b[?6n", "\x1b[?1;1R"),
        ("\x1b[2;4r\x1b[?6h\x1b[2;3H\x1b[6n", "\x1b[3;3R"),
        ("12345678901234567890\x1b[6n", "\x1b[1;20R"),
        ("\x1b[6n1\x1b[6n", "\x1b[1;1R\x1b[1;2R"),
        (
            "\x1b[?2004$p\x1b[?2004h\x1b[?2004$p",
            "\x1b[?2004;2$y\x1b[?2004;1$y",
        ),
        ("\x1b[?9999$p\x1b[4$p", "\x1b[?9999;0$y\x1b[4;2$y"),
        ("\x1bP$qr\x1b\\", "\x1bP1$r1;5r\x1b\\"),
        ("\x1b[1;38;5;9m\x1bP$qm\x1b\\", "\x1bP1$r0;1;38:5:9m\x1b\\"),
        ("\x1b[5 q\x1bP$q q\x1b\\", "\x1bP1$r5 q\x1b\\"),
        ("\x1bP$qx\x1b\\", "\x1bP0$r\x1b\\"),
        (
            "\x1bP+q544e;abcd\x1b\\",
            "\x1bP1+r544e=787465726D2D323536636F6C6F72\x1b\\\x1bP0+rabcd\x1b\\",
        ),
        ("\x1b]11;?\x07", "\x1b]11;rgb:1212/1212/1212\x1b\\"),
        (
            "\x1b]10;#102030;?\x07\x1b]10;?\x1b\\",
            "\x1b]11;rgb:1212/1212/1212\x1b\\\x1b]10;rgb:1010/2020/3030\x1b\\",
        ),
        (
            "\x1b]4;1;?;15;?\x07",
            "\x1b]4;1;rgb:cccc/0000/0000\x1b\\\x1b]4;15;rgb:eeee/eeee/ecec\x1b\\",
        ),
        (
            "\x1b[?u\x1b[>5u\x1b[?u\x1b[<u\x1b[?u",
            "\x1b[?0u\x1b[?5u\x1b[?0u",
        ),
        (
            "\x1b[14t\x1b[16t\x1b[18t",
            "\x1b[4;80;160t\x1b[6;16;8t\x1b[8;5;20t",
        ),
        (
            "\x1b[>0q",
            concat!("\x1bP>|abbado ", env!("CARGO_PKG_VERSION"), "\x1b\\"),
        ),
        (
            "\x1b[1c\x1b[>1u\x1b[7n\x1b[21t\x1b]12;#fff\x07\x1b[?1;2c",
            "",
        ),
    ] {
        let mut terminal = Emulator::new(SIZE);
        for byte in asked.as_bytes() {
            terminal.process(std::slice::from_ref(byte));
        }
        let said = terminal.take_answers();
        assert_eq!(
            said.escape_ascii().to_string(),
            answer.as_bytes().escape_ascii().to_string()
        );
        assert!(terminal.take_answers().is_empty());
    }
}

#[test]
fn few_of_many_clusters_and_links_are_kept() {
    let mut terminal = Emulator::new(SIZE);
    for number in 0..30_000_u32 {
        let mark = char::from_u32(0x300 + number % 0x60).unwrap_or('\u{301}');
        let letter = char::from_u32(0x3400 + number / 0x60).unwrap_or('a');
        let text = format!("\x1b]8;;http://a/{number}\x1b\\{letter}{mark}\x1b]8;;\x1b\\\x1b[H");
        terminal.process(text.as_bytes());
    }
    terminal.process(b"\x1b]8;;http://last/\x1b\\e\xcc\x81");
    let shown = String::from_utf8(terminal.snapshot()).unwrap();
    assert!(shown.contains("\x1b]8;;http://last/\x1b\\"), "{shown:?}");
    assert!(terminal.text().starts_with("e\u{301}"));
    assert!(!terminal.terminal.pools.is_full());
}

#[test]
fn a_prompt_is_told_from_a_menu_by_where_the_cursor_is() {
    let spot = |output: &str| {
        let mut emulator = Emulator::new(Size { cols: 20, rows: 5 });
        emulator.process(output.as_bytes());
        emulator.spot()
    };
    let line = |text: &str| Some(Spot::Line(text.to_owned()));
    assert_eq!(
        spot("old\r\n──\r\n❯ \r\n──\x1b[3;3H"),
        Some(Spot::Cursor(2, "❯".into()))
    );
    assert_eq!(
        spot("\x1b[?1049h  1. a\r\n❯ 2. b\x1b[1;3H"),
        line("❯ 2. b"),
        "a blank before the cursor tells nothing"
    );
    assert_eq!(spot("> old\r\n > Type here\r\n"), line(" > Type here"));
    assert_eq!(spot("text\r\n"), None);
    assert_eq!(spot("› \x1b[3G"), spot("›\x1b[3G"), "a blank is no sign");
    let begins = |output: &str| spot(output).is_some_and(|spot| spot.may_be_prompt());
    assert!(begins("│ > ") && begins("❯ ") && !begins("• Working (3 s)"));
}
