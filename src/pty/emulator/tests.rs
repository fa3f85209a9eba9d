//! The promise of a snapshot, on output that a hostile program could write.

use proptest::prelude::*;
use vt100::{Callbacks, Parser, Screen};

use super::*;

/// One thing that a program or its user does.
#[derive(Clone, Debug)]
enum Step {
    Output(Vec<u8>),
    Resize(Size),
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => "[a-z ]{1,30}",
        2 => "[äöü€日本語한ea]{1,8}",
        1 => Just("e\u{301}o\u{308}".to_owned()),
        1 => Just("\u{1F469}\u{200D}\u{1F4BB}".to_owned()),
        2 => "[a-z]{40,120}",
    ]
    .prop_map(String::into_bytes)
}

fn control() -> impl Strategy<Value = Vec<u8>> {
    let number = || prop_oneof![Just(0_u16), 1..12_u16, Just(999), Just(65535)];
    prop_oneof![
        4 => Just(b"\r\n".to_vec()),
        1 => Just(b"\n".to_vec()),
        1 => Just(b"\x08".to_vec()),
        1 => Just(b"\t".to_vec()),
        1 => prop_oneof![Just("\x1b7"), Just("\x1b8"), Just("\x1bM"), Just("\x1b="), Just("\x1b>")]
            .prop_map(|it| it.as_bytes().to_vec()),
        6 => (number(), "[@ABCDEFGJKLMPSTXd`]").prop_map(|(n, c)| format!("\x1b[{n}{c}").into_bytes()),
        3 => (number(), number(), "[Hr]").prop_map(|(a, b, c)| format!("\x1b[{a};{b}{c}").into_bytes()),
        4 => sgr(),
        3 => ("(1|6|9|25|1000|1002|1003|1005|1006|1049|2004|1004|7)", "[hl]")
            .prop_map(|(mode, c)| format!("\x1b[?{mode}{c}").into_bytes()),
        1 => (0..8_u16).prop_map(|n| format!("\x1b[{n} q").into_bytes()),
        1 => "[a-z;]{0,9}".prop_map(|t| format!("\x1b]2;{t}\x07").into_bytes()),
        1 => "[a-z;]{0,9}".prop_map(|t| format!("\x1bP1$q{t}\x1b\\").into_bytes()),
    ]
}

fn sgr() -> impl Strategy<Value = Vec<u8>> {
    let code = prop_oneof![
        Just("0".to_owned()),
        (1..8_u8).prop_map(|n| n.to_string()),
        (30..48_u8).prop_map(|n| n.to_string()),
        (90..108_u8).prop_map(|n| n.to_string()),
        any::<u8>().prop_map(|n| format!("38;5;{n}")),
        any::<[u8; 3]>().prop_map(|[r, g, b]| format!("48;2;{r};{g};{b}")),
    ];
    proptest::collection::vec(code, 0..4)
        .prop_map(|codes| format!("\x1b[{}m", codes.join(";")).into_bytes())
}

fn output() -> impl Strategy<Value = Vec<u8>> {
    let noise = proptest::collection::vec(any::<u8>(), 1..6)
        // `CSI b` is a stated limit, `ESC c` is tested by name, 47 is never entered uncleared.
        .prop_filter("limits", |bytes| !bytes.iter().any(|b| b"bc47".contains(b)));
    prop_oneof![5 => text(), 6 => control(), 1 => noise]
}

fn size() -> impl Strategy<Value = Size> {
    prop_oneof![
        5 => (2..40_u16, 2..12_u16).prop_map(|(cols, rows)| Size { cols, rows }),
        1 => (1..4_u16, 1..4_u16).prop_map(|(cols, rows)| Size { cols, rows }),
    ]
}

fn steps(resizes: u32) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        20 => output().prop_map(Step::Output),
        resizes => size().prop_map(Step::Resize),
    ];
    proptest::collection::vec(step, 0..60)
}

fn feed(emulator: &mut Emulator, steps: &[Step]) {
    for step in steps {
        match step {
            Step::Output(bytes) => emulator.process(bytes),
            Step::Resize(size) => emulator.resize(*size),
        }
    }
}

/// Everything of a screen that can be seen, one line each.
fn describe<C: Callbacks>(parser: &mut Parser<C>, scrollback: bool) -> Vec<String> {
    let mut seen = vec![format!(
        "size {:?} cursor {:?} hidden {} alternate {} modes {:?} pen {:?}",
        parser.screen().size(),
        parser.screen().cursor_position(),
        parser.screen().hide_cursor(),
        parser.screen().alternate_screen(),
        parser.screen().input_mode_formatted(),
        parser.screen().attributes_formatted(),
    )];
    let (rows, cols) = parser.screen().size();
    let screen = parser.screen_mut();
    screen.set_scrollback(if scrollback { usize::MAX } else { 0 });
    let lines = screen.scrollback();
    for back in (0..=lines).rev() {
        screen.set_scrollback(back);
        let visible = if back == 0 { rows.get() } else { 1 };
        for row in 0..visible {
            seen.push(format!(
                "{back}/{row} {}",
                describe_line(screen, row, cols.get())
            ));
        }
    }
    seen
}

fn describe_line(screen: &Screen, row: u16, cols: u16) -> String {
    let mut line = String::new();
    for col in 0..cols {
        let cell = screen.cell(row, col).unwrap();
        let style = (cell.fgcolor(), cell.bgcolor(), cell.bold(), cell.dim());
        let more = (cell.italic(), cell.underline(), cell.inverse());
        let kind = (cell.is_wide(), cell.is_wide_continuation());
        line.push_str(&format!("[{:?}{style:?}{more:?}{kind:?}]", cell.contents()));
    }
    line + if screen.row_wrapped(row) {
        " wrapped"
    } else {
        ""
    }
}

/// A terminal of the emulator's size that shows its snapshot.
fn shown(emulator: &Emulator) -> Emulator {
    let mut fresh = Emulator::new(emulator.size());
    fresh.process(&emulator.snapshot());
    fresh
}

/// The stated limit: a cursor behind the last column of a line whose end was erased.
fn cursor_waits_behind_nothing(emulator: &Emulator) -> bool {
    let mut bare = snapshot_probe(emulator);
    let alternate = bare.alternate_screen();
    loop {
        let (rows, cols) = bare.size();
        let (row, col) = bare.cursor_position();
        let last = bare.cell(row.min(rows.get() - 1), cols.get() - 1);
        if col >= cols.get() && last.is_some_and(|c| !c.has_contents() && !c.is_wide_continuation())
        {
            return true;
        }
        if !bare.alternate_screen() {
            return false;
        }
        let mut parser = Parser::new(rows, cols, 0);
        *parser.screen_mut() = bare;
        parser.process(b"\x1b[?47l");
        bare = parser.screen().clone();
        assert!(alternate);
    }
}

fn snapshot_probe(emulator: &Emulator) -> Screen {
    emulator.parser.screen().clone()
}

fn assert_same(left: &mut Emulator, right: &mut Emulator, scrollback: bool, when: &str) {
    let one = describe(&mut left.parser, scrollback);
    let two = describe(&mut right.parser, scrollback);
    for (a, b) in one.iter().zip(&two) {
        assert_eq!(a, b, "{when}");
    }
    assert_eq!(one.len(), two.len(), "{when}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, max_shrink_iters: 5000, ..ProptestConfig::default() })]

    #[test]
    fn a_snapshot_and_the_rest_equal_the_whole(
        first in size(), before in steps(0), after in steps(0),
    ) {
        let mut real = Emulator::new(first);
        feed(&mut real, &before);
        let mut copy = shown(&real);
        assert_same(&mut real, &mut copy, true, "at the snapshot");
        let limit = cursor_waits_behind_nothing(&real);
        if !limit {
            feed(&mut real, &after);
            feed(&mut copy, &after);
            assert_same(&mut real, &mut copy, true, "after more output");
            real.process(b"\x18\x1b[?1049lx\r\ny");
            copy.process(b"\x18\x1b[?1049lx\r\ny");
            assert_same(&mut real, &mut copy, true, "after leaving the alternate screen");
        }
    }

    #[test]
    fn a_snapshot_after_resizes_shows_the_same_screen(
        first in size(), before in steps(3), after in steps(0),
    ) {
        let mut real = Emulator::new(first);
        feed(&mut real, &before);
        let mut copy = shown(&real);
        // Scrollback that was wider than the screen is cut, so only the screen is compared.
        assert_same(&mut real, &mut copy, false, "at the snapshot");
        if !cursor_waits_behind_nothing(&real) {
            feed(&mut real, &after);
            feed(&mut copy, &after);
            assert_same(&mut real, &mut copy, false, "after more output");
        }
    }
}

#[test]
fn title_and_modes_that_the_emulator_does_not_know_are_carried_over() {
    let mut real = Emulator::new(Size { cols: 20, rows: 5 });
    real.process(b"\x1b]0;a;b\x07\x1b[?1004h\x1b[?2004;1016h");
    let bytes = real.snapshot();
    let holds = |part: &[u8]| bytes.windows(part.len()).any(|it| it == part);
    assert!(bytes.starts_with(b"\x1bc"));
    assert!(holds(b"\x1b]2;a;b\x07") && holds(b"\x1b[?1004h") && holds(b"\x1b[?1016h"));
    assert!(real.bracketed_paste());
    real.process(b"\x1bc");
    assert!(!real.snapshot().windows(8).any(|it| it == b"\x1b[?1004h"));
}

#[test]
fn ten_thousand_lines_are_kept_and_shown() {
    let mut real = Emulator::new(Size { cols: 30, rows: 6 });
    for line in 0..12_000 {
        real.process(format!("\x1b[3{}mline {line}\x1b[m\r\n", line % 8).as_bytes());
    }
    let mut copy = shown(&real);
    real.parser.screen_mut().set_scrollback(usize::MAX);
    copy.parser.screen_mut().set_scrollback(usize::MAX);
    assert_eq!(real.parser.screen().scrollback(), SCROLLBACK_LINES_MAX);
    assert_eq!(copy.parser.screen().scrollback(), SCROLLBACK_LINES_MAX);
    assert_eq!(
        real.parser.screen().contents(),
        copy.parser.screen().contents()
    );
    assert!(copy.parser.screen().contents().starts_with("line 1995\n"));
}

#[test]
fn a_panic_in_the_emulator_costs_no_more_than_a_piece_of_output() {
    let mut real = Emulator::new(Size { cols: 2, rows: 2 });
    real.process(b"\r\n\r\nab");
    real.process("\x08\u{2764}\u{fe0f}".as_bytes());
    for col in 1..=2 {
        real.process(format!("\x1b[1;{col}Hx").as_bytes());
    }
    real.process(b"\x1b[2J\x1b[Hok");
    assert_eq!(real.parser.screen().contents(), "ok");
    assert_eq!(shown(&real).parser.screen().contents(), "ok");
}

#[test]
fn output_may_be_cut_anywhere() {
    const SIZE: Size = Size { cols: 20, rows: 5 };
    let text = "öeü€a\u{1F469}b\u{301}é\u{1b}[1mäzß\u{1b}[0m".as_bytes();
    let noise = b"\xf0\x9fA\xc3\xe0\x80\xc3\xb6e\xc3(\xbf\xbf\xbf\xbf\xe2\x82";
    let output = [text, noise, text].concat();
    let mut whole = Emulator::new(SIZE);
    whole.process(&output);
    for first in 0..output.len() {
        for second in first..output.len() {
            let mut cut = Emulator::new(SIZE);
            for piece in [&output[..first], &output[first..second], &output[second..]] {
                cut.process(piece);
            }
            let (whole, cut) = (whole.snapshot(), cut.snapshot());
            assert!(whole == cut, "{first}, {second}: {}", cut.escape_ascii());
        }
    }
}
