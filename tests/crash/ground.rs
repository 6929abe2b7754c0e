//! What archive and state lie on: plain folders, or two real file systems of which the power can
//! be cut. Two, because on one of them a flush of the ledger would flush the archive's journal too
//! and so hide what the archive's own flushes lack.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::call::Disks;
use crate::harness::until;
pub use crate::harness::{own_namespace, sh};

/// A kind of disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ground {
    /// Plain folders: nothing can be cut.
    Folder,
    Ext4,
    Xfs,
}

/// What happens to the disk after the program was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cut {
    /// Nothing.
    None,
    /// The power is cut just after the journal was written: names without data.
    KeepJournal,
    /// The power is cut: what nobody flushed is gone.
    LoseJournal,
}

impl Cut {
    pub const fn words(self) -> &'static str {
        match self {
            Self::None => "kill alone",
            Self::KeepJournal => "kill, cut, journal kept",
            Self::LoseJournal => "kill, cut, journal lost",
        }
    }
}

const NAMES: [&str; 2] = ["archive", "state"];

/// Two disks of one kind, and how they were when they were kept.
pub struct Disk {
    kind: Ground,
    /// Where the disks are mounted, in folders of these names.
    base: PathBuf,
    /// Where images and copies are.
    store: PathBuf,
    mounted: bool,
}

impl Disk {
    /// Makes two empty disks. For real ones this thread must be in a mount namespace of its own.
    pub fn new(kind: Ground, base: &Path, store: &Path) -> Self {
        let mut disks = Self {
            kind,
            base: base.to_owned(),
            store: store.to_owned(),
            mounted: false,
        };
        for name in NAMES {
            fs::create_dir_all(base.join(name)).unwrap();
            let image = disks.image(name);
            let image = image.to_str().unwrap();
            match kind {
                Ground::Folder => {}
                Ground::Ext4 => {
                    sh(&["truncate", "-s", "48M", image]);
                    sh(&["mke2fs", "-q", "-t", "ext4", "-F", image]);
                }
                Ground::Xfs => {
                    let data = format!("file,name={image},size=300m");
                    sh(&["mkfs.xfs", "-q", "-f", "-d", &data]);
                    sh(&["fallocate", "--dig-holes", image]);
                }
            }
        }
        disks.mount();
        disks
    }

    pub fn paths(&self) -> Disks {
        Disks {
            archive: self.base.join("archive"),
            state: self.base.join("state"),
        }
    }

    /// Keeps what is on the disks now for [`Disk::reset`].
    pub fn keep(&mut self, what: &str) {
        self.unmount();
        for name in NAMES {
            self.copy(&self.live(name), &self.kept(what, name));
        }
        self.mount();
    }

    /// Puts back what was kept.
    pub fn reset(&mut self, what: &str) {
        self.unmount();
        for name in NAMES {
            self.copy(&self.kept(what, name), &self.live(name));
        }
        self.mount();
    }

    /// Cuts the power of both, and switches it on again.
    pub fn cut(&mut self, how: Cut) {
        let flags: &[&str] = match how {
            _ if self.kind == Ground::Folder => return,
            Cut::None => return,
            Cut::KeepJournal => &["-c", "shutdown -f"],
            Cut::LoseJournal => &["-c", "shutdown"],
        };
        for name in NAMES {
            let folder = self.base.join(name);
            sh(&[&["xfs_io", "-x"], flags, &[folder.to_str().unwrap()]].concat());
        }
        self.unmount();
        self.mount();
    }

    fn image(&self, name: &str) -> PathBuf {
        self.store.join(format!("{name}.image"))
    }

    fn live(&self, name: &str) -> PathBuf {
        match self.kind {
            Ground::Folder => self.base.join(name),
            Ground::Ext4 | Ground::Xfs => self.image(name),
        }
    }

    fn kept(&self, what: &str, name: &str) -> PathBuf {
        self.store.join(format!("{name}.{what}"))
    }

    fn copy(&self, from: &Path, to: &Path) {
        if self.kind == Ground::Folder {
            let _ = fs::remove_dir_all(to);
        }
        let (from, to) = (from.to_str().unwrap(), to.to_str().unwrap());
        sh(&[
            "cp",
            "-a",
            "--sparse=always",
            "--no-target-directory",
            from,
            to,
        ]);
    }

    fn mount(&mut self) {
        let options = match self.kind {
            Ground::Folder => return,
            // Nothing is to be flushed that the program does not flush.
            Ground::Ext4 => "loop,noauto_da_alloc,commit=300",
            Ground::Xfs => "loop,nouuid",
        };
        for name in NAMES {
            let (image, folder) = (self.image(name), self.base.join(name));
            sh(&[
                "mount",
                "-o",
                options,
                image.to_str().unwrap(),
                folder.to_str().unwrap(),
            ]);
        }
        self.mounted = true;
    }

    fn unmount(&mut self) {
        if self.mounted {
            for name in NAMES {
                // A child that another thread is just starting holds this thread's files for the
                // moment until it is the program that it is to become.
                let place = self.base.join(name);
                until("the disk is free to be unmounted", || {
                    let ran = Command::new("umount").arg(&place).output().unwrap();
                    let told = String::from_utf8_lossy(&ran.stderr).into_owned();
                    assert!(ran.status.success() || told.contains("busy"), "{told}");
                    ran.status.success()
                });
            }
            self.mounted = false;
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        for name in NAMES.into_iter().filter(|_| self.mounted) {
            let _ = Command::new("umount")
                .arg("-l")
                .arg(self.base.join(name))
                .status();
        }
    }
}

/// Whether file systems can be mounted here; otherwise why not.
pub fn can_mount() -> Result<(), String> {
    let place = tempfile::tempdir().unwrap();
    let tried = std::thread::scope(|scope| {
        let trying = scope.spawn(|| -> Result<(), String> {
            own_namespace()?;
            let (image, folder) = (place.path().join("image"), place.path().join("folder"));
            fs::create_dir(&folder).map_err(|error| error.to_string())?;
            let (image, folder) = (image.to_str().unwrap(), folder.to_str().unwrap());
            let script = format!(
                "truncate -s 8M {image} && mke2fs -q -t ext4 -F {image} && \
                 mount -o loop {image} {folder} && umount {folder} && command -v mkfs.xfs && command -v xfs_io"
            );
            let tried = Command::new("sh").args(["-c", &script]).output().unwrap();
            match tried.status.success() {
                true => Ok(()),
                false => Err(String::from_utf8_lossy(&tried.stderr).trim().to_owned()),
            }
        });
        trying.join().unwrap()
    });
    tried.map_err(|why| match why.as_str() {
        "" => "mkfs.xfs and xfs_io are missing".to_owned(),
        _ => why,
    })
}
