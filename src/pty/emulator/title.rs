//! The titles of the window and of its icon.

/// Longest title that is kept.
const TITLE_LEN_MAX: usize = 1024;
/// Titles that a program put aside.
const STACK_LEN_MAX: usize = 10;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Titles {
    pub(in crate::pty) window: Title,
    pub(in crate::pty) icon: Title,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Title {
    pub(in crate::pty) text: String,
    stack: Vec<String>,
}

impl Titles {
    /// 0 both, 1 the icon's, 2 the window's.
    fn named(&mut self, which: u32) -> impl Iterator<Item = &mut Title> {
        let icon = (which != 2).then_some(&mut self.icon);
        let window = (which != 1).then_some(&mut self.window);
        icon.into_iter().chain(window)
    }

    /// OSC 0, 1 and 2.
    pub(crate) fn set(&mut self, which: u32, text: &str) {
        let text: String = text.chars().take(TITLE_LEN_MAX).collect();
        self.named(which).for_each(|it| it.text.clone_from(&text));
    }

    /// `CSI 22 t`.
    pub(crate) fn push(&mut self, which: u32) {
        for Title { text, stack } in self.named(which) {
            stack.push(text.clone());
            if stack.len() > STACK_LEN_MAX {
                stack.remove(0);
            }
        }
    }

    /// `CSI 23 t`.
    pub(crate) fn pop(&mut self, which: u32) {
        for title in self.named(which) {
            if let Some(text) = title.stack.pop() {
                title.text = text;
            }
        }
    }
}
