//! A window's manifest as a page shows it: read where the ledger says it is, and held against the digest that the ledger
//! has. Carries *Suspicious* and *Bounded*.

use std::io::{self, Read as _};
use std::path::{Component, Path};

use super::shown::Place;
use crate::archive::manifest::{MANIFEST, Manifest};
use crate::archive::plain_file;
use crate::archive::prune;
use crate::archive::storage::Local;
use crate::digest::Digest;
use crate::printable::printable;

/// The longest manifest that is shown; one file of a window takes some 300 bytes.
const MOST: u64 = 16 * 1024 * 1024;

/// What could be read.
#[derive(Debug)]
pub(crate) struct Found {
    /// The manifest.
    pub(crate) manifest: Manifest,
    /// Whether it is the one that the ledger has recorded.
    pub(crate) is_recorded: bool,
    /// Whether its data were let go of.
    pub(crate) is_pruned: bool,
}

/// Reads the manifest of a window below the archive's root.
///
/// # Errors
/// Says in words why it can't be shown.
pub(crate) fn read(root: &Path, place: &Place) -> Result<Found, String> {
    let folder = Path::new(&place.folder);
    let is_below = folder
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    if !is_below {
        return Err("its folder is not below the archive's root".to_owned());
    }
    let json = bytes(&root.join(folder).join(MANIFEST)).map_err(|error| error.to_string())?;
    Ok(Found {
        is_recorded: Digest::of(&json) == place.manifest,
        is_pruned: prune::is_pruned(&Local::at(root), &place.folder),
        manifest: Manifest::parse(&json).map_err(|wrong| printable(&wrong))?,
    })
}

fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    plain_file::open(path)?
        .take(MOST + 1)
        .read_to_end(&mut bytes)?;
    match bytes.len() as u64 > MOST {
        true => Err(io::Error::other("it is longer than is shown here")),
        false => Ok(bytes),
    }
}
