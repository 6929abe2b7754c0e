//! `keygen`: makes a key that signs heads, and says how it is used. It replaces nothing.

use std::ffi::OsStr;
use std::io;
use std::path::Path;

use super::exit::Stop;
use super::print::print;
use crate::domain::signing::{PublicKey, SigningKey};
use crate::durable::{append_line, write_private};
use crate::printable::shell_word;

/// The file of public keys that `ssh-keygen -Y verify` reads, beside the private key.
const ALLOWED: &str = "allowed_signers";

/// Makes a key, and writes it to `out`, which must not be there.
pub(super) fn keygen(out: &Path) -> Result<(), Stop> {
    let out = std::path::absolute(out).unwrap_or_else(|_| out.to_owned());
    let (text, public) = SigningKey::generate().map_err(|why| Stop::failed(why.to_string()))?;
    write_private(&out, text.expose()).map_err(|error| refused(&out, &error))?;
    let allowed = out.with_file_name(ALLOWED);
    let noted = append_line(&allowed, &public.allowed_signer());
    noted.map_err(|error| {
        Stop::failed(format!(
            "can't write {}: {error}; the key is in {}, and its line is\n{}",
            allowed.display(),
            out.display(),
            public.allowed_signer()
        ))
    })?;
    print(&steps(&out, &allowed, &public))
}

fn refused(out: &Path, error: &io::Error) -> Stop {
    let shown = out.display();
    Stop::failed(match error.kind() {
        io::ErrorKind::AlreadyExists => format!(
            "{shown} is there already, and stays as it is; for a new key name another file with --out, and have heads \
             name it as next_key before it signs"
        ),
        io::ErrorKind::PermissionDenied => format!(
            "this user may not write {shown}; run `sudo elsa-archiver keygen`, or name a file of yours with --out"
        ),
        _ => format!("can't write {shown}: {error}; name another file with --out"),
    })
}

/// Which unit has its files where a key is, and whether it hands a key of this name to the service.
fn unit_of(out: &Path) -> (String, bool) {
    let below = out.strip_prefix("/etc/elsa-archiver").ok();
    let names: Option<Vec<&str>> =
        below.map(|below| below.iter().filter_map(OsStr::to_str).collect());
    match names.as_deref() {
        Some(["signing-key"]) => ("elsa-archiver".to_owned(), true),
        Some([instance, name]) => (format!("elsa-archiver@{instance}"), *name == "signing-key"),
        _ => ("elsa-archiver".to_owned(), false),
    }
}

/// What comes next.
fn steps(out: &Path, allowed: &Path, public: &PublicKey) -> String {
    let name = out.file_name().unwrap_or_default().to_string_lossy();
    let (unit, is_usual) = unit_of(out);
    let load = match is_usual {
        true => "The unit hands this file to the service.".to_owned(),
        false => format!(
            "Hand it to the service: `systemctl edit {unit}`, and under [Service]\n     \
             LoadCredential={name}:{}",
            out.display()
        ),
    };
    format!(
        "{} is written: a private key of OpenSSH, {}. Next:\n\
         1. Have it sign, in the config. {load}\n     \
         [evidence]\n     key = {{ credential = \"{name}\" }}\n\
         2. Keep {} where this machine can't write. Its line:\n     {}\n\
         3. Start the service anew, make a head, and prove it there:\n     \
         systemctl restart {unit} && elsa-archiver head now\n     \
         ssh-keygen -Y verify -f {} -I elsa-archiver -n elsa-archiver-head \\\n       -s NUMBER.head.sig < NUMBER.head\n\
         Where another key signs so far, let heads name this one first, and change `key` a day later:\n     \
         next_key = \"{public}\"\n",
        out.display(),
        public.fingerprint(),
        allowed.display(),
        public.allowed_signer(),
        shell_word(ALLOWED),
    )
}
