//! The parameters of a control sequence.

/// Parameters of a sequence, and parts of such (`4:3`), that are kept.
const PARAMS_MAX: usize = 32;
/// The largest parameter.
const PARAM_MAX: u32 = 0x7fff_ffff;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Params {
    values: Vec<u32>,
    /// Parts behind a parameter, `None` for an empty one, and the number of the parameter.
    parts: Vec<(usize, Option<u32>)>,
    full: bool,
    in_parts: bool,
}

impl Params {
    /// Begins with none.
    pub(super) fn clear(&mut self) {
        self.values.clear();
        self.values.push(0);
        self.parts.clear();
        self.full = false;
        self.in_parts = false;
    }

    /// How many there are, at least one.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// One of them; 0 when it was left out.
    pub(super) fn get(&self, at: usize) -> u32 {
        self.values.get(at).copied().unwrap_or(0)
    }

    /// One of them as a count or a place: at least 1.
    pub(super) fn count(&self, at: usize) -> usize {
        self.get(at).max(1) as usize
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        self.values.iter().copied()
    }

    /// The parts behind one of them.
    pub(super) fn parts(&self, at: usize) -> impl Iterator<Item = Option<u32>> {
        let own = self.parts.iter().filter(move |(of, _)| *of == at);
        own.map(|(_, value)| *value)
    }

    /// Takes the next byte: a digit, `;` or `:`.
    pub(super) fn push(&mut self, byte: u8) {
        match byte {
            b';' => {
                self.in_parts = false;
                self.full |= self.values.len() >= PARAMS_MAX;
                if !self.full {
                    self.values.push(0);
                }
            }
            b':' => {
                self.in_parts = true;
                if !self.full && self.parts.len() < PARAMS_MAX {
                    self.parts.push((self.values.len() - 1, None));
                } else {
                    self.full = true;
                }
            }
            _ if self.full => {}
            _ => {
                let digit = u32::from(byte - b'0');
                let value = if self.in_parts {
                    self.parts.last_mut().map(|part| part.1.get_or_insert(0))
                } else {
                    self.values.last_mut()
                };
                if let Some(value) = value {
                    *value = value
                        .saturating_mul(10)
                        .saturating_add(digit)
                        .min(PARAM_MAX);
                }
            }
        }
    }
}
