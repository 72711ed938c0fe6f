//! What a request can fail with, and the one place that turns it into an RFC 9457 document.
//!
//! A handler's [`Error`] becomes an empty response that carries its [`Problem`]; the outermost middleware, which knows
//! the path and the request id, writes the document. Answers of the framework itself (unknown path, wrong method) have
//! no problem yet and get one there.

use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, StatusCode};
use landline_wire::error::{Code, Origin, Problem};

use crate::ard;
use crate::db::DbError;

/// A request's failure.
#[derive(Debug)]
pub enum Error {
    /// One of the catalogue.
    Problem(Box<Problem>),
    /// Ours: logged with its cause, answered as `internal_error` without it.
    Internal(String),
}

/// A handler's or an operation's result.
pub type Result<T> = std::result::Result<T, Error>;

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}

impl From<DbError> for Error {
    /// No connection in time means that more is asked than the database can do now; all else is a fault.
    fn from(error: DbError) -> Self {
        match error {
            DbError::Driver(sqlx::Error::PoolTimedOut) => {
                tracing::warn!("no database connection was free in time");
                Self::new(Code::Overloaded, "The exchange is busy.")
            }
            error => Self::Internal(error.to_string()),
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        DbError::from(error).into()
    }
}

impl Error {
    /// A failure of the catalogue with its own detail.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Problem::new(code, detail).into()
    }

    /// A failure of the catalogue with the catalogue's words.
    pub fn plain(code: Code) -> Self {
        Problem::plain(code).into()
    }

    /// A parameter, header, id or body member that did not pass.
    pub fn invalid(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Problem::new(Code::InvalidQuery, detail).field(field).into()
    }

    /// The problem that the caller sees.
    pub fn into_problem(self) -> Problem {
        match self {
            Self::Problem(problem) => *problem,
            Self::Internal(_) => Problem::plain(Code::InternalError),
        }
    }
}

/// The problem that a response carries until its document is written.
#[derive(Clone)]
struct Fault(Arc<Problem>);

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        if let Self::Internal(cause) = &self {
            tracing::error!(%cause, "a request failed");
        }
        let problem = self.into_problem();
        let status = StatusCode::from_u16(problem.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        response.extensions_mut().insert(Fault(Arc::new(problem)));
        response
    }
}

/// Marks a response as another party's answer: whatever its status, it passes as it is.
#[derive(Debug, Clone, Copy)]
pub struct Foreign;

/// Writes the problem document of a failed response; others pass unchanged. `instance` is the path without the prefix.
/// Below the registry's base it is a document of the registry's standard.
/// An answer to `HEAD` has the headers only.
pub fn render(mut response: Response, method: &Method, origin: &Origin, instance: &str, request_id: &str) -> Response {
    if response.extensions().get::<Foreign>().is_some() {
        return response;
    }
    let problem = match response.extensions_mut().remove::<Fault>() {
        Some(Fault(problem)) => problem,
        None => match unexplained(&response) {
            Some(code) => Arc::new(Problem::plain(code)),
            None => return response,
        },
    };
    let (document, content_type) = if ard::failure::speaks_for(instance) {
        let (status, failure) = ard::failure::document(&problem);
        *response.status_mut() = status;
        (serde_json::to_string(&failure).unwrap_or_default(), "application/json")
    } else {
        (problem.document(origin, instance, request_id).to_string(), "application/problem+json")
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.remove(CONTENT_LENGTH);
    if let Some(seconds) = problem.retry_after_s {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if problem.code.status() == 401 {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    *response.body_mut() = if method == Method::HEAD { Body::empty() } else { Body::from(document) };
    response
}

/// The code of a failure that the framework answered by itself: it has no content type of ours.
fn unexplained(response: &Response) -> Option<Code> {
    if response.headers().contains_key(CONTENT_TYPE) {
        return None;
    }
    match response.status() {
        StatusCode::NOT_FOUND => Some(Code::NotFound),
        StatusCode::METHOD_NOT_ALLOWED => Some(Code::MethodNotAllowed),
        StatusCode::PAYLOAD_TOO_LARGE => Some(Code::BodyTooLarge),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Some(Code::UnsupportedMediaType),
        status if status.is_client_error() => Some(Code::BadRequest),
        status if status.is_server_error() => Some(Code::InternalError),
        _ => None,
    }
}
