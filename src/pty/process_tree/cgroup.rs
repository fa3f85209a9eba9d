//! A control group for a run's tree, where the system lets us make one.
//!
//! An addition: `cgroup.kill` ends in one step also what forks in a race. All that depends on the
//! tree being gone works without it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use uuid::Uuid;

/// Folders looked through for a group that a killed holder left.
const FOLDERS_LOOKED_AT_MAX: usize = 10_000;

/// One run's group.
#[derive(Debug)]
pub struct RunCgroup {
    folder: PathBuf,
}

impl RunCgroup {
    /// Makes a group below our own and moves this process into it, so that what it starts is born
    /// there. `None` where that is not possible.
    #[must_use]
    pub fn enter(run_id: Uuid, attempt: u32) -> Option<Self> {
        let group = Self {
            folder: own_folder()?.join(format!("{}{attempt}", prefix(run_id))),
        };
        fs::create_dir(&group.folder).ok()?;
        let usable = group.folder.join("cgroup.kill").exists()
            && fs::write(group.folder.join("cgroup.procs"), "0").is_ok();
        if usable {
            return Some(group);
        }
        group.remove();
        None
    }

    /// Moves this process back out; else the group would end it too.
    ///
    /// # Errors
    /// When the parent group refuses. The group must not be killed then.
    pub fn leave(&self) -> io::Result<()> {
        let parent = self.folder.parent().unwrap_or(Path::new("/"));
        fs::write(parent.join("cgroup.procs"), "0")
    }

    /// Finds the groups that holders of a run left.
    #[must_use]
    pub fn find(run_id: Uuid) -> Vec<Self> {
        let Some((mount, _)) = mount_point() else {
            return Vec::new();
        };
        let prefix = prefix(run_id);
        let mut found = Vec::new();
        let mut folders = vec![mount];
        let mut looked_at = 0;
        while let Some(folder) = folders.pop() {
            looked_at += 1;
            if looked_at > FOLDERS_LOOKED_AT_MAX {
                break;
            }
            let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
            for entry in entries.filter(|entry| entry.file_type().is_ok_and(|it| it.is_dir())) {
                if entry.file_name().to_string_lossy().starts_with(&prefix) {
                    found.push(Self {
                        folder: entry.path(),
                    });
                } else {
                    folders.push(entry.path());
                }
            }
        }
        found
    }

    /// Lists the process ids inside.
    #[must_use]
    pub fn processes(&self) -> Vec<u32> {
        fs::read_to_string(self.folder.join("cgroup.procs"))
            .map(|text| text.lines().filter_map(|line| line.parse().ok()).collect())
            .unwrap_or_default()
    }

    /// Kills all inside at once; what this misses is found by its parents.
    pub fn kill(&self) {
        fs::write(self.folder.join("cgroup.kill"), "1").ok();
    }

    /// Removes the group once it is empty; a group that stays costs nothing.
    pub fn remove(&self) {
        fs::remove_dir(&self.folder).ok();
    }
}

fn prefix(run_id: Uuid) -> String {
    format!("abbado-{run_id}-")
}

/// The mount of the one hierarchy of version 2, and the group that it shows as its root.
fn mount_point() -> Option<(PathBuf, PathBuf)> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    mounts.lines().find_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        kind.starts_with("cgroup2 ").then_some(())?;
        let mut fields = mount.split(' ').skip(3);
        let root = PathBuf::from(fields.next()?);
        Some((PathBuf::from(fields.next()?), root))
    })
}

fn own_folder() -> Option<PathBuf> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let (mount, root) = mount_point()?;
    let below = Path::new(own).strip_prefix(root).ok()?;
    Some(mount.join(below))
}
