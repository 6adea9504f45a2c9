//! A small disk in memory.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

pub(super) type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// A disk in memory; dropping it takes it away.
pub(super) struct Disk(PathBuf);

impl Disk {
    /// A disk of so many bytes below the folder, of whoever owns that other folder if one is named;
    /// `None`, with a note, where none can be mounted.
    pub(super) fn mount(
        folder: &Path,
        size_bytes: u64,
        owned_like: Option<&Path>,
    ) -> Outcome<Option<Self>> {
        let mut options = format!("size={size_bytes}");
        if let Some(like) = owned_like {
            let like = std::fs::metadata(like)?;
            options += &format!(",uid={},gid={},mode=0700", like.uid(), like.gid());
            // the owner comes through
            std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))?;
        }
        let folder = folder.join("disk");
        std::fs::create_dir(&folder)?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "tmpfs"]);
        if mount
            .arg(&folder)
            .output()
            .is_ok_and(|done| done.status.success())
        {
            return Ok(Some(Self(folder)));
        }
        println!("not run: only root can mount a disk");
        Ok(None)
    }

    /// Where it is.
    pub(super) fn folder(&self) -> &Path {
        &self.0
    }

    /// Bytes that are taken.
    pub(super) fn used_bytes(&self) -> Outcome<u64> {
        self.df("used")
    }

    /// Bytes that are free.
    pub(super) fn free_bytes(&self) -> Outcome<u64> {
        self.df("avail")
    }

    fn df(&self, column: &str) -> Outcome<u64> {
        let done = Command::new("df")
            .args(["--block-size=1", &format!("--output={column}")])
            .arg(&self.0)
            .output()?;
        let text = String::from_utf8(done.stdout)?;
        let figure = text.lines().nth(1).ok_or("no figure")?;
        Ok(figure.trim().parse()?)
    }

    /// Makes it larger or smaller.
    pub(super) fn resize(&self, size_bytes: u64) -> Outcome {
        let size = format!("remount,size={size_bytes}");
        let done = Command::new("mount")
            .args(["-o", &size])
            .arg(&self.0)
            .output()?;
        if done.status.success() {
            Ok(())
        } else {
            Err("the disk does not change its size".into())
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // lazily, since a failed test may have a file open
        drop(Command::new("umount").arg("-l").arg(&self.0).output());
    }
}
