//! Values of an agent's environment: API keys, mostly. They are kept beside the log and never in
//! it; whoever shows an agent or a run shows [`MASK`] in their place.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{collections::BTreeMap, fmt};

/// Stands for a value wherever it is shown. No value may be equal to it.
pub const MASK: &str = "***";
/// Values that are shorter are words like `true`: in a text they cannot be told from others.
const CONCEALED_CHARS_MIN: usize = 8;
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
        let values = self.0.values().map(String::as_str);
        let mut values: Vec<&str> = values
            .filter(|value| value.chars().count() >= CONCEALED_CHARS_MIN)
            .collect();
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        values
    }
}

/// Puts [`MASK`] in the place of every value of `provider_config.env`; names stay.
pub fn mask(config: &mut Map<String, Value>) {
    match config.get_mut(ENV) {
        Some(Value::Object(env)) => env.values_mut().for_each(|value| *value = MASK.into()),
        // Never valid, but perhaps a value all the same.
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
