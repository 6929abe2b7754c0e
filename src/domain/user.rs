//! Whether the superuser may do what the archiver's user does: files that root makes in that user's directories
//! could not be opened by the service any more. Carries *Its own*.

/// The superuser's id.
const ROOT: u32 = 0;

/// A user and a group, by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct User {
    /// The user.
    pub(crate) uid: u32,
    /// The group.
    pub(crate) gid: u32,
}

/// Whose the directories are; `None` while there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owners {
    /// The state directory's owner.
    pub(crate) state: Option<User>,
    /// The owner of the archive's root.
    pub(crate) root: Option<User>,
}

/// Another user than the one that runs the program is to run it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Other {
    /// Who.
    pub(crate) user: User,
    /// Whether the state directory would have to be given to that user first.
    pub(crate) lacks_state: bool,
    /// Whether the archive's root would.
    pub(crate) lacks_root: bool,
}

impl Other {
    /// Whether the state directory is that user's. It alone tells who archives: a root on a network's file
    /// system may show one owner for everything.
    pub(crate) const fn is_sure(self) -> bool {
        !self.lacks_state
    }
}

/// Who is to run what writes into the directories, where it is not the process with the user id `process`: the
/// owner of the state directory, or of the root where the state directory is the superuser's. Somebody else than
/// the superuser may try: the file system says what is not allowed.
pub(crate) fn who_else(process: u32, owners: Owners) -> Option<Other> {
    let somebody = |owner: Option<User>| owner.filter(|owner| owner.uid != ROOT);
    let user = somebody(owners.state).or(somebody(owners.root))?;
    let lacks = |owner: Option<User>| owner.is_some_and(|owner| owner.uid != user.uid);
    (process == ROOT).then(|| Other {
        user,
        lacks_state: lacks(owners.state),
        lacks_root: lacks(owners.root),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICE: User = User { uid: 998, gid: 997 };
    const COLLECTOR: User = User {
        uid: 1000,
        gid: 1000,
    };
    const SUPERUSER: User = User { uid: 0, gid: 0 };

    /// Guarantee: Its own
    #[test]
    fn root_gives_way_to_the_user_whose_directories_they_are() {
        let (me, them, other) = (Some(SUPERUSER), Some(SERVICE), Some(COLLECTOR));
        for (state, root, expected) in [
            (None, None, None),
            (me, me, None),
            (me, None, None),
            (them, them, Some((SERVICE, false, false))),
            (them, None, Some((SERVICE, false, false))),
            (None, them, Some((SERVICE, false, false))),
            (them, me, Some((SERVICE, false, true))),
            (me, them, Some((SERVICE, true, false))),
            (them, other, Some((SERVICE, false, true))),
        ] {
            let owners = Owners { state, root };
            let found = who_else(0, owners);
            let found = found.map(|found| (found.user, found.lacks_state, found.lacks_root));
            assert_eq!(found, expected, "{owners:?}");
            assert_eq!(who_else(1000, owners), None);
        }
    }
}
