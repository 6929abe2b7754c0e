//! Root over the directories of another user: the command is refused, and the line is shown that runs the same as
//! that user. Carries *Its own* and *Curable*.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::Context;
use super::args::Command;
use super::exit::Stop;
use crate::config::{Config, Environment, KeyForm, KeySource};
use crate::domain::user::{Other, Owners, User, who_else};
use crate::durable::denied::{owner, this_user};
use crate::printable::shell_word;

/// Refuses a command that writes, where another user is to run it. The daemon is refused only where it is sure
/// that it archives as another user; else it is a warning.
///
/// # Errors
/// With the line that runs it as that user.
pub(super) fn refuse_another(context: &Context<'_>, config: &Config) -> Result<(), Stop> {
    let whose = |path: &Path| owner(path).map(|(uid, gid)| User { uid, gid });
    let owners = Owners {
        state: whose(&config.state_dir),
        root: whose(&config.archive.root),
    };
    let Some(other) = this_user().and_then(|(uid, _)| who_else(uid, owners)) else {
        return Ok(());
    };
    let account = Account::of(other.user);
    let is_daemon = matches!(context.args.command, Command::Run);
    let told = words(config, other, &account, is_daemon);
    if is_daemon && !other.is_sure() {
        tracing::warn!("{told}");
        return Ok(());
    }
    let line = match is_daemon {
        true => "systemctl start elsa-archiver".to_owned(),
        false => line(context, config, &account),
    };
    Err(Stop::failed(format!("{told}\n  {line}")))
}

/// Whose the directories are, and what to do.
fn words(config: &Config, other: Other, account: &Account, is_daemon: bool) -> String {
    let places = [
        ("the state directory", &config.state_dir, other.lacks_state),
        ("the archive's root", &config.archive.root, other.lacks_root),
    ];
    let (theirs, lacking): (Vec<_>, Vec<_>) = places.iter().partition(|(.., lacks)| !lacks);
    let whose: Vec<String> = theirs
        .iter()
        .filter(|(_, path, _)| path.exists())
        .map(|(what, path, _)| format!("{what} {}", path.display()))
        .collect();
    let (name, verb) = (
        &account.name,
        if whose.len() == 1 {
            "belongs"
        } else {
            "belong"
        },
    );
    let mut text = format!(
        "{} {verb} to {name}, and this runs as root: what root writes there, {name} could not open any more",
        whose.join(" and ")
    );
    for (what, path, _) in lacking {
        text += &format!(
            ". Give {name} {what}, too: `chown -R {}:{} {}`",
            account.user.uid,
            account.user.gid,
            shell_word(path)
        );
    }
    match is_daemon {
        true if !other.is_sure() => text + ". Unless root is to archive, set User= in the unit",
        true => text + "; nothing was written. Set User= in the unit, or start the service",
        false => text + "; nothing was written. As that user:",
    }
}

/// A user of this machine.
struct Account {
    /// With the group that its processes have.
    user: User,
    /// The name, or `uid N` where it has none.
    name: String,
    is_named: bool,
}

impl Account {
    /// As `/etc/passwd` has it. A user that it lacks (a directory service's, a container's) goes by its numbers.
    fn of(user: User) -> Self {
        let known = fs::read_to_string("/etc/passwd").unwrap_or_default();
        match in_passwd(&known, user.uid) {
            Some((name, gid)) => Self {
                user: User { gid, ..user },
                name,
                is_named: true,
            },
            None => Self {
                user,
                name: format!("uid {}", user.uid),
                is_named: false,
            },
        }
    }
}

/// The name and the group of a user in lines of `name:x:uid:gid:...` (passwd(5)).
fn in_passwd(passwd: &str, uid: u32) -> Option<(String, u32)> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, of_it, gid) = (fields.next()?, fields.nth(1)?, fields.next()?);
        (of_it.parse() == Ok(uid)).then_some(())?;
        Some((name.to_owned(), gid.parse().ok()?))
    })
}

/// The line that runs this process's command as that user.
fn line(context: &Context<'_>, config: &Config, account: &Account) -> String {
    let program = env::current_exe().unwrap_or_else(|_| PathBuf::from("elsa-archiver"));
    let path = std::path::absolute(&context.args.config);
    let path = path.unwrap_or_else(|_| context.args.config.clone());
    let mut words = starter(config, account, &path, &Context::environment());
    words.extend([program.into(), "--config".into(), path.into()]);
    words.extend(without_config(env::args_os().skip(1)));
    let words: Vec<String> = words.iter().map(shell_word).collect();
    words.join(" ")
}

/// What starts the program as that user, with the keys that the config names.
fn starter(
    config: &Config,
    account: &Account,
    path: &Path,
    environment: &Environment,
) -> Vec<OsString> {
    let User { uid, gid } = account.user;
    let stores = config.archive.object_store.iter().map(|store| &store.keys);
    let accounts = config.accounts.values().map(|found| &found.keys);
    let keys: Vec<&KeySource> = accounts.chain(stores).collect();
    let signing = config.evidence.iter().flat_map(|evidence| &evidence.key);
    let forms: Vec<&KeyForm> = keys
        .iter()
        .flat_map(|keys| keys.forms())
        .chain(signing)
        .collect();
    let credentials: Vec<&str> = forms
        .iter()
        .filter_map(|form| match form {
            KeyForm::Credential(name) => Some(name.as_str()),
            KeyForm::File(_) | KeyForm::Env(_) => None,
        })
        .collect();
    // The vendor's own file is looked for in that user's home, which only systemd goes by.
    let has_home = keys.iter().any(|keys| keys.is_below_home(environment));
    if credentials.is_empty() && !has_home {
        let words = match account.is_named {
            true => vec![
                "runuser".into(),
                "-u".into(),
                account.name.clone(),
                "--".into(),
            ],
            false => vec![
                "setpriv".into(),
                format!("--reuid={uid}"),
                format!("--regid={gid}"),
                "--clear-groups".into(),
            ],
        };
        return words.into_iter().map(OsString::from).collect();
    }
    let user = match account.is_named {
        true => account.name.clone(),
        false => uid.to_string(),
    };
    let mut words: Vec<OsString> = vec![
        "systemd-run".into(),
        format!("--uid={user}").into(),
        format!("--gid={gid}").into(),
    ];
    // As the unit in systemd/ has them: beside the config.
    let beside = path.parent().unwrap_or(Path::new("/etc/elsa-archiver"));
    let mut named: Vec<&str> = Vec::new();
    for name in credentials {
        if !named.contains(&name) {
            named.push(name);
            let mut word = OsString::from(format!("--property=LoadCredential={name}:"));
            word.push(beside.join(name));
            words.push(word);
        }
    }
    for form in forms {
        if let KeyForm::Env(name) = form {
            words.push(format!("--setenv={name}").into());
        }
    }
    let ends = ["--property=UMask=0027", "--wait", "--pipe", "--collect"];
    words.extend(ends.map(OsString::from));
    words
}

/// The arguments without the config's, which is named by its whole path.
fn without_config(args: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let (mut kept, mut is_value) = (Vec::new(), false);
    for arg in args {
        let is_joined = arg.as_encoded_bytes().starts_with(b"--config=");
        if !is_value && !is_joined && arg != "--config" {
            kept.push(arg.clone());
        }
        is_value = !is_value && arg == "--config";
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_the_name_and_the_group_of_passwd() {
        let passwd =
            "root:x:0:0:root:/root:/bin/bash\nbroken\nelsa:x:998:997::/:/usr/sbin/nologin\n";
        assert_eq!(in_passwd(passwd, 998), Some(("elsa".to_owned(), 997)));
        assert_eq!(in_passwd(passwd, 99), None);
    }

    #[test]
    fn the_config_is_named_once() {
        let args = ["--config", "a", "once", "--config=b", "--job", "x"];
        let kept = without_config(args.into_iter().map(OsString::from));
        assert_eq!(kept, ["once", "--job", "x"]);
    }

    /// Guarantee: Curable
    #[test]
    fn the_line_brings_the_keys_along_whatever_holds_them() {
        let line = |keys: &str, account: &Account, environment: &Environment| {
            let text = format!(
                "[account.default]\n{keys}\n[[job]]\nname = \"a\"\nproject_key = \"P\"\nproject_id = 1\n\
                 since = \"2026-11-01\"\n"
            );
            let config = Config::parse(&text, crate::clock::machine_time()).unwrap();
            let words = starter(&config, account, Path::new("/etc/e/c.toml"), environment);
            let words: Vec<String> = words.iter().map(shell_word).collect();
            words.join(" ")
        };
        let user = User { uid: 998, gid: 997 };
        let named = |name: &str, is_named| Account {
            user,
            name: name.to_owned(),
            is_named,
        };
        let (known, unknown) = (named("elsa", true), named("uid 998", false));
        let home: Environment = [("HOME", "/root")].into_iter().collect();
        let set: Environment = [("NCLOUD_ACCESS_KEY", "x"), ("NCLOUD_SECRET_KEY", "y")]
            .into_iter()
            .collect();
        let credentials =
            "access_key = { credential = \"access-key\" }\nsecret_key = { env = \"SECRET\" }";
        assert_eq!(
            line(credentials, &known, &home),
            "systemd-run --uid=elsa --gid=997 --property=LoadCredential=access-key:/etc/e/access-key \
             --setenv=SECRET --property=UMask=0027 --wait --pipe --collect"
        );
        let files = "access_key = { file = \"/a\" }\nsecret_key = { file = \"/b\" }";
        assert_eq!(line(files, &known, &home), "runuser -u elsa --");
        assert_eq!(
            line(files, &unknown, &home),
            "setpriv --reuid=998 --regid=997 --clear-groups"
        );
        assert_eq!(
            line("", &unknown, &home),
            "systemd-run --uid=998 --gid=997 --property=UMask=0027 --wait --pipe --collect"
        );
        assert_eq!(line("", &known, &set), "runuser -u elsa --");
    }
}
