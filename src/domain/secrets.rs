//! Values of an agent's environment: API keys, mostly. They are kept beside the log and never in
//! it; agents and runs are shown with [`MASK`] in their place.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{collections::BTreeMap, fmt};

/// Stands for a value wherever it is shown. No value may be equal to it.
pub(crate) const MASK: &str = "***";
/// Shorter values are words like `true`, which cannot be distinguished from ordinary text.
const CONCEALED_CHARS_MIN: usize = 8;
/// Parts of names whose values are secret whatever they look like.
const SECRET_NAMES: [&str; 12] = [
    "KEY",
    "TOKEN",
    "SECRET",
    "PASSW",
    "PASSPHRASE",
    "CREDENTIAL",
    "AUTH",
    "COOKIE",
    "PRIVATE",
    "BEARER",
    "SIGNATURE",
    "DSN",
];
/// A word of letters, a number, and a word of both, as texts that are no secret have them.
const WORD_CHARS_MAX: usize = 20;
const NUMBER_CHARS_MAX: usize = 5;
const MIXED_CHARS_MAX: usize = 6;
/// So many words of letters and digits may be in a text that is no secret: `x86_64`, `es2022`.
const MIXED_MAX: usize = 2;
const ENV: &str = "env";

/// Values of `provider_config.env` by name. Its debug form has the names only.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secrets(BTreeMap<String, String>);

impl fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

impl Secrets {
    /// The values that a `provider_config` holds, masks aside.
    #[must_use]
    pub fn of(config: &Map<String, Value>) -> Self {
        let env = config.get(ENV).and_then(Value::as_object);
        let values = env.into_iter().flatten().filter_map(|(name, value)| {
            let value = value.as_str().filter(|value| *value != MASK)?;
            Some((name.clone(), value.to_owned()))
        });
        Self(values.collect())
    }

    /// Takes the values out of a `provider_config`, and leaves masks.
    #[must_use]
    pub fn take(config: &mut Map<String, Value>) -> Self {
        let taken = Self::of(config);
        mask(config);
        taken
    }

    /// True when there is nothing to keep.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts the values back where masks are.
    ///
    /// # Errors
    /// The name of a mask for which there is no value.
    pub fn fill(&self, config: &mut Map<String, Value>) -> Result<(), String> {
        let env = config.get_mut(ENV).and_then(Value::as_object_mut);
        for (name, value) in env.into_iter().flatten() {
            if *value == MASK {
                let known = self.0.get(name).ok_or_else(|| name.clone())?;
                *value = Value::from(known.as_str());
            }
        }
        Ok(())
    }

    /// A text without the values, [`MASK`] in their place.
    #[must_use]
    pub fn conceal(&self, text: &str) -> String {
        let values = self.concealed();
        values
            .into_iter()
            .fold(text.to_owned(), |text, value| text.replace(value, MASK))
    }

    /// Writes asterisks over the values in a piece of output: as many as there were bytes, so that
    /// all else stays at its offset.
    pub fn blot(&self, bytes: &mut [u8]) {
        for value in self.concealed() {
            let value = value.as_bytes();
            let mut at = 0;
            while let Some(found) = memchr::memmem::find(&bytes[at..], value) {
                let begin = at + found;
                at = begin + value.len();
                bytes[begin..at].fill(b'*');
            }
        }
    }

    /// Length of the longest value that [`Secrets::blot`] looks for, in bytes; 0 without one.
    #[must_use]
    pub fn longest(&self) -> usize {
        self.concealed().first().map_or(0, |value| value.len())
    }

    /// What is looked for in texts, the longest first: one may hold another.
    fn concealed(&self) -> Vec<&str> {
        let mut values: Vec<&str> = self
            .0
            .iter()
            .filter(|(name, value)| is_secret(name, value))
            .map(|(_, value)| value.as_str())
            .collect();
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        values
    }
}

/// Whether a value is looked for in texts. One whose name says so is; any other unless it is made
/// of words and small numbers, as `production`, a path or an address are: those stand in texts by
/// themselves.
fn is_secret(name: &str, value: &str) -> bool {
    if value.chars().count() < CONCEALED_CHARS_MIN {
        return false;
    }
    let name = name.to_ascii_uppercase();
    SECRET_NAMES.iter().any(|part| name.contains(part)) || !is_plain(value)
}

fn is_plain(value: &str) -> bool {
    // An address with a user's name in it has a password, too.
    let address = value.split_once("://").map_or("", |(_, rest)| rest);
    if address
        .split('/')
        .next()
        .is_some_and(|authority| authority.contains('@'))
    {
        return false;
    }
    let mut mixed = 0;
    let words = value.split(|letter: char| !letter.is_alphanumeric());
    let plain = words.filter(|word| !word.is_empty()).all(|word| {
        let (len, digits) = (
            word.chars().count(),
            word.chars().filter(|letter| letter.is_numeric()).count(),
        );
        if digits == 0 {
            return len <= WORD_CHARS_MAX && humps(word) <= 2;
        }
        if digits == len {
            return len <= NUMBER_CHARS_MAX;
        }
        mixed += 1;
        len <= MIXED_CHARS_MAX
    });
    plain && mixed <= MIXED_MAX
}

/// Capital letters behind small ones: `camelCase` has one, a random word many.
fn humps(word: &str) -> usize {
    let letters: Vec<char> = word.chars().collect();
    let hump = |pair: &&[char]| pair[0].is_lowercase() && pair[1].is_uppercase();
    letters.windows(2).filter(hump).count()
}

/// Puts [`MASK`] in the place of every value of `provider_config.env`; names stay.
pub(crate) fn mask(config: &mut Map<String, Value>) {
    match config.get_mut(ENV) {
        Some(Value::Object(env)) => env.values_mut().for_each(|value| *value = MASK.into()),
        // Never valid, but it may be a secret.
        Some(other) if !other.is_null() => *other = MASK.into(),
        Some(_) | None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn config(value: Value) -> Map<String, Value> {
        let Value::Object(map) = value else {
            panic!("an object")
        };
        map
    }

    #[test]
    fn values_are_taken_out_and_put_back() {
        let whole = config(json!({"env": {"KEY": "sk-1", "B": "x"}, "args": ["--a"]}));
        let mut shown = whole.clone();
        let secrets = Secrets::take(&mut shown);
        assert_eq!(
            Value::Object(shown.clone()),
            json!({"env": {"KEY": "***", "B": "***"}, "args": ["--a"]})
        );
        assert_eq!(format!("{secrets:?}"), r#"{"B", "KEY"}"#);
        assert_eq!(secrets.fill(&mut shown), Ok(()));
        assert_eq!(shown, whole);
        assert!(Secrets::take(&mut config(json!({}))).is_empty());
        assert!(Secrets::of(&config(json!({"env": {"KEY": MASK}}))).is_empty());
    }

    #[test]
    fn a_mask_without_a_value_is_named() {
        let known = Secrets::of(&config(json!({"env": {"KEY": "sk-1"}})));
        let mut given = config(json!({"env": {"KEY": "***", "NEW": "n"}}));
        assert_eq!(known.fill(&mut given), Ok(()));
        assert_eq!(given["env"], json!({"KEY": "sk-1", "NEW": "n"}));
        let mut unknown = config(json!({"env": {"OTHER": "***"}}));
        assert_eq!(known.fill(&mut unknown), Err("OTHER".to_owned()));
    }

    #[test]
    fn secrets_are_told_from_words_by_their_names_and_looks() {
        for (name, value, secret) in [
            ("NODE_ENV", "production", false),
            ("NODE_ENV", "development", false),
            ("DEBUG", "1", false),
            ("LANG", "en_US.UTF-8", false),
            ("EDITOR", "/usr/bin/nvim --clean", false),
            ("API_BASE_URL", "http://localhost:3000/v1", false),
            ("RUST_LOG", "debug,hyper=info", false),
            ("ANTHROPIC_MODEL", "claude-opus-4-8", false),
            ("TARGET", "x86_64-unknown-linux-gnu", false),
            ("NODE_OPTIONS", "--max-old-space-size=4096", false),
            ("JAVA_OPTS", "-XX:MaxHeapRatio=70", false),
            ("FEATURES", "newDashboard,darkMode", false),
            ("VERSION", "v20.11.1-slim", false),
            ("SHORT_TOKEN", "abc", false),
            // Their names say so.
            ("API_KEY", "production", true),
            ("npm_config__authToken", "sunshine", true),
            ("DB_PASSWORD", "correct horse", true),
            ("SENTRY_DSN", "https://sentry.example/1", true),
            // They look like it.
            ("LOGIN", "hunter2hunter2", true),
            ("X", "sk-12345678", true),
            ("X", "ghp_16C7e42F292c6912E7710c838347Ae178B4a", true),
            ("X", "AKIAIOSFODNN7EXAMPLE", true),
            ("X", "550e8400-e29b-41d4-a716-446655440000", true),
            ("X", "a1b2-c3d4-e5f6-a7b8", true),
            ("X", "correcthorsebatterystaple", true),
            ("X", "kQzPvWrTmXbN", true),
            ("DATABASE_URL", "postgres://app:pass@db.example/app", true),
            ("PIN", "40128852", true),
        ] {
            let secrets = Secrets::of(&config(json!({"env": {name: value}})));
            let said = format!("is {value} here");
            let shown = if secret { "is *** here" } else { said.as_str() };
            assert_eq!(secrets.conceal(&said), shown, "{name}");
        }
    }

    #[test]
    fn an_environment_of_the_wrong_shape_shows_nothing_either() {
        for env in [json!("sk-1"), json!(["sk-1"]), json!({"A": ["sk-1"]})] {
            let mut shown = config(json!({"env": env}));
            mask(&mut shown);
            assert!(!Value::Object(shown).to_string().contains("sk-1"));
        }
    }

    #[test]
    fn long_values_are_concealed_in_texts_and_keep_their_length_in_output() {
        let secrets = Secrets::of(&config(
            json!({"env": {"A": "sk-12345678", "B": "sk-12345678-90", "C": "true"}}),
        ));
        let said = "sk-12345678-90 and sk-12345678sk-12345678, true";
        assert_eq!(secrets.conceal(said), "*** and ******, true");
        let mut bytes = said.as_bytes().to_vec();
        secrets.blot(&mut bytes);
        let blotted = "************** and **********************, true";
        assert_eq!(String::from_utf8_lossy(&bytes), blotted);
        assert_eq!(secrets.longest(), 14);
        assert_eq!(Secrets::default().longest(), 0);
    }
}
