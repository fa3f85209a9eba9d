//! The titles of the window and of its icon.

/// Longest title that is kept.
const TITLE_LEN_MAX: usize = 1024;
/// Titles that a program put aside.
const STACK_LEN_MAX: usize = 10;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Titles {
    /// Of the window.
    pub window: String,
    /// Of the icon.
    pub icon: String,
    window_stack: Vec<String>,
    icon_stack: Vec<String>,
}

impl Titles {
    /// OSC 0, 1 and 2.
    pub(crate) fn set(&mut self, kind: u32, text: &str) {
        let text: String = text.chars().take(TITLE_LEN_MAX).collect();
        if kind != 2 {
            self.icon.clone_from(&text);
        }
        if kind != 1 {
            self.window = text;
        }
    }

    /// `CSI 22 t`: 0 both, 1 the icon's, 2 the window's.
    pub(crate) fn push(&mut self, which: u32) {
        if which != 1 {
            push(&mut self.window_stack, self.window.clone());
        }
        if which != 2 {
            push(&mut self.icon_stack, self.icon.clone());
        }
    }

    /// `CSI 23 t`.
    pub(crate) fn pop(&mut self, which: u32) {
        if let Some(title) = self.window_stack.pop_if(|_| which != 1) {
            self.window = title;
        }
        if let Some(title) = self.icon_stack.pop_if(|_| which != 2) {
            self.icon = title;
        }
    }
}

fn push(stack: &mut Vec<String>, title: String) {
    stack.push(title);
    if stack.len() > STACK_LEN_MAX {
        stack.remove(0);
    }
}
