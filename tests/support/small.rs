//! A file system that is soon full, and can be taken away.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A file system of its own at the state folder; gone with this.
#[derive(Debug)]
pub struct Small(PathBuf);

impl Small {
    /// Mounts one of a megabyte.
    pub fn mounted_at(path: &Path) -> Self {
        std::fs::create_dir_all(path).unwrap();
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(path).status().unwrap();
        assert!(done.success());
        Self(path.to_owned())
    }

    /// Leaves no byte free.
    pub fn fill(&self) {
        let filler = vec![b'x'; 2 << 20];
        assert!(std::fs::write(self.0.join("filler"), filler).is_err(), "it is full before all is written");
    }

    /// Undoes that.
    pub fn make_room(&self) {
        std::fs::remove_file(self.0.join("filler")).unwrap();
    }

    /// Takes it away; what has files open there keeps them.
    pub fn unmount(&self) {
        assert!(Command::new("umount").arg("-l").arg(&self.0).status().unwrap().success());
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).stderr(Stdio::null()).status();
    }
}
