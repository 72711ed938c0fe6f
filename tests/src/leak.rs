//! Looking for a marker string in every form in which it could have leaked.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// The forms of a marker: itself, base64 (both alphabets, at each of the three alignments inside a longer text), hex,
/// URL-encoded, and its SHA-256 as bytes, hex and base64.
pub fn forms(marker: &str) -> Vec<(String, Vec<u8>)> {
    let bytes = marker.as_bytes();
    let mut forms = vec![("itself".to_owned(), bytes.to_vec())];
    for shift in 0..3 {
        for (name, engine) in [("base64", &STANDARD), ("base64url", &URL_SAFE_NO_PAD)] {
            forms.push((format!("{name}, shifted by {shift}"), aligned(bytes, shift, |text| engine.encode(text))));
        }
    }
    forms.push(("hex".into(), hex(bytes).into_bytes()));
    forms.push(("HEX".into(), hex(bytes).to_uppercase().into_bytes()));
    let escaped = |upper: bool| -> String {
        let escape = |byte: &u8| match byte {
            b if b.is_ascii_alphanumeric() || b"-._~".contains(b) => char::from(*b).to_string(),
            b if upper => format!("%{b:02X}"),
            b => format!("%{b:02x}"),
        };
        bytes.iter().map(escape).collect()
    };
    forms.push(("URL-encoded".into(), escaped(true).into_bytes()));
    forms.push(("URL-encoded, lower".into(), escaped(false).into_bytes()));
    let sha = digest::digest(&digest::SHA256, bytes);
    forms.push(("SHA-256".into(), sha.as_ref().to_vec()));
    forms.push(("SHA-256 in hex".into(), hex(sha.as_ref()).into_bytes()));
    forms.push(("SHA-256 in base64".into(), STANDARD.encode(sha.as_ref()).trim_end_matches('=').into()));
    forms.push(("SHA-256 in base64url".into(), URL_SAFE_NO_PAD.encode(sha.as_ref()).into_bytes()));
    forms
}

/// The characters of an encoding that depend on the marker alone when `shift` bytes stand before it.
fn aligned(bytes: &[u8], shift: usize, encode: impl Fn(&[u8]) -> String) -> Vec<u8> {
    let mut padded = vec![0; shift];
    padded.extend_from_slice(bytes);
    let encoded = encode(&padded).trim_end_matches('=').to_owned();
    let first = (shift * 8).div_ceil(6);
    let last = (padded.len() * 8) / 6;
    encoded.as_bytes()[first..last.min(encoded.len())].to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The forms of a marker that stand in `hay`.
pub fn found(hay: &[u8], marker: &str) -> Vec<String> {
    let contains = |needle: &[u8]| hay.windows(needle.len()).any(|window| window == needle);
    forms(marker).into_iter().filter(|(_, needle)| contains(needle)).map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_found_in_each_of_its_forms_and_not_elsewhere() {
        let marker = "mark{er}-7c21f09e/ä";
        assert!(found(b"nothing here", marker).is_empty());
        for (name, form) in forms(marker) {
            let hay = [b"before ".as_slice(), &form, b" after"].concat();
            assert!(found(&hay, marker).contains(&name), "{name}");
        }
        for before in 0..3 {
            let text = format!("{}{marker}and more", "x".repeat(before));
            let encoded = STANDARD.encode(text);
            assert!(!found(encoded.as_bytes(), marker).is_empty(), "inside a longer text, {before} bytes before");
        }
    }
}
