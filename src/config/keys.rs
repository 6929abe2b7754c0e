//! Where keys come from, and reading them: only when a command asks for them.
//!
//! **Suspicious**: a key is a [`Secret`], errors name its source and never its text, and a key
//! that is no single line of plain characters is refused.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::{env, fmt};

use super::ncloud;
use super::problem::printable;
use crate::domain::secret::{Keys, Secret};

/// How many bytes of a key's file are read. Keys have 20 and 40 characters.
const MOST_KEY_BYTES: u64 = 4096;

/// How many bytes of `~/.ncloud/configure` are read.
const MOST_CONFIGURE_BYTES: u64 = 64 * 1024;

/// The vendor's tools' own file, below HOME.
const CONFIGURE: &str = ".ncloud/configure";

const ACCESS_KEY_VARIABLE: &str = "NCLOUD_ACCESS_KEY";
const SECRET_KEY_VARIABLE: &str = "NCLOUD_SECRET_KEY";

/// Where an account's keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// Where the vendor's tools look: `NCLOUD_ACCESS_KEY` and `NCLOUD_SECRET_KEY`, else
    /// `~/.ncloud/configure`.
    Ambient,
    /// Where the config says.
    Named {
        /// The access key's place.
        access_key: KeyForm,
        /// The secret key's place.
        secret_key: KeyForm,
    },
}

/// One place for one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyForm {
    /// The file of this plain name in `$CREDENTIALS_DIRECTORY`, where systemd puts credentials.
    Credential(String),
    /// A file by its absolute path.
    File(PathBuf),
    /// An environment variable.
    Env(String),
}

/// Why keys can't be read.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// An environment variable is not set.
    #[error("the environment has no {0}; set it, or give the key's source in the config")]
    Unset(String),
    /// A systemd credential is configured, and there is no `$CREDENTIALS_DIRECTORY`.
    #[error(
        "no credential {0}: CREDENTIALS_DIRECTORY is not set; run under systemd with \
         LoadCredential={0}:/PATH, or use {{ file = \"/PATH\" }}"
    )]
    NoCredentials(String),
    /// A file can't be read.
    #[error("can't read {}: {error}; check that it is there and readable to this user",
        shown(.path))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// systemd has found no file for a credential, or an empty one; the shipped unit has an empty default.
    #[error(
        "the credential {0} is empty: there is no key in the file that LoadCredential={0}:FILE of the unit names, or \
         no such file (the shipped unit names /etc/elsa-archiver/{0}); put the key alone into it, on one line, \
         readable to root alone, then restart the service"
    )]
    EmptyCredential(String),
    /// The text is no valid key.
    #[error("{place} {wrong}; it must hold the key alone, on one line")]
    NotAKey {
        /// Where it was found.
        place: String,
        /// What is wrong with it.
        wrong: &'static str,
    },
    /// The text is none.
    #[error("{place} {wrong}")]
    NotAText {
        /// Where it was found.
        place: String,
        /// What is wrong with it.
        wrong: &'static str,
    },
    /// No source has keys.
    #[error(
        "no keys: NCLOUD_ACCESS_KEY and NCLOUD_SECRET_KEY are not set, and {0}; set both, or give \
         access_key and secret_key in the config"
    )]
    Nowhere(String),
}

/// What is needed of the process's environment, taken once.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<OsString, OsString>,
}

impl Environment {
    /// The environment of this process.
    #[must_use]
    pub fn of_process() -> Self {
        env::vars_os().collect()
    }

    /// A variable; an empty one counts as not set.
    fn get(&self, name: &str) -> Option<&OsStr> {
        let value = self.variables.get(OsStr::new(name))?;
        (!value.is_empty()).then_some(value)
    }

    /// Where systemd puts credentials, if anywhere.
    pub(crate) fn credentials_directory(&self) -> Option<&OsStr> {
        self.get("CREDENTIALS_DIRECTORY")
    }

    /// Where programs are looked for.
    pub(crate) fn path(&self) -> Option<&OsStr> {
        self.get("PATH")
    }

    /// A variable that holds no secret.
    ///
    /// # Errors
    /// When it is not set, or no text.
    pub(super) fn plain(&self, name: &str) -> Result<String, KeyError> {
        let value = self.get(name).and_then(OsStr::to_str);
        value
            .map(str::to_owned)
            .ok_or_else(|| KeyError::Unset(name.to_owned()))
    }

    fn key(&self, name: &str) -> Result<Secret, KeyError> {
        let value = self
            .get(name)
            .ok_or_else(|| KeyError::Unset(name.to_owned()))?;
        key(value.as_encoded_bytes(), || {
            format!("the environment's {name}")
        })
    }
}

impl<K: Into<OsString>, V: Into<OsString>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(variables: I) -> Self {
        let pairs = variables
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()));
        Self {
            variables: pairs.collect(),
        }
    }
}

/// Shows nothing: the environment may hold keys.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment(..)")
    }
}

impl KeySource {
    /// Two variables of the environment.
    pub(super) fn of_variables(access_key: &str, secret_key: &str) -> Self {
        let [access_key, secret_key] =
            [access_key, secret_key].map(|name| KeyForm::Env(name.to_owned()));
        Self::Named {
            access_key,
            secret_key,
        }
    }

    /// Reads both keys.
    ///
    /// # Errors
    /// When a source is missing or unreadable, or holds no key: empty, not one line, or with
    /// spaces, control or non-ASCII characters.
    pub fn read(&self, environment: &Environment) -> Result<Keys, KeyError> {
        match self {
            Self::Ambient => ambient(environment),
            Self::Named {
                access_key,
                secret_key,
            } => Ok(Keys {
                access_key: access_key.read(environment)?,
                secret_key: secret_key.read(environment)?,
            }),
        }
    }
}

impl KeySource {
    /// The places that the config names.
    pub(crate) fn forms(&self) -> impl Iterator<Item = &KeyForm> {
        let named = match self {
            Self::Ambient => None,
            Self::Named {
                access_key,
                secret_key,
            } => Some([access_key, secret_key]),
        };
        named.into_iter().flatten()
    }

    /// Whether they are looked for in the home of whoever runs the program.
    pub(crate) fn is_below_home(&self, environment: &Environment) -> bool {
        let set = |name| environment.get(name).is_some();
        *self == Self::Ambient && !set(ACCESS_KEY_VARIABLE) && !set(SECRET_KEY_VARIABLE)
    }

    /// The files that hold the access key and the secret key; `None` where none does.
    pub(crate) fn files(&self, environment: &Environment) -> [Option<PathBuf>; 2] {
        match self {
            Self::Named {
                access_key,
                secret_key,
            } => [access_key, secret_key].map(|form| form.file(environment)),
            Self::Ambient => {
                let home = environment
                    .get("HOME")
                    .filter(|_| self.is_below_home(environment));
                [None, home.map(|home| Path::new(home).join(CONFIGURE))]
            }
        }
    }
}

impl KeyForm {
    /// The file that holds it, if one does.
    pub(crate) fn file(&self, environment: &Environment) -> Option<PathBuf> {
        match self {
            Self::Env(_) => None,
            Self::File(path) => Some(path.clone()),
            Self::Credential(name) => {
                let directory = environment.credentials_directory()?;
                Some(Path::new(directory).join(name))
            }
        }
    }

    /// Reads it.
    ///
    /// # Errors
    /// As [`KeySource::read`].
    pub(super) fn read(&self, environment: &Environment) -> Result<Secret, KeyError> {
        let path = match self {
            Self::Env(name) => return environment.key(name),
            Self::File(path) => path.clone(),
            Self::Credential(name) => {
                let directory = environment
                    .credentials_directory()
                    .ok_or_else(|| KeyError::NoCredentials(name.clone()))?;
                Path::new(directory).join(name)
            }
        };
        let bytes = read_bounded(&path, MOST_KEY_BYTES)?;
        match self {
            Self::Credential(name) if bytes.trim_ascii().is_empty() => {
                Err(KeyError::EmptyCredential(name.clone()))
            }
            _ => key(&bytes, || shown(&path)),
        }
    }
}

impl KeyForm {
    /// Reads a text of several lines from it, as a private key of OpenSSH is.
    ///
    /// # Errors
    /// When the source is missing or unreadable, empty, or no text.
    pub(crate) fn read_text(&self, environment: &Environment) -> Result<Secret, KeyError> {
        let (bytes, place) = match self {
            Self::Env(name) => {
                let value = environment.get(name);
                let value = value.ok_or_else(|| KeyError::Unset(name.clone()))?;
                let place = format!("the environment's {name}");
                (value.as_encoded_bytes().to_vec(), place)
            }
            Self::File(path) => (read_bounded(path, MOST_KEY_BYTES)?, shown(path)),
            Self::Credential(name) => {
                let path = self
                    .file(environment)
                    .ok_or_else(|| KeyError::NoCredentials(name.clone()))?;
                (read_bounded(&path, MOST_KEY_BYTES)?, shown(&path))
            }
        };
        let wrong = |wrong| KeyError::NotAText {
            place: place.clone(),
            wrong,
        };
        let text = String::from_utf8(bytes).map_err(|_| wrong("is no text"))?;
        match (text.trim().is_empty(), self) {
            (false, _) => Ok(Secret::new(text)),
            (true, Self::Credential(_)) => Err(wrong(
                "is empty: there is nothing in the file that LoadCredential= of the unit names, or no such file",
            )),
            (true, _) => Err(wrong("is empty")),
        }
    }
}

fn ambient(environment: &Environment) -> Result<Keys, KeyError> {
    let set = |name| environment.get(name).is_some();
    // With one of the two the other is an error: the file may belong to another account.
    if set(ACCESS_KEY_VARIABLE) || set(SECRET_KEY_VARIABLE) {
        return Ok(Keys {
            access_key: environment.key(ACCESS_KEY_VARIABLE)?,
            secret_key: environment.key(SECRET_KEY_VARIABLE)?,
        });
    }
    let home = environment
        .get("HOME")
        .ok_or_else(|| KeyError::Nowhere("without HOME there is no ~/.ncloud/configure".into()))?;
    let path = Path::new(home).join(CONFIGURE);
    let bytes = match read_bounded(&path, MOST_CONFIGURE_BYTES) {
        Err(KeyError::Unreadable { error, .. }) if error.kind() == io::ErrorKind::NotFound => {
            return Err(KeyError::Nowhere(format!("there is no {}", shown(&path))));
        }
        other => other?,
    };
    let text = String::from_utf8_lossy(&bytes);
    let named = |name: &str| {
        let value = ncloud::value(&text, name).ok_or_else(|| {
            KeyError::Nowhere(format!("{} has no {name} in [DEFAULT]", shown(&path)))
        })?;
        key(value.as_bytes(), || format!("{name} in {}", shown(&path)))
    };
    Ok(Keys {
        access_key: named(ncloud::ACCESS_KEY)?,
        secret_key: named(ncloud::SECRET_KEY)?,
    })
}

fn read_bounded(path: &Path, most: u64) -> Result<Vec<u8>, KeyError> {
    let unreadable = |error| KeyError::Unreadable {
        path: path.to_owned(),
        error,
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(most + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > most {
        return Err(KeyError::NotAKey {
            place: shown(path),
            wrong: "is too large",
        });
    }
    Ok(bytes)
}

/// The key in `bytes`, whatever space is around it left away.
fn key(bytes: &[u8], place: impl Fn() -> String) -> Result<Secret, KeyError> {
    let wrong = |wrong| KeyError::NotAKey {
        place: place(),
        wrong,
    };
    let trimmed = bytes.trim_ascii();
    if trimmed.is_empty() {
        return Err(wrong("is empty"));
    }
    if !trimmed.iter().all(u8::is_ascii_graphic) {
        return Err(wrong(
            "holds a space, a line break, or a control or non-ASCII character",
        ));
    }
    Ok(Secret::new(String::from_utf8_lossy(trimmed).into_owned()))
}

fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy())
}

#[cfg(test)]
mod tests;
