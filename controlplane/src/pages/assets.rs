//! Style, script and icon. A file's name carries a digest of its content, so it may be cached for ever and a new version
//! has a new name.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use landline_wire::error::Code;

use crate::error::{Error, Result};
use crate::extract::PathText;

struct Asset {
    name: &'static str,
    content_type: &'static str,
    content: &'static str,
    url: String,
}

static ASSETS: LazyLock<[Asset; 3]> = LazyLock::new(|| {
    [
        asset("landline.css", "text/css; charset=utf-8", include_str!("assets/landline.css")),
        asset("network.js", "text/javascript; charset=utf-8", include_str!("assets/network.js")),
        asset("favicon.svg", "image/svg+xml", include_str!("assets/favicon.svg")),
    ]
});

fn asset(name: &'static str, content_type: &'static str, content: &'static str) -> Asset {
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    Asset { name, content_type, content, url: format!("/assets/{stem}.{}.{extension}", fingerprint(content)) }
}

/// The first 48 bits of a text's SHA-256, in hex: enough to tell versions of one file apart.
pub(super) fn fingerprint(content: &str) -> String {
    digest(&SHA256, content.as_bytes()).as_ref()[..6].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Where an asset is.
///
/// # Panics
/// If there is no such asset: names are literals of this module's neighbours, and each page has a test.
pub(super) fn url(name: &str) -> &'static str {
    let found = ASSETS.iter().find(|asset| asset.name == name);
    &found.unwrap_or_else(|| panic!("no asset {name}")).url
}

/// `GET /assets/{file}`
pub(super) async fn file(PathText(file): PathText) -> Result<Response> {
    let found = ASSETS.iter().find(|asset| asset.url.strip_prefix("/assets/") == Some(&file));
    let asset = found.ok_or_else(|| Error::plain(Code::NotFound))?;
    let headers = [(CONTENT_TYPE, asset.content_type), (CACHE_CONTROL, "public, max-age=31536000, immutable")];
    Ok((headers, asset.content).into_response())
}
