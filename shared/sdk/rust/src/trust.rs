//! Whom a client trusts to be the relay.

use std::io;
use std::sync::{Arc, OnceLock};

use rustls::ClientConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_platform_verifier::{ConfigVerifierExt, Verifier};

use crate::error::Error;

/// The platform's authorities, and others if wanted.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    own: Option<Arc<ClientConfig>>,
}

impl Trust {
    /// The platform's authorities alone.
    pub fn platform() -> Self {
        Self::default()
    }

    /// The platform's authorities and these, PEM: of a private authority, or a server's own certificate.
    ///
    /// # Errors
    /// [`Error::BadCa`].
    pub fn with_ca(pem: &[u8]) -> Result<Self, Error> {
        let bad = |why: String| Error::BadCa(why);
        let more: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|why| bad(why.to_string()))?;
        if more.is_empty() {
            return Err(bad("there is no certificate in it".into()));
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = Verifier::new_with_extra_roots(more, provider.clone()).map_err(|why| bad(why.to_string()))?;
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|why| bad(why.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        Ok(Self { own: Some(Arc::new(config)) })
    }

    /// The settings of TLS connections.
    ///
    /// # Errors
    /// The platform's authorities cannot be read.
    pub fn config(&self) -> io::Result<Arc<ClientConfig>> {
        static PLATFORM: OnceLock<Arc<ClientConfig>> = OnceLock::new();
        if let Some(config) = self.own.as_ref().or(PLATFORM.get()) {
            return Ok(config.clone());
        }
        install_crypto();
        let config = ClientConfig::with_platform_verifier().map_err(io::Error::other)?;
        Ok(PLATFORM.get_or_init(|| Arc::new(config)).clone())
    }

    /// The settings, if they are not the platform's.
    pub(crate) fn own(&self) -> Option<&ClientConfig> {
        self.own.as_deref()
    }
}

/// Makes aws-lc-rs the process's provider unless the program has chosen one.
pub(crate) fn install_crypto() {
    if CryptoProvider::get_default().is_none() {
        // Fails only if another thread was faster: then there is one.
        let _ = aws_lc_rs::default_provider().install_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_is_refused() {
        for text in ["", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            assert!(matches!(Trust::with_ca(text.as_bytes()), Err(Error::BadCa(_))), "{text}");
        }
        assert!(Trust::platform().own().is_none());
    }
}
