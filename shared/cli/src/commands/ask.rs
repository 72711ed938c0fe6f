//! How clients and operators find a running server, and how its refusals read.

use anyhow::{Context, Result, bail};
use landline_api::Page;
use landline_api::agents::Hit;
use landline_api::problem::ProblemDocument;
use landline_client::{Client, Error, Trust};
use landline_wire::ids::AgentId;

use crate::args::Ask;
use crate::outcome::NoServer;
use crate::server::data_dir::Run;

const DEFAULT_URL: &str = "http://127.0.0.1:7300";
const DEFAULT_PREFIX: &str = "/connect";

/// What is known of the server to ask.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// Base URL.
    pub(super) url: String,
    /// API prefix.
    pub(super) prefix: String,
    /// Whom to trust to be it.
    pub(super) trust: Trust,
    /// What it says of itself, if it runs on this machine.
    pub(super) run: Option<Run>,
}

impl Place {
    /// The server that was named, else the one on the data directory, else the default address.
    pub(super) fn find(ask: &Ask) -> Result<Self> {
        let run = match &ask.url {
            Some(_) => None,
            None => Run::load(&ask.data)?,
        };
        let prefix = ask.prefix.clone().or_else(|| run.as_ref().map(|run| run.prefix.clone()));
        let url = match (&ask.url, &run) {
            (Some(url), _) => url.trim_end_matches('/').to_owned(),
            (None, Some(Run { url: Some(url), .. })) => url.clone(),
            (None, Some(Run { command, .. })) if command == "exchange" => {
                bail!(NoServer("this exchange has no listener of its own: name a switch with --url".into()))
            }
            (None, _) => DEFAULT_URL.into(),
        };
        let ca = ask.ca.as_ref().or_else(|| run.as_ref()?.ca.as_ref());
        let trust = match ca {
            Some(path) => {
                let named = || format!("the certificates of {}", path.display());
                Trust::with_ca(&std::fs::read(path).with_context(named)?).with_context(named)?
            }
            None => Trust::platform(),
        };
        Ok(Self { url, prefix: prefix.unwrap_or_else(|| DEFAULT_PREFIX.into()), trust, run })
    }

    /// A client of it, without a credential.
    pub(super) fn client(&self) -> Result<Client> {
        Ok(Client::trusting(&self.url, &self.trust)?.with_prefix(&self.prefix))
    }

    /// A client with the operator's token: from `LANDLINE_ADMIN_TOKEN`, else from the data directory.
    pub(super) fn admin(&self, ask: &Ask) -> Result<Client> {
        let from_variable = std::env::var("LANDLINE_ADMIN_TOKEN").ok().filter(|token| !token.is_empty());
        let token = match from_variable {
            Some(token) => token,
            None => {
                let path = ask.data.join("admin-token");
                std::fs::read_to_string(&path).with_context(|| {
                    format!(
                        "the admin token is needed: {} cannot be read, and LANDLINE_ADMIN_TOKEN is not set",
                        path.display()
                    )
                })?
            }
        };
        Ok(self.client()?.with_credential(token.trim()))
    }
}

/// An agent by its id, or by its name.
pub(super) async fn agent(client: &Client, given: &str) -> Result<AgentId> {
    if let Ok(id) = given.parse() {
        return Ok(id);
    }
    let query: String = given
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect();
    let found: Page<Hit> = client.get(&format!("/v1/search?q={query}&limit=200")).await?;
    let exact = found.items.iter().find(|hit| hit.agent.name.eq_ignore_ascii_case(given));
    match exact {
        Some(hit) => Ok(hit.agent.id),
        None => {
            let near: Vec<&str> = found.items.iter().take(3).map(|hit| hit.agent.name.as_str()).collect();
            match near.as_slice() {
                [] => bail!("no agent has the id or name {given:?}"),
                near => bail!("no agent has the id or name {given:?}; there are {}", near.join(", ")),
            }
        }
    }
}

/// A refusal as text for people: what, what then, and where to read on.
pub(super) fn explain(problem: &ProblemDocument) -> String {
    let mut text = format!("{} ({})\n  {}", problem.title, problem.status, problem.detail);
    if let Some(field) = &problem.params_hint.field {
        text.push_str(&format!("\n  at fault: {field}"));
    }
    if !problem.suggestions.is_empty() {
        text.push_str(&format!("\n  these would pass: {}", problem.suggestions.join(", ")));
    }
    if let Some(seconds) = problem.retry_after_seconds {
        text.push_str(&format!("\n  try again in {seconds} s"));
    }
    if let Some(endpoint) = &problem.next_action.endpoint {
        text.push_str(&format!("\n  next: {} with {endpoint}", problem.next_action.kind.replace('_', " ")));
    }
    text.push_str(&format!("\n  code {}, request {}, see {}", problem.code, problem.request_id, problem.docs_url));
    text
}

/// An error as text for people, with the problem document spelled out.
pub(super) fn describe(error: Error) -> anyhow::Error {
    match error.problem() {
        Some(problem) => anyhow::anyhow!("{}", explain(problem)),
        None => error.into(),
    }
}
