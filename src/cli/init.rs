//! `init`: writes a commented configuration, and says the next three steps. It asks nothing and replaces nothing.

use std::fs;
use std::io;
use std::path::Path;

use super::exit::Stop;
use super::print::print;
use crate::durable::denied::this_user;
use crate::durable::write_new;
use crate::printable::shell_word;

/// The commented configuration; its first line names every key.
const EXAMPLE: &str = include_str!("../../config.example.toml");

/// Where the service looks.
const USUAL: &str = "/etc/elsa-archiver";

/// The group of the service's user, which reads the configuration.
const GROUP: &str = "elsa-archiver";

/// Writes `config.toml` into `dir`, which is made if there is none.
pub(super) fn init(dir: &Path) -> Result<(), Stop> {
    let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let path = dir.join("config.toml");
    let is_root = this_user().is_some_and(|(uid, _)| uid == 0);
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    let group = in_group(&groups, GROUP).filter(|_| is_root);
    write_new(&path, EXAMPLE, group).map_err(|error| refused(&path, &error))?;
    print(&steps(&dir, is_root && group.is_none()))
}

fn refused(path: &Path, error: &io::Error) -> Stop {
    let shown = path.display();
    Stop::failed(match error.kind() {
        io::ErrorKind::AlreadyExists => format!(
            "{shown} is there already, and stays as it is; edit it, or name another folder with --dir"
        ),
        io::ErrorKind::PermissionDenied => format!(
            "this user may not write {shown}; run `sudo elsa-archiver init`, or name a folder of yours with --dir"
        ),
        _ => format!("can't write {shown}: {error}; name another folder with --dir"),
    })
}

/// The number of a group in lines of `name:x:gid:...` (group(5)).
fn in_group(groups: &str, name: &str) -> Option<u32> {
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then_some(())?;
        fields.nth(1)?.parse().ok()
    })
}

/// What comes next. Where the service's group `is_lacking`, the file is root's alone.
fn steps(dir: &Path, is_lacking: bool) -> String {
    let path = dir.join("config.toml");
    let file = |name: &str| shell_word(dir.join(name));
    let is_usual = dir == Path::new(USUAL);
    let program = match is_usual {
        true => "elsa-archiver".to_owned(),
        false => format!("elsa-archiver --config {}", shell_word(&path)),
    };
    let keys: String = ["access-key", "secret-key"]
        .map(|name| {
            let file = file(name);
            format!("     (umask 077 && ${{EDITOR:-vi}} {file})\n")
        })
        .concat();
    let start = match is_usual {
        true => "systemctl enable --now elsa-archiver".to_owned(),
        false => format!("CREDENTIALS_DIRECTORY={} {program} run", shell_word(dir)),
    };
    let readable = match is_lacking {
        true => format!(
            "   This machine has no group {GROUP} yet. Once the service's user is made, let it read the file:\n     \
             chgrp {GROUP} {} {}\n",
            shell_word(dir),
            shell_word(&path)
        ),
        false => String::new(),
    };
    format!(
        "{} is written: every key with its default, and one job as an example. Next:\n\
         1. Put both keys where only root reads them; systemd hands them to the service:\n{keys}   \
         Or run `ncloud configure` as the user that archives, and take access_key and secret_key out of the file.\n\
         2. Set name, project_key, project_id and since of the [[job]], then ask the service:\n     \
         ${{EDITOR:-vi}} {}\n     CREDENTIALS_DIRECTORY={} {program} check --live\n\
         3. Start it:\n     {start}\n{readable}",
        path.display(),
        shell_word(&path),
        shell_word(dir),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::domain::span::UtcMs;

    #[test]
    fn what_is_written_is_a_valid_configuration() {
        // Its `since` is in the past of whoever writes it.
        let now = UtcMs(1_800_000_000_000);
        let config = Config::parse(EXAMPLE, now).unwrap();
        assert_eq!(config.jobs.len(), 1);
    }

    #[test]
    fn a_group_is_found_by_its_whole_name() {
        let groups = "root:x:0:\nelsa-archiver-x:x:7:\nelsa-archiver:x:998:backup\n";
        assert_eq!(in_group(groups, GROUP), Some(998));
        assert_eq!(in_group("root:x:0:", GROUP), None);
        assert_eq!(in_group("elsa-archiver:x", GROUP), None);
    }

    #[test]
    fn the_steps_name_the_folder_that_was_chosen() {
        let usual = steps(Path::new(USUAL), false);
        assert!(usual.contains("     systemctl enable --now elsa-archiver\n"));
        assert!(!usual.contains("--config"), "{usual}");
        let other = steps(Path::new("/home/me/my elsa"), true);
        for says in [
            "'/home/me/my elsa/access-key'",
            "elsa-archiver --config '/home/me/my elsa/config.toml' check --live",
            "chgrp elsa-archiver '/home/me/my elsa'",
        ] {
            assert!(other.contains(says), "{other}");
        }
    }
}
