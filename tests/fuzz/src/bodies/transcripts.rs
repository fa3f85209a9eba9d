//! Lines of transcripts and output streams. The first byte says where the text is cut in two: there
//! the CLI pauses, and there the server is started anew.

use super::run::Told;
use abbado::{
    cli::{self, Transcript, TranscriptContext},
    domain::{
        AgentMode,
        run::{
            Command,
            command::{Observation, Usage},
        },
        settings::ModelSettings,
    },
};
use std::{
    fs::File,
    io::Write,
    path::Path,
    sync::{Arc, LazyLock},
};

/// Parsing them would take most of the time.
static PRICES: LazyLock<Arc<ModelSettings>> = LazyLock::new(|| Arc::new(ModelSettings::defaults()));

/// The CLIs, and whether a reader that goes on after a restart tells all that the first would have
/// told. The records of the others name messages that only the reader before has seen.
const CLIS: [(&str, bool); 5] = [
    ("claude-code", true),
    ("codex", true),
    ("gemini", false),
    ("qwen", false),
    ("opencode", false),
];

/// Whatever the pieces, the same is told; a restart loses nothing and tells nothing twice; a run
/// can write down what it is told.
pub fn transcript(data: &[u8]) {
    let Some((at, text)) = data.split_first() else {
        return;
    };
    let cut = usize::from(*at) * text.len() / usize::from(u8::MAX);
    let folder = tempfile::tempdir().expect("a folder");
    for (name, resumes) in CLIS {
        for mode in [AgentMode::Headless, AgentMode::Interactive] {
            let at = |what: &str| folder.path().join(format!("{name}-{what}.jsonl"));
            let source = Source {
                name,
                mode,
                whole: &at("whole"),
                pieces: &at("pieces"),
                text,
            };
            source.told(cut, resumes);
        }
    }
}

/// What a CLI writes, into its file or its terminal.
struct Source<'a> {
    name: &'static str,
    mode: AgentMode,
    whole: &'a Path,
    pieces: &'a Path,
    text: &'a [u8],
}

/// What was told, in order, without totals, and the last totals.
#[derive(Debug, Default, Clone)]
struct Seen {
    words: Vec<Observation>,
    usage: Option<Usage>,
}

impl Seen {
    fn add(&mut self, observed: Vec<Observation>) {
        for one in observed {
            if let Observation::Usage(usage) = one {
                self.usage = Some(usage);
            } else {
                self.words.push(one);
            }
        }
    }

    /// Without the place, which is told along with other news only.
    fn totals(&self) -> Usage {
        Usage {
            transcript_offset: 0,
            ..self.usage.clone().unwrap_or_default()
        }
    }

    /// Messages and ends of turns.
    fn whole_words(&self) -> impl Iterator<Item = &Observation> {
        self.words.iter().filter(|word| {
            matches!(
                word,
                Observation::Message { .. }
                    | Observation::Ended { .. }
                    | Observation::Interrupted { .. }
            )
        })
    }
}

impl Source<'_> {
    fn told(&self, cut: usize, resumes: bool) {
        let who = (self.name, self.mode);
        let (before, after) = self.text.split_at(cut);
        let mut whole = Seen::default();
        let mut reader = self.reader(Usage::default());
        self.write(self.whole, self.text);
        whole.add(self.read(&mut *reader, self.whole, self.text));

        let mut pieces = Seen::default();
        let mut reader = self.reader(Usage::default());
        self.write(self.pieces, before);
        pieces.add(self.read(&mut *reader, self.pieces, before));
        let mut resumed = pieces.clone();
        self.write(self.pieces, after);
        pieces.add(self.read(&mut *reader, self.pieces, after));
        assert_eq!(pieces.words, whole.words, "{who:?}");
        assert_eq!(pieces.totals(), whole.totals(), "{who:?}");

        if resumes {
            let mut reader = self.reader(resumed.usage.clone().unwrap_or_default());
            let from = usize::try_from(reader.output_read()).expect("a place in the text");
            resumed.add(self.read(&mut *reader, self.pieces, &self.text[from..]));
            let words: Vec<_> = resumed.whole_words().collect();
            assert_eq!(words, whole.whole_words().collect::<Vec<_>>(), "{who:?}");
            assert_eq!(tokens(&resumed), tokens(&whole), "{who:?}");
        }
        let mut told = Told::new();
        let usage = whole.usage.map(Observation::Usage);
        let observed = whole.words.into_iter().chain(usage).collect();
        told.tell(Command::Observed(observed));
        told.read_again();
    }

    fn reader(&self, baseline: Usage) -> Box<dyn Transcript> {
        let adapter = cli::adapter(self.name).expect("an adapter of this build");
        let context = TranscriptContext {
            mode: self.mode,
            offset: baseline.transcript_offset,
            baseline,
            prices: PRICES.clone(),
        };
        adapter.transcript(context).expect("it has a transcript")
    }

    /// The CLI writes on in its file. One that is cut short first would wait for the disk.
    fn write(&self, path: &Path, text: &[u8]) {
        if matches!(self.mode, AgentMode::Interactive) {
            let file = File::options().create(true).append(true).open(path);
            let written = file.and_then(|mut file| file.write_all(text));
            written.expect("a file is written");
        }
    }

    /// Lets the reader read on: in the file, or what was printed since.
    fn read(&self, reader: &mut dyn Transcript, path: &Path, printed: &[u8]) -> Vec<Observation> {
        match self.mode {
            AgentMode::Headless => reader.feed(printed),
            AgentMode::Interactive => reader.read(Some(path)).expect("a file is read"),
        }
    }
}

fn tokens(seen: &Seen) -> [u64; 4] {
    let totals = seen.totals();
    [
        totals.tokens_in,
        totals.tokens_out,
        totals.tokens_cache_read,
        totals.tokens_cache_write,
    ]
}
