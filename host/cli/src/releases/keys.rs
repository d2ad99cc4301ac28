//! Signing keys of the person at the terminal: files that only they can read, or `PADDLE_SIGNING_KEY`; and whose
//! signatures are believed.

use crate::environment;
use crate::error::{Error, Trouble};
use anyhow::Context as _;
use registry::{Purposes, SigningKey, Trust, TrustedKeys};
use std::fs::{self, DirBuilder, File};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// The key of a publisher when nobody names one.
pub(crate) const PUBLISHER: &str = "publisher";

/// The key of an operator when nobody names one.
pub(crate) const OPERATOR: &str = "operator";

/// What key files end with.
const ENDING: &str = "key";

/// The keys that are here, and whose signatures are believed.
pub(crate) struct Keys {
    environment: Option<SigningKey>,
    files: Vec<(String, SigningKey)>,
    trusted: Option<TrustedKeys>,
    unsigned: bool,
}

impl Keys {
    /// Reads what there is.
    pub(crate) fn read() -> Result<Keys, Error> {
        let environment = environment::signing_key().map(|line| SigningKey::parse(&line)).transpose();
        let trusted = environment::trusted_keys().map(|text| text.parse::<TrustedKeys>()).transpose();
        Ok(Keys {
            environment: environment.context("PADDLE_SIGNING_KEY").or_usage()?,
            files: environment::config_folder().map_or(Ok(Vec::new()), |folder| files(&folder))?,
            trusted: trusted.context("PADDLE_TRUSTED_KEYS").or_usage()?,
            unsigned: environment::allows_unsigned(),
        })
    }

    /// Whom to believe: one's own keys, and those of `PADDLE_TRUSTED_KEYS`.
    pub(crate) fn trust(&self) -> Result<Trust, Error> {
        if self.unsigned {
            return Ok(Trust::Unsigned);
        }
        let own = self.environment.iter().chain(self.files.iter().map(|(_, key)| key));
        let trusted = own.fold(self.trusted.clone().unwrap_or_default(), TrustedKeys::with);
        if trusted.iter().next().is_none() {
            return Err(Error::usage(
                "nobody's signature is believed here yet: make a key (paddle keygen), or set PADDLE_TRUSTED_KEYS to the line \
                 that it printed elsewhere",
            ));
        }
        Ok(Trust::Keys(trusted))
    }

    /// The key to publish with; none where nothing is signed.
    pub(crate) fn publisher(&self, named: Option<&str>) -> Result<Option<&SigningKey>, Error> {
        self.choose(named, &[PUBLISHER], "publishing needs a publisher's key")
    }

    /// The key to move a channel with to what it has held: an operator's will do.
    pub(crate) fn mover(&self, named: Option<&str>) -> Result<Option<&SigningKey>, Error> {
        self.choose(named, &[PUBLISHER, OPERATOR], "moving a channel needs a key")
    }

    fn choose(&self, named: Option<&str>, usual: &[&str], needed: &str) -> Result<Option<&SigningKey>, Error> {
        let find = |name: &str| self.files.iter().find(|(known, _)| known == name).map(|(_, key)| key);
        if let Some(name) = named {
            let known: Vec<&str> = self.files.iter().map(|(name, _)| name.as_str()).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            let missing =
                || Error::usage(format!("there is no key `{name}` (there are: {known}): make it with paddle keygen"));
            return find(name).ok_or_else(missing).map(Some);
        }
        let only = match self.files.as_slice() {
            [(_, key)] => Some(key),
            _ => None,
        };
        let found = self.environment.as_ref().or_else(|| usual.iter().find_map(|name| find(name))).or(only);
        match found {
            Some(key) => Ok(Some(key)),
            None if self.unsigned => Ok(None),
            None => Err(Error::usage(format!(
                "{needed}: make one with paddle keygen, name it with --key, or set PADDLE_SIGNING_KEY"
            ))),
        }
    }
}

fn files(folder: &Path) -> Result<Vec<(String, SigningKey)>, Error> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(Vec::new()) };
    let mut keys = Vec::new();
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.extension().is_some_and(|ending| ending == ENDING) {
            let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            keys.push((name, read(&path)?));
        }
    }
    keys.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(keys)
}

fn read(path: &Path) -> Result<SigningKey, Error> {
    let told = || format!("read the key {}", path.display());
    let mode = fs::metadata(path).with_context(told).or_outside()?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Error::usage(format!(
            "the key {} can be read by others (mode {mode:03o}): chmod 600 it, and make a new one if others were there",
            path.display()
        )));
    }
    let line = fs::read_to_string(path).with_context(told).or_outside()?;
    SigningKey::parse(&line).with_context(told).or_usage()
}

/// Makes a key and writes its file, which must not be there yet.
pub(crate) fn make(name: &str, purposes: Purposes) -> Result<(PathBuf, SigningKey), Error> {
    let plain = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_');
    if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
        return Err(Error::usage(format!(
            "--name {name}: 1 to 64 letters, digits, `-` and `_` make the name of a key"
        )));
    }
    let folder = environment::config_folder()
        .ok_or_else(|| Error::usage("set HOME or XDG_CONFIG_HOME: the key's file goes there"))?;
    let path = folder.join(format!("{name}.{ENDING}"));
    let told = || format!("write the key {}", path.display());
    DirBuilder::new().recursive(true).mode(0o700).create(&folder).with_context(told).or_outside()?;
    let key = SigningKey::generate(purposes)?;
    match File::options().write(true).create_new(true).mode(0o600).open(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Err(Error::refused(format!(
            "there is a key {} already, and keys are never overwritten: choose another --name, or use that one, which functions \
             believe by the line {}",
            path.display(),
            read(&path)?.public()
        ))),
        file => {
            let mut file = file.with_context(told).or_outside()?;
            file.write_all(key.to_line().as_bytes()).and_then(|()| file.sync_all()).with_context(told).or_outside()?;
            Ok((path, key))
        }
    }
}
