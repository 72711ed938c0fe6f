//! The node's identity: its key, its certificate and the cluster's CA, in one file that is replaced as a whole.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::StartError;

/// Key, certificate and CA of a node that has joined.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    key: KeyPem,
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) ca: CertificateDer<'static>,
    /// Validity, unix seconds.
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
}

/// A private key as PEM; never shown.
#[derive(Clone)]
pub(crate) struct KeyPem(pub(crate) String);

impl std::fmt::Debug for KeyPem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyPem(…)")
    }
}

impl Identity {
    /// Puts a new identity together; refused if the certificate cannot be read.
    pub(crate) fn new(key: KeyPem, certificate: Vec<u8>, ca: Vec<u8>) -> Result<Self, String> {
        let (_, parsed) =
            x509_parser::parse_x509_certificate(&certificate).map_err(|_| "the certificate is damaged")?;
        let (not_before, not_after) =
            (parsed.validity().not_before.timestamp(), parsed.validity().not_after.timestamp());
        PrivateKeyDer::from_pem_slice(key.0.as_bytes()).map_err(|_| "the private key is damaged")?;
        Ok(Self { key, certificate: certificate.into(), ca: ca.into(), not_before, not_after })
    }

    pub(crate) fn private_key(&self) -> Result<PrivateKeyDer<'static>, rustls::Error> {
        PrivateKeyDer::from_pem_slice(self.key.0.as_bytes())
            .map_err(|_| rustls::Error::General("the private key is damaged".into()))
    }

    /// Is less than a third of its life left?
    pub(crate) fn wants_renewal(&self, now_s: i64) -> bool {
        self.not_after - now_s < (self.not_after - self.not_before) / 3
    }

    pub(crate) fn has_expired(&self, now_s: i64) -> bool {
        self.not_after <= now_s
    }

    pub(crate) fn ca_sha256(&self) -> [u8; 32] {
        sha256(&self.ca)
    }

    fn to_pem(&self) -> String {
        let mut pem = self.key.0.trim_end().to_owned();
        pem.push('\n');
        for certificate in [&self.certificate, &self.ca] {
            pem.push_str("-----BEGIN CERTIFICATE-----\n");
            for line in STANDARD.encode(certificate).as_bytes().chunks(64) {
                pem.push_str(&String::from_utf8_lossy(line));
                pem.push('\n');
            }
            pem.push_str("-----END CERTIFICATE-----\n");
        }
        pem
    }

    fn from_pem(pem: &str) -> Result<Self, String> {
        const KEY_END: &str = "-----END PRIVATE KEY-----";
        let key = pem.find(KEY_END).map(|at| &pem[..at + KEY_END.len()]).ok_or("no private key in it")?;
        let certificates: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>().map_err(|_| "it is damaged")?;
        let [certificate, ca] = certificates.as_slice() else {
            return Err("expected the node's certificate and the CA's".into());
        };
        Self::new(KeyPem(key.to_owned()), certificate.to_vec(), ca.to_vec())
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, bytes).as_ref());
    out
}

/// Where the identity is kept: `DATA/node/identity.pem`, readable by its owner only.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    path: PathBuf,
}

impl Store {
    /// Makes the folder if needed.
    pub(crate) fn open(data_dir: &Path) -> Result<Self, StartError> {
        let dir = data_dir.join("node");
        let fault =
            |error: io::Error| StartError::Identity { path: dir.display().to_string(), reason: error.to_string() };
        DirBuilder::new().recursive(true).mode(0o700).create(&dir).map_err(fault)?;
        Ok(Self { path: dir.join("identity.pem") })
    }

    /// What is stored; `None` if the node has not joined.
    pub(crate) fn load(&self) -> Result<Option<Identity>, StartError> {
        let fault = |reason: String| StartError::Identity { path: self.path.display().to_string(), reason };
        match fs::read_to_string(&self.path) {
            Ok(pem) => Identity::from_pem(&pem).map(Some).map_err(fault),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(fault(error.to_string())),
        }
    }

    /// Replaces what is stored, whole or not at all.
    pub(crate) fn save(&self, identity: &Identity) -> io::Result<()> {
        let draft = self.path.with_extension("new");
        match fs::remove_file(&draft) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        file.write_all(identity.to_pem().as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, &self.path)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn identity() -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["node".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(2026, 1, 31);
        let certificate = params.self_signed(&key).unwrap().der().to_vec();
        Identity::new(KeyPem(key.serialize_pem()), certificate.clone(), certificate).unwrap()
    }

    #[test]
    fn an_identity_survives_its_file_which_only_its_owner_reads() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        assert!(store.load().unwrap().is_none());
        let identity = identity();
        store.save(&identity).unwrap();
        store.save(&identity).unwrap();
        let loaded = store.load().unwrap().unwrap();
        assert_eq!((&loaded.certificate, &loaded.ca), (&identity.certificate, &identity.ca));
        assert_eq!(loaded.private_key().unwrap(), identity.private_key().unwrap());
        let mode = fs::metadata(&store.path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(!format!("{loaded:?}").contains("PRIVATE"));
    }

    #[test]
    fn a_damaged_file_is_named_and_not_shown() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        for content in ["", "marker", &identity().to_pem()[..600]] {
            fs::write(&store.path, content).unwrap();
            let message = store.load().unwrap_err().to_string();
            assert!(message.contains("identity.pem") && !message.contains("marker"), "{message}");
        }
    }

    #[test]
    fn a_third_before_its_end_a_certificate_is_renewed() {
        let identity = identity();
        let day = 86_400;
        assert!(!identity.wants_renewal(identity.not_after - 11 * day));
        assert!(identity.wants_renewal(identity.not_after - 9 * day));
        assert!(!identity.has_expired(identity.not_after - 1) && identity.has_expired(identity.not_after));
    }
}
