//! Secrets on disk: made at first start, kept for ever, readable by their owner only (0600 in a directory of 0700).
//! Exchanges that share one Postgres must share `DATA/secrets` too: the keys' HMACs and the tokens depend on it.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use aws_lc_rs::{constant_time, hmac, rand};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use landline_link::Secret;
use landline_token::Signer;

/// Why the secrets could not be loaded or made. Names files, never their content.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct SecretError {
    path: String,
    reason: String,
}

fn fault(path: &Path, reason: impl ToString) -> SecretError {
    SecretError { path: path.display().to_string(), reason: reason.to_string() }
}

/// The exchange's secrets.
pub struct Secrets {
    api_keys: hmac::Key,
    /// Signs our tokens.
    pub signer: Signer,
    admin: String,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(…)")
    }
}

impl Secrets {
    /// Loads the secrets of a data directory, making what is missing.
    pub fn open(data_dir: &Path) -> Result<Self, SecretError> {
        let dir = data_dir.join("secrets");
        DirBuilder::new().recursive(true).mode(0o700).create(&dir).map_err(|error| fault(&dir, error))?;

        let path = dir.join("api-key-hmac");
        let api_keys = load_or_make(&path, || Ok(random::<32>()?.to_vec()))?;
        if api_keys.len() != 32 {
            return Err(fault(&path, "expected 32 bytes"));
        }

        let path = dir.join("token-signing.pem");
        let make = || Signer::generate().map(|signer| signer.to_pem().into_bytes()).map_err(|error| error.to_string());
        let pem = load_or_make(&path, make)?;
        let pem = String::from_utf8(pem).map_err(|_| fault(&path, "expected PEM"))?;
        let signer = Signer::from_pem(&pem).map_err(|error| fault(&path, error))?;

        let path = data_dir.join("admin-token");
        let make = || Ok(format!("lladmin_{}\n", URL_SAFE_NO_PAD.encode(random::<32>()?)).into_bytes());
        let admin = load_or_make(&path, make)?;
        let admin = String::from_utf8(admin).map_err(|_| fault(&path, "expected text"))?.trim().to_owned();
        if admin.len() < 16 {
            return Err(fault(&path, "the admin token must have at least 16 characters"));
        }
        Ok(Self { api_keys: hmac::Key::new(hmac::HMAC_SHA256, &api_keys), signer, admin })
    }

    /// What is stored of an API key: HMAC-SHA256 under the server's secret.
    pub fn api_key_hmac(&self, key: &str) -> Vec<u8> {
        hmac::sign(&self.api_keys, key.as_bytes()).as_ref().to_vec()
    }

    /// Tags the ids of tokens, so that their owner is known later. The same secret as for keys, under its own label.
    pub(crate) fn token_ids(&self) -> &hmac::Key {
        &self.api_keys
    }

    /// Is this the admin token? Takes the same time whatever the answer.
    pub fn is_admin(&self, token: &str) -> bool {
        same_secret(&self.admin, token)
    }
}

/// Compares two secrets without telling by time where they differ.
pub fn same_secret(ours: &str, theirs: &str) -> bool {
    constant_time::verify_slices_are_equal(ours.as_bytes(), theirs.as_bytes()).is_ok()
}

/// A new API key: `ll_` and 32 random bytes in base64url (43 characters).
pub fn new_api_key() -> Result<Secret, String> {
    Ok(Secret(format!("{API_KEY_PREFIX}{}", URL_SAFE_NO_PAD.encode(random::<32>()?))))
}

/// What every API key begins with.
pub const API_KEY_PREFIX: &str = "ll_";
const API_KEY_CHARS: usize = API_KEY_PREFIX.len() + 43;

/// Could this text be an API key at all?
pub fn looks_like_api_key(text: &str) -> bool {
    text.len() == API_KEY_CHARS
        && text
            .strip_prefix(API_KEY_PREFIX)
            .is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'))
}

/// Random bytes from the operating system's generator.
pub fn random<const N: usize>() -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| "the system gives no randomness".to_owned())?;
    Ok(bytes)
}

/// Reads a secret file, or makes it. Two processes that start at once end up with the same content: the file appears
/// complete under its name or not at all, and only once.
pub fn load_or_make(path: &Path, make: impl FnOnce() -> Result<Vec<u8>, String>) -> Result<Vec<u8>, SecretError> {
    match fs::read(path) {
        Ok(bytes) => return Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(fault(path, error)),
    }
    let bytes = make().map_err(|reason| fault(path, reason))?;
    let random = u64::from_ne_bytes(random::<8>().map_err(|reason| fault(path, reason))?);
    let draft = path.with_extension(format!("{random:016x}.new"));
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::hard_link(&draft, path)
    })();
    let _ = fs::remove_file(&draft);
    match written {
        Ok(()) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::read(path).map_err(|error| fault(path, error))
        }
        Err(error) => Err(fault(path, error)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn secrets_are_made_once_and_only_their_owner_reads_them() {
        let dir = tempfile::tempdir().unwrap();
        let first = Secrets::open(dir.path()).unwrap();
        let second = Secrets::open(dir.path()).unwrap();
        assert_eq!(first.api_key_hmac("ll_x"), second.api_key_hmac("ll_x"));
        assert_eq!(first.signer.kid(), second.signer.kid());
        assert!(second.is_admin(&first.admin) && !second.is_admin("nonsense"));
        for name in ["secrets/api-key-hmac", "secrets/token-signing.pem", "admin-token"] {
            let mode = fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        let left: Vec<_> = fs::read_dir(dir.path().join("secrets")).unwrap().collect();
        assert_eq!(left.len(), 2, "no draft stays: {left:?}");
        assert!(!format!("{first:?}").contains(&first.admin));
    }

    #[test]
    fn api_keys_have_their_form() {
        let key = new_api_key().unwrap().0;
        assert!(looks_like_api_key(&key), "{key}");
        assert_ne!(key, new_api_key().unwrap().0);
        assert!(!looks_like_api_key("ll_short") && !looks_like_api_key(&key.replace("ll_", "xx_")));
    }
}
