//! The standard's error shape, for everything that fails below the registry's base. Pure.

use http::StatusCode;
use landline_api::ard::Failure;
use landline_wire::error::{Code, Problem};

/// Is this path, as it is seen under the prefix, the registry's?
pub(crate) fn speaks_for(instance: &str) -> bool {
    instance.strip_prefix("/ard").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A problem in the standard's words. It has names for five of them; the others keep ours, in capitals.
pub(crate) fn document(problem: &Problem) -> (StatusCode, Failure) {
    let status = match problem.code {
        // What was asked does not pass: the standard has 400 for all of it.
        Code::InvalidQuery => StatusCode::BAD_REQUEST,
        code => StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
    };
    let error_code = match problem.code {
        Code::InvalidQuery | Code::BadRequest => "INVALID_ARGUMENT".to_owned(),
        Code::TokenMissing | Code::TokenInvalid => "UNAUTHENTICATED".to_owned(),
        Code::NotFound => "NOT_FOUND".to_owned(),
        Code::RateLimited => "RATE_LIMIT_EXCEEDED".to_owned(),
        Code::InternalError => "INTERNAL_ERROR".to_owned(),
        code => code.as_str().to_ascii_uppercase(),
    };
    (status, Failure { error_code, message: problem.detail.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_registrys_paths_are_its_own() {
        for (path, ours) in
            [("/ard", true), ("/ard/search", true), ("/ard/x/y", true), ("/ardent", false), ("/v1/ard", false)]
        {
            assert_eq!(speaks_for(path), ours, "{path}");
        }
    }

    #[test]
    fn every_code_has_words_of_the_standards_kind() {
        for code in Code::ALL {
            let (status, failure) = document(&Problem::plain(*code));
            assert!(failure.error_code.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'), "{failure:?}");
            assert!(status.is_client_error() || status.is_server_error());
            assert!(!failure.message.is_empty());
        }
        let (status, failure) = document(&Problem::new(Code::InvalidQuery, "No."));
        assert_eq!((status.as_u16(), failure.error_code.as_str()), (400, "INVALID_ARGUMENT"));
        assert_eq!(document(&Problem::plain(Code::MethodNotAllowed)).1.error_code, "METHOD_NOT_ALLOWED");
    }
}
