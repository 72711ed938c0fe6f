//! The cluster's certificate authority: made at first start, kept in `DATA/ca` (0600 in a directory of 0700). It signs
//! two kinds of certificate and keeps them apart by their extended key usage: a node's can never pass for the
//! exchange's.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use landline_link::EXCHANGE_NAME;
use landline_wire::ids::NodeId;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SerialNumber,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateSigningRequestDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use time::{Duration, OffsetDateTime};

use crate::secrets::{load_or_make, random};

/// Life of a node's certificate; it is renewed when a third of it is left.
pub(crate) const NODE_DAYS: i64 = 30;
/// Life of the CA.
const CA_DAYS: i64 = 20 * 365;
/// Certificates begin before they are made, for nodes whose clock is behind.
const BACKDATED: Duration = Duration::hours(1);
/// Bytes of the key behind QUIC's stateless resets.
const RESET_KEY_BYTES: usize = 64;

/// The authority: key, certificate, and what depends on them.
pub(crate) struct Ca {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    reset_key: Vec<u8>,
}

/// Why the CA cannot be used. Names files, never their content.
#[derive(Debug, thiserror::Error)]
#[error("certificate authority: {0}")]
pub struct CaError(String);

impl CaError {
    fn new(reason: impl std::fmt::Display) -> Self {
        Self(reason.to_string())
    }
}

/// A signed certificate.
pub(crate) struct Signed {
    pub(crate) certificate: CertificateDer<'static>,
    /// In hexadecimal.
    pub(crate) serial: String,
}

impl Ca {
    /// Loads the CA of a data directory, or makes it.
    pub(crate) fn open(data_dir: &Path) -> Result<Self, CaError> {
        let dir = data_dir.join("ca");
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&dir)
            .map_err(|error| CaError(format!("{}: {error}", dir.display())))?;
        let path = dir.join("ca.pem");
        let pem = load_or_make(&path, make_ca).map_err(CaError::new)?;
        let damaged = |what: &str| CaError(format!("{}: {what}", path.display()));
        let text = std::str::from_utf8(&pem).map_err(|_| damaged("expected PEM"))?;
        let key = KeyPair::from_pem(text).map_err(|_| damaged("no private key"))?;
        let certificate = CertificateDer::from_pem_slice(&pem).map_err(|_| damaged("no certificate"))?;
        let issuer = Issuer::from_ca_cert_der(&certificate, key).map_err(|_| damaged("no CA certificate"))?;
        let reset_key = load_or_make(&dir.join("reset-key"), || Ok(random::<RESET_KEY_BYTES>()?.to_vec()));
        Ok(Self { issuer, certificate, reset_key: reset_key.map_err(CaError::new)? })
    }

    /// The CA's certificate, for those who verify.
    pub(crate) fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// SHA-256 of the CA's certificate: what a join token pins.
    pub(crate) fn sha256(&self) -> [u8; 32] {
        sha256(&self.certificate)
    }

    /// Outlives the process, so that a restarted exchange can tell the switches at once that their connections are gone.
    pub(crate) fn reset_key(&self) -> &[u8] {
        &self.reset_key
    }

    /// A certificate for this exchange, with a key that is kept in memory only: made anew at each start.
    pub(crate) fn server(&self) -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>), CaError> {
        let key = KeyPair::generate().map_err(CaError::new)?;
        let mut params = leaf(EXCHANGE_NAME, EXCHANGE_NAME, ExtendedKeyUsagePurpose::ServerAuth)?;
        // As long as the CA: a process may run for years, and its key dies with it.
        params.not_after = params.not_before + Duration::days(CA_DAYS);
        let certificate = params.signed_by(&key, &self.issuer).map_err(CaError::new)?;
        Ok((certificate.der().clone(), PrivatePkcs8KeyDer::from(key.serialize_der()).into()))
    }

    /// Signs a node's request. Only its public key counts, once its signature shows that the node has the private one;
    /// whatever name it asks for, the certificate says who we say it is.
    pub(crate) fn node(&self, node: NodeId, csr: &[u8]) -> Result<Signed, CaError> {
        let csr = CertificateSigningRequestDer::from(csr);
        let mut request = CertificateSigningRequestParams::from_der(&csr).map_err(CaError::new)?;
        let name = node.to_string();
        request.params = leaf(&name, &format!("{name}.node.landline.internal"), ExtendedKeyUsagePurpose::ClientAuth)?;
        let serial = random::<16>().map_err(CaError)?;
        request.params.serial_number = Some(SerialNumber::from_slice(&serial));
        let certificate = request.signed_by(&self.issuer).map_err(CaError::new)?;
        Ok(Signed { certificate: certificate.der().clone(), serial: hex(&serial) })
    }
}

/// The machine's time and not the exchange's clock: TLS compares with nothing else.
fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

fn make_ca() -> Result<Vec<u8>, String> {
    let key = KeyPair::generate().map_err(|error| error.to_string())?;
    let mut params = CertificateParams::default();
    params.distinguished_name = named(&format!("Landline cluster {}", hex(&random::<4>()?)));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    params.not_before = now() - BACKDATED;
    params.not_after = now() + Duration::days(CA_DAYS);
    let certificate = params.self_signed(&key).map_err(|error| error.to_string())?;
    Ok(format!("{}{}", key.serialize_pem(), certificate.pem()).into_bytes())
}

fn leaf(common_name: &str, dns_name: &str, usage: ExtendedKeyUsagePurpose) -> Result<CertificateParams, CaError> {
    let mut params = CertificateParams::new([dns_name.to_owned()]).map_err(CaError::new)?;
    params.distinguished_name = named(common_name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params.use_authority_key_identifier_extension = true;
    params.not_before = now() - BACKDATED;
    params.not_after = now() + Duration::days(NODE_DAYS);
    Ok(params)
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

/// The node that a certificate names. The caller has verified that our CA signed it.
pub(crate) fn node_of(certificate: &CertificateDer<'_>) -> Option<NodeId> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    parsed.subject().iter_common_name().next()?.as_str().ok()?.parse().ok()
}

/// SHA-256 of bytes.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, bytes).as_ref());
    out
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn csr() -> Vec<u8> {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([EXCHANGE_NAME.to_owned()]).unwrap();
        params.distinguished_name = named(EXCHANGE_NAME);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.serialize_request(&key).unwrap().der().to_vec()
    }

    #[test]
    fn the_ca_is_made_once_and_only_its_owner_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let (first, second) = (Ca::open(dir.path()).unwrap(), Ca::open(dir.path()).unwrap());
        assert_eq!((first.sha256(), first.reset_key()), (second.sha256(), second.reset_key()));
        for name in ["ca.pem", "reset-key"] {
            let mode = std::fs::metadata(dir.path().join("ca").join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }

    #[test]
    fn a_node_gets_the_name_we_give_and_no_power_it_asks_for() {
        let dir = tempfile::tempdir().unwrap();
        let ca = Ca::open(dir.path()).unwrap();
        let node = NodeId::from_parts(1, [7; 10]);
        let signed = ca.node(node, &csr()).unwrap();
        assert_eq!(node_of(&signed.certificate), Some(node));
        let (_, parsed) = x509_parser::parse_x509_certificate(&signed.certificate).unwrap();
        let usage = parsed.extended_key_usage().unwrap().unwrap().value;
        assert!(usage.client_auth && !usage.server_auth && !parsed.is_ca());
        assert!(
            !parsed
                .subject_alternative_name()
                .unwrap()
                .unwrap()
                .value
                .general_names
                .iter()
                .any(|name| name.to_string().contains(EXCHANGE_NAME))
        );
    }

    #[test]
    fn a_request_that_its_key_did_not_sign_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let ca = Ca::open(dir.path()).unwrap();
        let mut csr = csr();
        let last = csr.len() - 1;
        csr[last] ^= 1;
        assert!(ca.node(NodeId::from_parts(1, [7; 10]), &csr).is_err());
        assert!(ca.node(NodeId::from_parts(1, [7; 10]), b"").is_err());
    }
}
