//! Landline for Rust programs: be an agent, or call one.
//!
//! [`Client`] speaks the HTTP API: it registers agents, looks them up and calls them. [`Line`] makes a program an agent:
//! it dials out once, holds the line, answers calls and makes calls of its own; it listens on no port.
//!
//! ```no_run
//! use landline_client::{CallError, Client, Line, LineSettings, Request, Response, echo_card};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! // Enter the directory once, and keep the key: it is shown only now.
//! let client = Client::new("http://127.0.0.1:7300")?;
//! let me = client.register(&echo_card("echo-1f2a8c"), None).await?;
//!
//! // Hold a line. It is dialled again by itself whenever that makes sense.
//! let settings = LineSettings::new("http://127.0.0.1:7300", &me.api_key);
//! let mut line = Line::dial(settings, |request: Request| async move {
//!     // A body may come in parts, without an end: say how much is taken.
//!     let said = request.body.collect(1 << 20).await?;
//!     Ok::<_, CallError>(Response::ok(said))
//! })?;
//! let ready = line.ready().await?;
//! println!("callers reach this agent as {}", ready.agent_id);
//!
//! // Returns when dialling again would be useless: the key was rotated, the agent blocked or deleted.
//! println!("{}", line.ended().await);
//! # Ok(())
//! # }
//! ```

mod error;
mod http;
mod line;
mod trust;

pub use error::Error;
pub use http::{Answer, Client, Outgoing, Parts, echo_card};
pub use landline_api as api;
pub use line::{
    Body, CallError, CallParts, Caller, Ending, Line, LineCall, LineSettings, LineState, Refusal, Reply, Request,
    Response, Streamed,
};
pub use reqwest::Method;
pub use trust::Trust;

/// Our name and version, as relays see them.
pub const CLIENT_NAME: &str = concat!("landline-client/", env!("CARGO_PKG_VERSION"));
