//! A certificate for development: signed by its own key, kept in `DATA/tls` so that a client which trusts it today does
//! so tomorrow.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use time::{Duration, OffsetDateTime};

use crate::files;

/// Life of a certificate: the longest that Apple's systems accept of one that was trusted by hand.
const LIFE: Duration = Duration::days(825);
/// It is made anew when less is left.
const LEAST_LEFT: Duration = Duration::days(60);
/// Certificates begin before they are made, for clients whose clock is behind.
const BACKDATED: Duration = Duration::hours(1);

/// A certificate and its key, PEM.
pub(super) struct Made {
    pub(super) certificate: String,
    pub(super) key: String,
    /// The certificate's file: what clients trust.
    pub(super) path: PathBuf,
}

/// Takes the certificate of a data directory, or makes one if there is none, if it ends soon, or if it is for other names.
pub(super) fn open(data: &Path, listen: SocketAddr, public_url: &str) -> Result<Made> {
    // Clients that take it from run.json may run elsewhere.
    let dir = std::path::absolute(data.join("tls"))?;
    files::make_private_dir(&dir)?;
    let (path, key_path) = (dir.join("certificate.pem"), dir.join("key.pem"));
    let names = names(listen, public_url);
    let kept = fs::read_to_string(&path).ok().zip(fs::read_to_string(&key_path).ok());
    if let Some((certificate, key)) = kept
        && is_good(&certificate, &names, OffsetDateTime::now_utc())
    {
        return Ok(Made { certificate, key, path });
    }
    let (certificate, key) = make(&names, OffsetDateTime::now_utc())?;
    // The key last: without one that fits, the next start makes both anew.
    super::tls::remove(&key_path)?;
    files::replace(&path, certificate.as_bytes()).with_context(|| path.display().to_string())?;
    files::replace(&key_path, key.as_bytes()).with_context(|| key_path.display().to_string())?;
    tracing::info!(path = %path.display(), "a certificate for development was made");
    Ok(Made { certificate, key, path })
}

/// Everything that a client on this machine, or at the public URL, may call us.
fn names(listen: SocketAddr, public_url: &str) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
    if !listen.ip().is_unspecified() {
        names.insert(listen.ip().to_string());
    }
    let host = reqwest::Url::parse(public_url).ok().and_then(|url| url.host_str().map(str::to_owned));
    names.extend(host.map(|host| host.trim_matches(['[', ']']).to_owned()));
    names
}

/// What stands before the certificate in its file, for people and for [`is_good`]: a reader of PEM passes over it.
fn headline(names: &BTreeSet<String>, until: OffsetDateTime) -> String {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    format!("For development only. Until {}, for {}\n", until.unix_timestamp(), names.join(" "))
}

fn is_good(certificate: &str, names: &BTreeSet<String>, now: OffsetDateTime) -> bool {
    let first = certificate.lines().next().unwrap_or_default();
    let until = first.split([' ', ',']).find_map(|word| word.parse::<i64>().ok());
    let until = until.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    until.is_some_and(|until| until - now >= LEAST_LEFT && headline(names, until).trim_end() == first)
}

fn make(names: &BTreeSet<String>, now: OffsetDateTime) -> Result<(String, String)> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(names.iter().cloned().collect::<Vec<_>>())?;
    params.distinguished_name.push(DnType::CommonName, "Landline, for development");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    (params.not_before, params.not_after) = (now - BACKDATED, now - BACKDATED + LIFE);
    let until = params.not_after;
    let certificate = params.self_signed(&key)?;
    Ok((headline(names, until) + &certificate.pem(), key.serialize_pem()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const LISTEN: &str = "0.0.0.0:7300";

    fn open_for(data: &Path, public_url: &str) -> Made {
        open(data, LISTEN.parse().unwrap(), public_url).unwrap()
    }

    #[test]
    fn a_certificate_is_kept_while_its_names_are_right() {
        let dir = tempfile::tempdir().unwrap();
        let first = open_for(dir.path(), "https://relay.test:7300");
        let key = dir.path().join("tls/key.pem");
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(open_for(dir.path(), "https://relay.test:7300").certificate, first.certificate);
        let other = open_for(dir.path(), "https://other.test");
        assert_ne!(other.certificate, first.certificate);
        fs::remove_file(&key).unwrap();
        assert_ne!(open_for(dir.path(), "https://other.test").certificate, other.certificate);
    }

    #[test]
    fn a_certificate_is_made_anew_before_it_ends() {
        let names = names(LISTEN.parse().unwrap(), "https://[2001:db8::1]:7300");
        assert_eq!(
            names.iter().map(String::as_str).collect::<Vec<_>>(),
            ["127.0.0.1", "2001:db8::1", "::1", "localhost"]
        );
        let made = OffsetDateTime::UNIX_EPOCH + Duration::days(20_000);
        let (certificate, key) = make(&names, made).unwrap();
        assert!(is_good(&certificate, &names, made + Duration::days(760)));
        assert!(!is_good(&certificate, &names, made + Duration::days(770)));
        assert!(!is_good("", &names, made) && !is_good(&certificate[20..], &names, made));
        landline_dataplane::Tls::new(certificate.as_bytes(), key.as_bytes()).unwrap();
    }
}
