//! `landline expose` and `landline dial`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use landline_wire::ids::AgentId;

use super::Ask;

pub(super) const EXPOSE: &str = "\
The server stays as it is, on this machine, behind any NAT: this command holds a line to the
relay and carries every call to it: verb, path, query, headers and body unchanged, and the
answer back as it comes, event streams included. A caller that leaves ends its request here.

At the first start an agent is registered with the name, description, skills and capabilities
of the server's own card (/.well-known/agent-card.json or agent.json; it works without one), and
its id and API key are kept in the identity file (0600). A name that is taken gets a suffix.
Later starts use the identity again and bring the card and who may call up to date.

Who may call: any registered agent; with --allow those agents only; with --public anybody. The
relay enforces it. A path that could leave the URL is refused with 400.

The first line on stdout is `exposed AGENT_ID RELAY_URL`, once calls arrive. Calls are shown on
stderr: in a terminal as a live table, else one line each: time, caller, verb, path without its
query, status, milliseconds. SIGTERM or SIGINT: calls in flight may finish, exit 0.

Examples:
  landline expose http://127.0.0.1:9999
  landline expose http://127.0.0.1:9999 --name weather --public
  landline expose http://127.0.0.1:9999/a2a --url https://relay.example --allow AGENT_ID";

/// `landline expose`
#[derive(Debug, Args)]
pub struct ExposeArgs {
    /// Base URL of the server to expose.
    #[arg(value_name = "TARGET")]
    pub target: String,
    /// The agent's name; by default that of the server's card, else one made of TARGET.
    #[arg(long)]
    pub name: Option<String>,
    /// Identity file; by default one for each name or TARGET in ~/.local/state/landline.
    #[arg(long, value_name = "FILE")]
    pub identity: Option<PathBuf>,
    /// Only these agents may call.
    #[arg(long, value_name = "ID", num_args = 1.., conflicts_with = "public")]
    pub allow: Vec<AgentId>,
    /// Anybody may call, without a credential too.
    #[arg(long)]
    pub public: bool,
    /// Needed where registration is not open to everyone.
    #[arg(long, value_name = "TOKEN", env = "LANDLINE_REGISTRATION_TOKEN", hide_env_values = true)]
    pub registration_token: Option<String>,
    /// Where the server is.
    #[command(flatten)]
    pub ask: Ask,
}

pub(super) const DIAL: &str = "\
Programs on this machine use the port as if the agent ran here. Each request goes to the agent
with this identity's credential; the client's own Authorization reaches the agent, not the relay.
The agent's card, at /.well-known/agent-card.json, points at this port.

The port lends a credential, so no web page may use it: a Host that is not this port's own
loopback name, a foreign Origin and requests that a browser marks as coming from another site are
refused with 403, and --listen takes loopback addresses only.

A missing identity file is made by registering an agent. The first line on stdout is
`ready http://ADDR`.

Examples:
  landline dial weather --listen 127.0.0.1:9000
  curl http://127.0.0.1:9000/.well-known/agent-card.json
  landline dial AGENT_ID --listen 127.0.0.1:0 --url https://relay.example --identity ./me.json";

/// `landline dial`
#[derive(Debug, Args)]
pub struct DialArgs {
    /// The agent's id, or its name.
    pub agent: String,
    /// Loopback address and port to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9000")]
    pub listen: SocketAddr,
    /// Identity file of the calling agent; by default dial.json in ~/.local/state/landline.
    #[arg(long, value_name = "FILE")]
    pub identity: Option<PathBuf>,
    /// Needed where registration is not open to everyone.
    #[arg(long, value_name = "TOKEN", env = "LANDLINE_REGISTRATION_TOKEN", hide_env_values = true)]
    pub registration_token: Option<String>,
    /// Where the server is.
    #[command(flatten)]
    pub ask: Ask,
}
