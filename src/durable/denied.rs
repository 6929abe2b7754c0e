//! What to do where the file system lets this user not in: whose the place is, and the command that mends it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{Access, AtFlags, CWD, accessat};

use crate::printable::shell_word;

/// The effective user and group of this process; `None` where the system does not say.
#[must_use]
pub(crate) fn this_user() -> Option<(u32, u32)> {
    owner(Path::new("/proc/self"))
}

/// The user and the group that a file or folder belongs to; `None` where it is not to be seen.
#[must_use]
pub(crate) fn owner(path: &Path) -> Option<(u32, u32)> {
    let found = fs::metadata(path).ok()?;
    Some((found.uid(), found.gid()))
}

/// What to do about `path`, which this user may not open, make or change; begins with `"; "`.
pub(super) fn denied(path: &Path) -> String {
    let general = "; give the user that runs elsa-archiver write access".to_owned();
    let Some((uid, gid)) = this_user().filter(|&(uid, _)| uid != 0) else {
        return general;
    };
    let mut above: Vec<&Path> = path.ancestors().skip(1).collect();
    above.reverse();
    if let Some(closed) = above.iter().find(|folder| is_closed(folder)) {
        let whose = owner(closed).map_or_else(String::new, |(owner, _)| {
            format!(", which belongs to uid {owner},")
        });
        return format!(
            "; {}{whose} does not let this user (uid {uid}) in: to look, run this as that user; `chmod o+x {}` \
             lets everybody pass",
            closed.display(),
            shell_word(closed)
        );
    }
    // A folder that is lacking is made in one that may be anybody's.
    let parent = path.parent().unwrap_or(path);
    // So is what is there and may be written by this user: what fails is to remove or to rename it.
    let is_open = accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS).is_ok();
    let is_theirs = owner(path).is_some() && !is_open;
    let at = if is_theirs { path } else { parent };
    let Some((owner_of_it, _)) = owner(at) else {
        return general;
    };
    let shown = at.display();
    if owner_of_it == uid {
        return format!(
            "; {shown} belongs to this user (uid {uid}), but its mode forbids it: `chmod -R u+rwX {}`",
            shell_word(at)
        );
    }
    // Whoever has made one file in this user's folder has made others.
    let is_in_ours = owner(parent).is_some_and(|(owner, _)| owner == uid);
    let (all, look) = match is_in_ours {
        true => (parent, ""),
        false => (at, "to look, run this as that user; to archive, "),
    };
    format!(
        "; {shown} belongs to uid {owner_of_it}, and this runs as uid {uid}: {look}`chown -R {uid}:{gid} {}` as \
         root gives it to this user",
        shell_word(all)
    )
}

/// What to do about a folder that can't be made where it is lacking, or can't be used.
pub(super) fn denied_folder(path: &Path) -> String {
    let Some((uid, gid)) = this_user().filter(|_| owner(path).is_none()) else {
        return denied(path);
    };
    format!(
        "; it can't be made by this user (uid {uid}): `install -d -o {uid} -g {gid} -m 750 {}` as root \
         makes it",
        shell_word(path)
    )
}

/// What to do about a folder that does not exist and that this process can't make, since all is read-only to it.
pub(super) fn lacking_under_systemd(path: &Path) -> String {
    let (uid, gid) = this_user().unwrap_or_default();
    format!(
        "; there is no such directory, and what it would be made in is read-only: mount its disk, or make it by \
         `install -d -o {uid} -g {gid} -m 750 {}` as root; the unit names it in ReadWritePaths=",
        shell_word(path)
    )
}

fn is_closed(folder: &Path) -> bool {
    owner(folder).is_some() && accessat(CWD, folder, Access::EXEC_OK, AtFlags::EACCESS).is_err()
}
