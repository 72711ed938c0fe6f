//! Small private files: written whole, readable by their owner only.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

/// Who an agent is at its relay. The key is a secret.
#[derive(Clone, Serialize, Deserialize)]
pub struct Identity {
    /// The agent's id.
    pub id: String,
    /// Its API key.
    pub api_key: String,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Identity {
    /// Reads an identity file; `None` if there is none.
    pub fn load(path: &Path) -> Result<Option<Self>> {
        match fs::read_to_string(path) {
            // The parser's message may quote the text, which holds a key.
            Ok(text) => serde_json::from_str(&text)
                .map(Some)
                .or_else(|_| bail!("{}: expected JSON with the members id and api_key", path.display())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| path.display().to_string()),
        }
    }

    /// Writes an identity file that must not exist.
    pub fn save(&self, path: &Path) -> Result<()> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            make_private_dir(folder)?;
        }
        let text = serde_json::to_string(self).context("identity")?;
        write_new(path, text.as_bytes()).with_context(|| path.display().to_string())
    }

    /// The default place of an identity: the user's state folder.
    pub fn default_path(name: &str) -> Result<PathBuf> {
        let state = std::env::var_os("XDG_STATE_HOME").filter(|path| !path.is_empty()).map(PathBuf::from);
        let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
        let state = state.or_else(home).context("neither XDG_STATE_HOME nor HOME is set: give --identity FILE")?;
        Ok(state.join("landline").join(format!("{name}.json")))
    }
}

/// Makes a directory (0700) and its parents, if missing.
pub fn make_private_dir(path: &Path) -> Result<()> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.with_context(|| format!("cannot make the directory {}", path.display()))
}

/// Writes a private file that must not exist.
pub fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Replaces a private file in one step: a reader sees the old text or the new one.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = path.with_extension(format!("{}.new", std::process::id()));
    let _ = fs::remove_file(&draft);
    write_new(&draft, bytes)?;
    fs::rename(&draft, path)
}

/// Is there nothing at this path, or an empty directory?
pub fn is_vacant(path: &Path) -> io::Result<bool> {
    match fs::read_dir(path) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn an_identity_is_private_and_survives() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/alice.json");
        assert!(Identity::load(&path).unwrap().is_none());
        let identity = Identity { id: "0190".into(), api_key: "ll_secret".into() };
        identity.save(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Identity::load(&path).unwrap().unwrap().api_key, "ll_secret");
        assert!(identity.save(&path).is_err(), "an existing identity is never overwritten");
        assert!(!format!("{identity:?}").contains("ll_secret"));
        fs::write(&path, "{\"id\": 1, \"api_key\": \"ll_secret\"").unwrap();
        assert!(!format!("{:#}", Identity::load(&path).unwrap_err()).contains("ll_secret"));
    }

    #[test]
    fn vacant_is_missing_or_empty() {
        let dir = tempfile::tempdir().unwrap();
        assert!(is_vacant(dir.path()).unwrap() && is_vacant(&dir.path().join("missing")).unwrap());
        replace(&dir.path().join("file"), b"x").unwrap();
        assert!(!is_vacant(dir.path()).unwrap());
    }
}
