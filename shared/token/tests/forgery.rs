//! A token counts only as the exchange signed it: every way to forge or bend one is refused, for its own reason.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use landline_token::{AUDIENCE, BadJwks, Claims, MAX_KEYS, Signer, TokenError, Verifier, merge_jwks};
use landline_wire::ids::AgentId;
use landline_wire::limits::MAX_TOKEN_BYTES;
use serde_json::{Value, json};
use uuid::Uuid;

const ISSUER: &str = "https://relay.example/connect";
const NOW: i64 = 1_800_000_000;

fn claims() -> Claims {
    Claims {
        iss: ISSUER.into(),
        sub: AgentId::from_parts(1_700_000_000_000, [3; 10]),
        aud: AUDIENCE.into(),
        iat: NOW - 10,
        exp: NOW + 890,
        jti: Uuid::from_u128(42),
        token_gen: 5,
    }
}

fn pair() -> (Signer, Verifier) {
    let signer = Signer::generate().unwrap();
    let verifier = Verifier::from_jwks(&signer.jwks()).unwrap();
    (signer, verifier)
}

fn verify(verifier: &Verifier, token: &str) -> Result<Claims, TokenError> {
    verifier.verify(token, ISSUER, NOW)
}

fn encode_part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

#[test]
fn a_good_token_gives_its_claims_back_and_names_its_key() {
    let (signer, verifier) = pair();
    let token = signer.sign(&claims()).unwrap();
    assert_eq!(verify(&verifier, &token), Ok(claims()));
    let header: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap()).unwrap();
    assert_eq!(header, json!({"typ": "JWT", "alg": "ES256", "kid": signer.kid()}));
    let payload: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap();
    assert_eq!(payload["gen"], 5, "the generation is called gen on the wire");
}

#[test]
fn the_algorithm_none_is_refused_with_and_without_a_signature() {
    let (signer, verifier) = pair();
    let payload = encode_part(&serde_json::to_value(claims()).unwrap());
    for alg in ["none", "None", "NONE"] {
        let header = encode_part(&json!({"alg": alg, "typ": "JWT", "kid": signer.kid()}));
        for signature in ["", "AAAA"] {
            let token = format!("{header}.{payload}.{signature}");
            assert_eq!(verify(&verifier, &token), Err(TokenError::Malformed), "{alg}");
        }
    }
}

#[test]
fn a_mac_with_the_public_key_as_its_secret_is_refused() {
    let (signer, verifier) = pair();
    let jwk = signer.jwk();
    let (x, y) = (jwk["x"].as_str().unwrap(), jwk["y"].as_str().unwrap());
    let mut point = vec![4];
    point.extend(URL_SAFE_NO_PAD.decode(x).unwrap());
    point.extend(URL_SAFE_NO_PAD.decode(y).unwrap());
    for secret in [point.as_slice(), signer.jwks().as_bytes(), jwk.to_string().as_bytes()] {
        for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            let mut header = Header::new(algorithm);
            header.kid = Some(signer.kid().into());
            let token = jsonwebtoken::encode(&header, &claims(), &EncodingKey::from_secret(secret)).unwrap();
            assert_eq!(verify(&verifier, &token), Err(TokenError::Algorithm));
        }
    }
}

#[test]
fn another_key_is_refused_whatever_kid_it_claims() {
    let (signer, verifier) = pair();
    let other = Signer::generate().unwrap();
    let token = other.sign(&claims()).unwrap();
    assert_eq!(verify(&verifier, &token), Err(TokenError::UnknownKey));

    let header = encode_part(&json!({"typ": "JWT", "alg": "ES256", "kid": signer.kid()}));
    let mut parts: Vec<&str> = token.split('.').collect();
    parts[0] = &header;
    assert_eq!(verify(&verifier, &parts.join(".")), Err(TokenError::Signature));

    let without_kid = encode_part(&json!({"typ": "JWT", "alg": "ES256"}));
    parts[0] = &without_kid;
    assert_eq!(verify(&verifier, &parts.join(".")), Err(TokenError::UnknownKey));
}

#[test]
fn an_altered_payload_or_signature_is_refused() {
    let (signer, verifier) = pair();
    let token = signer.sign(&claims()).unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    let altered = encode_part(&serde_json::to_value(Claims { token_gen: 6, ..claims() }).unwrap());
    assert_eq!(verify(&verifier, &format!("{}.{altered}.{}", parts[0], parts[2])), Err(TokenError::Signature));
    let mut signature = URL_SAFE_NO_PAD.decode(parts[2]).unwrap();
    signature[10] ^= 1;
    let signature = URL_SAFE_NO_PAD.encode(signature);
    assert_eq!(verify(&verifier, &format!("{}.{}.{signature}", parts[0], parts[1])), Err(TokenError::Signature));
    let zeros = URL_SAFE_NO_PAD.encode([0; 64]);
    assert_eq!(verify(&verifier, &format!("{}.{}.{zeros}", parts[0], parts[1])), Err(TokenError::Signature));
}

#[test]
fn a_token_ends_at_its_second_and_not_after_it() {
    let (signer, verifier) = pair();
    let token = signer.sign(&Claims { exp: NOW, ..claims() }).unwrap();
    assert_eq!(verify(&verifier, &token), Err(TokenError::Expired));
    assert!(verifier.verify(&token, ISSUER, NOW - 1).is_ok());
}

#[test]
fn issuer_and_audience_are_compared_exactly() {
    let (signer, verifier) = pair();
    let sign = |claims: &Claims| signer.sign(claims).unwrap();
    let other_audience = sign(&Claims { aud: "relay2".into(), ..claims() });
    assert_eq!(verify(&verifier, &other_audience), Err(TokenError::Audience));
    let other_issuer = sign(&Claims { iss: format!("{ISSUER}/"), ..claims() });
    assert_eq!(verify(&verifier, &other_issuer), Err(TokenError::Issuer));
}

#[test]
fn an_extension_that_must_be_understood_is_not() {
    let signer = Signer::generate().unwrap();
    let verifier = Verifier::from_jwks(&signer.jwks()).unwrap();
    let mut header = Header::new(Algorithm::ES256);
    header.kid = Some(signer.kid().into());
    header.crit = Some(vec!["b64".into()]);
    let key = EncodingKey::from_ec_pem(signer.to_pem().as_bytes()).unwrap();
    let token = jsonwebtoken::encode(&header, &claims(), &key).unwrap();
    assert_eq!(verify(&verifier, &token), Err(TokenError::Malformed));
}

#[test]
fn what_is_too_long_or_no_token_at_all_is_refused() {
    let (signer, verifier) = pair();
    let long = signer.sign(&Claims { iss: "x".repeat(MAX_TOKEN_BYTES), ..claims() }).unwrap();
    assert_eq!(verify(&verifier, &long), Err(TokenError::TooLong));
    for text in ["", ".", "..", "...", "a.b.c", "ll_abc", "\u{1F4DE}"] {
        assert_eq!(verify(&verifier, text), Err(TokenError::Malformed), "{text:?}");
    }
}

#[test]
fn several_keys_stand_side_by_side_and_others_are_passed_over() {
    let (old, new) = (Signer::generate().unwrap(), Signer::generate().unwrap());
    let verifier = Verifier::from_jwks(&merge_jwks([&new, &old])).unwrap();
    for signer in [&old, &new] {
        assert!(verifier.knows(signer.kid()));
        assert!(verify(&verifier, &signer.sign(&claims()).unwrap()).is_ok());
    }
    let mixed = json!({"keys": [{"kty": "RSA", "kid": "r", "n": "AQ", "e": "AQAB"}, new.jwk()]}).to_string();
    let verifier = Verifier::from_jwks(&mixed).unwrap();
    assert!(verifier.knows(new.kid()) && !verifier.knows("r"));
}

#[test]
fn a_broken_key_set_is_refused_as_a_whole() {
    let signer = Signer::generate().unwrap();
    let bad = |json: String| Verifier::from_jwks(&json).unwrap_err();
    assert_eq!(bad("{".into()), BadJwks::Malformed);
    assert_eq!(bad(r#"{"keys":[]}"#.into()), BadJwks::Empty);
    assert_eq!(bad(json!({"keys": [signer.jwk(), signer.jwk()]}).to_string()), BadJwks::BadKey);
    let mut short = signer.jwk();
    short["x"] = json!("AQ");
    assert_eq!(bad(json!({"keys": [short]}).to_string()), BadJwks::BadKey);
    assert_eq!(bad(json!({"keys": vec![signer.jwk(); MAX_KEYS + 1]}).to_string()), BadJwks::TooMany);
}

#[test]
fn a_key_survives_its_pem_file_and_shows_nothing_of_itself() {
    let signer = Signer::generate().unwrap();
    let pem = signer.to_pem();
    let again = Signer::from_pem(&pem).unwrap();
    assert_eq!(signer.jwks(), again.jwks());
    let verifier = Verifier::from_jwks(&signer.jwks()).unwrap();
    assert!(verify(&verifier, &again.sign(&claims()).unwrap()).is_ok());
    assert_eq!(format!("{signer:?}"), format!("Signer {{ kid: \"{}\", .. }}", signer.kid()));
    assert!(Signer::from_pem("").is_err());
    assert!(Signer::from_pem(&pem.replace("PRIVATE", "PUBLIC")).is_err());
    assert!(Signer::from_pem(&format!("{}AAAA\n-----END PRIVATE KEY-----", &pem[..60])).is_err());
}
