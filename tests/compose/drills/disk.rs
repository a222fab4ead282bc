//! A small disk in the place of an instance's volume, so that it can be filled.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
    process::Command,
};

use super::docker::{mountpoint, of_project};
use crate::stack::Stack;

/// A segment of the journal, and not another.
const SIZE: &str = "size=20m,uid=10001,gid=10001,mode=0700";

pub(super) struct SmallDisk {
    victim: &'static str,
    mounted: Mounted,
}

/// Unmounts when dropped, so that nothing is left of a test that fails.
struct Mounted(PathBuf);

impl SmallDisk {
    /// Restarts the instance with it.
    pub(super) async fn under(stack: &Stack, victim: &'static str) -> Self {
        let folder = mountpoint(&of_project('_', &format!("{victim}-data")));
        stack.compose(&["stop", victim]);
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", SIZE, "tmpfs", &folder]);
        assert!(
            mount.status().expect("mount is there").success(),
            "we are root"
        );
        let mounted = Mounted(folder.into());
        stack.compose(&["start", victim]);
        stack.until_healthy(&[victim]).await;
        Self { victim, mounted }
    }

    /// Leaves not a byte of room.
    pub(super) fn fill(&self) {
        let mut ballast = File::create(self.ballast()).expect("there is room for a name");
        let block = [1; 4096];
        let full = loop {
            if let Err(error) = ballast.write_all(&block) {
                break error;
            }
        };
        assert_eq!(full.kind(), ErrorKind::StorageFull, "{full}");
    }

    pub(super) fn free(&self) {
        fs::remove_file(self.ballast()).expect("it is there");
    }

    /// Gives the instance its volume back.
    pub(super) async fn take_away(self, stack: &Stack) {
        let Self { victim, mounted } = self;
        stack.compose(&["stop", victim]);
        drop(mounted);
        stack.compose(&["start", victim]);
        stack.until_healthy(&[victim]).await;
    }

    fn ballast(&self) -> PathBuf {
        self.mounted.0.join("ballast")
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let folder: &Path = &self.0;
        _ = Command::new("umount").arg("--lazy").arg(folder).status();
    }
}
