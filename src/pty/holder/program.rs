//! Finding the program of a launch, and saying why it cannot be executed.
//!
//! The kernel's own answer does not reach us ([`super::exec`]), and for a missing interpreter it would
//! mislead (`No such file or directory`, of a file that is there). So the first bytes of the file are
//! looked at.

use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::statvfs::{FsFlags, statvfs};

use crate::files;
use crate::pty::LaunchSpec;

/// The part of a program that is looked at: a first line, or the headers of an ELF file.
const HEAD_LEN: usize = 4096;
/// An interpreter may itself be a script; Linux follows so many.
const INTERPRETERS_MAX: usize = 5;
/// Where Linux lists interpreters for programs of other machines.
const FORMATS: &str = "/proc/sys/fs/binfmt_misc";

/// Finds the program as the kernel and a shell would.
///
/// # Errors
/// Why there is none that could be executed: the end of a sentence.
pub(super) fn find(program: &str, spec: &LaunchSpec) -> Result<PathBuf, String> {
    if program.contains('/') {
        let path = spec.cwd.join(program);
        return match files::not_executable(&path) {
            None => Ok(path),
            Some(why) => Err(why.to_owned()),
        };
    }
    let candidates: Vec<PathBuf> = folders(spec)
        .into_iter()
        .map(|folder| folder.join(program))
        .collect();
    let mut fit = candidates.iter();
    let found = fit.find(|path| files::not_executable(path).is_none());
    found.cloned().ok_or_else(|| {
        let there = candidates.iter().find(|path| path.exists());
        let why = there.and_then(|path| {
            let why = files::not_executable(path)?;
            Some(format!("{}: {why}", path.display()))
        });
        why.unwrap_or_else(|| "it is not installed, or not in PATH".to_owned())
    })
}

/// Says why a program that was found would not be executed, before it is tried.
#[must_use]
pub(super) fn unfit(path: &Path, spec: &LaunchSpec) -> Option<String> {
    if too_long(spec) {
        let length = length(spec).div_ceil(1024);
        return Some(format!(
            "its arguments and environment are too long ({length} KiB)"
        ));
    }
    match Form::of(path) {
        Some(Form::Foreign(whose)) if !other_formats() => Some(format!(
            "it is built for {whose}, and this machine runs {}",
            std::env::consts::ARCH
        )),
        Some(Form::Script { words, .. }) => missing_for_env(&words, spec),
        Some(Form::Elf { .. } | Form::Foreign(_)) | None => None,
    }
    .or_else(|| missing_part(path, &spec.cwd))
    .or_else(|| denied_part(path, &spec.cwd))
}

/// Why the kernel refused to execute a program that was found and looked fit.
#[must_use]
pub(super) fn refusal(path: &Path) -> String {
    let flags = statvfs(path).map(|at| at.flags());
    if flags.is_ok_and(|flags| flags.contains(FsFlags::ST_NOEXEC)) {
        "its file system is mounted with noexec".to_owned()
    } else if is_open_for_writing(path) {
        "it is open for writing (text file busy); try again when its build or installation has ended".to_owned()
    } else if Form::of(path).is_none() && !other_formats() {
        "this machine does not know its format".to_owned()
    } else {
        "the kernel refuses to execute it (is memory short, or a security policy in force?)"
            .to_owned()
    }
}

/// Whether a process of ours writes a file; others do not let us look.
fn is_open_for_writing(path: &Path) -> bool {
    let Ok(wanted) = path.canonicalize() else {
        return false;
    };
    let opened = |process: PathBuf| {
        let open = std::fs::read_dir(process.join("fd")).into_iter().flatten();
        open.flatten().any(|entry| {
            let number = entry.file_name();
            let flags = std::fs::read_to_string(process.join("fdinfo").join(number));
            std::fs::read_link(entry.path()).is_ok_and(|path| path == wanted)
                && flags.is_ok_and(|text| writes(&text))
        })
    };
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.map(|entry| entry.path()).any(opened)
}

/// Whether the flags of a descriptor, in octal in its `fdinfo`, let it write.
fn writes(info: &str) -> bool {
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|flags| i32::from_str_radix(flags.trim(), 8).ok());
    flags.is_some_and(|flags| {
        let mode = OFlag::from_bits_truncate(flags) & OFlag::O_ACCMODE;
        mode == OFlag::O_WRONLY || mode == OFlag::O_RDWR
    })
}

fn folders(spec: &LaunchSpec) -> Vec<PathBuf> {
    let search = spec.env.iter().rev().find(|(name, _)| name == "PATH");
    let folders = search.map(|(_, value)| std::env::split_paths(value));
    let folders = folders.into_iter().flatten();
    folders.map(|folder| spec.cwd.join(folder)).collect()
}

/// Whether the kernel refuses arguments and environment: one string of 32 pages (`MAX_ARG_STRLEN`),
/// or more than a quarter of the stack, at most 6 MiB, together with a pointer for each.
fn too_long(spec: &LaunchSpec) -> bool {
    const STRING_MAX: usize = 32 * 4096;
    const ALL_MAX: u64 = 6 * 1024 * 1024;
    const ALL_MIN: u64 = STRING_MAX as u64;
    let stack = getrlimit(Resource::RLIMIT_STACK).map_or(u64::MAX, |(soft, _)| soft);
    let all_max = (stack / 4).clamp(ALL_MIN, ALL_MAX);
    let pointers = (spec.argv.len() + spec.env.len()) * size_of::<usize>();
    let longest = strings(spec).max().unwrap_or_default();
    longest > STRING_MAX || (length(spec) + pointers) as u64 > all_max
}

/// Bytes of all that a program is given.
fn length(spec: &LaunchSpec) -> usize {
    strings(spec).sum()
}

/// Bytes of each argument and variable, with its NUL.
fn strings(spec: &LaunchSpec) -> impl Iterator<Item = usize> {
    let arguments = spec.argv.iter().map(|argument| argument.len() + 1);
    let variables = spec.env.iter();
    arguments.chain(variables.map(|(name, value)| name.len() + value.len() + 2))
}

/// What the kernel makes of a file.
enum Form {
    /// `#!` and what follows it.
    Script {
        interpreter: String,
        /// All words of the line.
        words: Vec<String>,
    },
    /// A program of this machine, with the loader that it asks for.
    Elf { loader: Option<String> },
    /// A program of another machine.
    Foreign(&'static str),
}

impl Form {
    fn of(path: &Path) -> Option<Self> {
        let head = files::head(path, HEAD_LEN).ok()?;
        if let Some(line) = head.strip_prefix(b"#!") {
            let end = line.iter().position(|byte| *byte == b'\n');
            let line = String::from_utf8_lossy(&line[..end.unwrap_or(line.len())]);
            // The kernel ends the interpreter's name at a blank, and takes a CR for a part of it.
            let blank = [' ', '\t'];
            let words = line.split(blank).filter(|word| !word.is_empty());
            let words: Vec<String> = words.map(str::to_owned).collect();
            let interpreter = words.first().cloned().unwrap_or_default();
            return Some(Self::Script { interpreter, words });
        }
        match head.get(..4)? {
            b"\x7fELF" => Self::elf(&head),
            b"\xcf\xfa\xed\xfe" | b"\xce\xfa\xed\xfe" => Some(Self::Foreign("macOS")),
            [b'M', b'Z', ..] => Some(Self::Foreign("Windows")),
            _ => None,
        }
    }

    fn elf(head: &[u8]) -> Option<Self> {
        let (wide, little) = (head.get(4)? == &2, head.get(5)? == &1);
        let number = |at: usize, len: usize| -> Option<usize> {
            let bytes = head.get(at..at.checked_add(len)?)?;
            let fold = |sum: usize, byte: &u8| sum << 8 | usize::from(*byte);
            Some(if little {
                bytes.iter().rev().fold(0, fold)
            } else {
                bytes.iter().fold(0, fold)
            })
        };
        if let Some(whose) = foreign(number(18, 2)?) {
            return Some(Self::Foreign(whose));
        }
        let word = if wide { 8 } else { 4 };
        let (table, size, count) = if wide {
            (number(32, 8)?, number(54, 2)?, number(56, 2)?)
        } else {
            (number(28, 4)?, number(42, 2)?, number(44, 2)?)
        };
        let (of_offset, of_size) = if wide { (8, 32) } else { (4, 16) };
        let loader = (0..count).find_map(|nth| {
            let entry = table.checked_add(nth.checked_mul(size)?)?;
            // PT_INTERP
            if number(entry, 4)? != 3 {
                return None;
            }
            let from = number(entry.checked_add(of_offset)?, word)?;
            let len = number(entry.checked_add(of_size)?, word)?;
            let name = head.get(from..from.checked_add(len)?)?;
            let name = name.strip_suffix(b"\0").unwrap_or(name);
            Some(String::from_utf8_lossy(name).into_owned())
        });
        Some(Self::Elf { loader })
    }
}

/// The name of a machine whose programs this one does not run; nothing for its own, for the one
/// before it that its kernel may run as well, and for one that is not known here.
fn foreign(machine: usize) -> Option<&'static str> {
    const X86: usize = 3;
    const ARM: usize = 40;
    const X86_64: usize = 62;
    const AARCH64: usize = 183;
    let own: &[usize] = match std::env::consts::ARCH {
        "x86_64" => &[X86_64, X86],
        "aarch64" => &[AARCH64, ARM],
        _ => return None,
    };
    let name = match machine {
        X86 => "x86",
        ARM => "arm",
        X86_64 => "x86_64",
        AARCH64 => "aarch64",
        243 => "riscv",
        _ => "another processor",
    };
    (!own.contains(&machine)).then_some(name)
}

/// Whether the machine has interpreters for programs of others, such as qemu.
fn other_formats() -> bool {
    let own = ["register", "status"];
    std::fs::read_dir(FORMATS).is_ok_and(|entries| {
        let mut names = entries.flatten().map(|entry| entry.file_name());
        names.any(|name| !own.iter().any(|own| name == *own))
    })
}

/// `env` would find it missing after the program has been started.
fn missing_for_env(words: &[String], spec: &LaunchSpec) -> Option<String> {
    let (interpreter, rest) = words.split_first()?;
    if Path::new(interpreter).file_name()? != "env" {
        return None;
    }
    let wanted = rest.first()?;
    if wanted.starts_with('-') || wanted.contains(['=', '/']) {
        return None;
    }
    let mut places = folders(spec).into_iter();
    if places.any(|folder| folder.join(wanted).exists()) {
        return None;
    }
    Some(match wanted.strip_suffix('\r') {
        Some(name) => windows_line(name),
        None => format!("its interpreter `{wanted}` is not in PATH"),
    })
}

/// What of a program, or of its interpreters, is not there.
fn missing_part(path: &Path, cwd: &Path) -> Option<String> {
    let mut at = path.to_owned();
    for _ in 0..INTERPRETERS_MAX {
        let (kind, wanted) = match Form::of(&at)? {
            Form::Script { interpreter, .. } => ("interpreter", interpreter),
            Form::Elf { loader } => ("loader", loader?),
            Form::Foreign(_) => return None,
        };
        // A relative interpreter is looked for where the program starts.
        if wanted.is_empty() || !cwd.join(&wanted).exists() {
            return Some(match wanted.strip_suffix('\r') {
                Some(name) => windows_line(name),
                None if wanted.is_empty() => "its first line names no interpreter".to_owned(),
                None => format!("its {kind} `{wanted}` does not exist"),
            });
        }
        at = cwd.join(wanted);
    }
    Some("its interpreters are scripts that name each other, or too many of them".to_owned())
}

/// Which interpreter of a program may not be executed.
fn denied_part(path: &Path, cwd: &Path) -> Option<String> {
    let Form::Script { interpreter, .. } = Form::of(path)? else {
        return None;
    };
    let why = files::not_executable(&cwd.join(&interpreter))?;
    Some(format!("its interpreter `{interpreter}`: {why}"))
}

fn windows_line(interpreter: &str) -> String {
    format!(
        "its first line ends in a Windows line break (CRLF), so that `{interpreter}` is not found; save it with LF"
    )
}

#[cfg(test)]
#[path = "program_tests.rs"]
mod tests;
