//! A service of the operator's own that the exchange asks. Its URL comes from the settings and not from a stranger's card, so
//! it may be anywhere: beside the exchange, or in a network that agents may not be called in.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, HeaderValue};
use http::{Method, Request, Uri};
use http_body_util::{BodyExt, Full};
use landline_link::Secret;
use tokio::time::timeout;

use super::connect::Connector;
use super::passage::{self, Failure};
use super::target::{BadUrl, Target};
use crate::egress::{Cidr, Resolver};

/// Every network.
const ANYWHERE: [&str; 2] = ["0.0.0.0/0", "::/0"];

/// A service, by its base URL.
pub(crate) struct Service {
    target: Target,
    bearer: Option<Secret>,
    connector: Connector,
}

impl Service {
    /// The service at `url`, which is asked with this bearer token if there is one.
    ///
    /// # Errors
    /// The text is no http or https URL.
    pub(crate) fn at(url: &str, bearer: Option<Secret>, resolver: Resolver) -> Result<Self, BadUrl> {
        let opened: Vec<Cidr> = ANYWHERE.iter().filter_map(|network| network.parse().ok()).collect();
        Ok(Self { target: Target::parse(url)?, bearer, connector: Connector::new(resolver, opened) })
    }

    /// Posts JSON to a path below the URL. Gives status and body; an answer above `max_bytes` is a bad one.
    ///
    /// # Errors
    /// There is no such answer within the deadline.
    pub(crate) async fn post(
        &self,
        path: &str,
        json: Bytes,
        deadline: Duration,
        max_bytes: usize,
    ) -> Result<(u16, Bytes), Failure> {
        let asked = async {
            let request = self.request(path, json).ok_or(Failure::Refused)?;
            let (answer, connection) = passage::ask(&self.connector, &self.target.origin, request).await?;
            let (head, mut body) = answer.into_parts();
            let mut read = Vec::new();
            while let Some(frame) = body.frame().await {
                let Ok(bytes) = frame.map_err(|_| Failure::Broken)?.into_data() else { continue };
                if read.len() + bytes.len() > max_bytes {
                    return Err(Failure::BadAnswer);
                }
                read.extend_from_slice(&bytes);
            }
            drop(connection);
            Ok((head.status.as_u16(), read.into()))
        };
        timeout(deadline, asked).await.unwrap_or(Err(Failure::Timeout))
    }

    fn request(&self, path: &str, json: Bytes) -> Option<Request<Full<Bytes>>> {
        let Target { origin, path: base, query } = &self.target;
        let uri: Uri = format!("{}{path}{query}", base.trim_end_matches('/')).parse().ok()?;
        let mut request = Request::new(Full::new(json));
        (*request.method_mut(), *request.uri_mut()) = (Method::POST, uri);
        let headers = request.headers_mut();
        headers.insert(HOST, HeaderValue::from_str(&origin.authority()).ok()?);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        if let Some(Secret(token)) = &self.bearer {
            let mut value = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Some(request)
    }
}
