//! The commands and their help. Settings of the servers come from the table in [`crate::config::table`].

mod carry;
mod report;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::Flags;
use crate::config::table;
pub use carry::{DialArgs, ExposeArgs};
pub use report::{ReportArgs, ReportFormat};

/// Landline: agents dial out once and are reachable by id from then on.
#[derive(Debug, Parser)]
#[command(name = "landline", version, propagate_version = true, max_term_width = 100, after_help = START)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const START: &str = "\
Two commands for a first call, in two terminals:
  landline up                       a whole server on 127.0.0.1:7300
  landline agent echo               an agent that answers

Exit codes: 0 done, 1 failed, 2 wrong command line or settings, 3 no server reached,
130 ended by a second signal.
`landline help COMMAND` explains each command with examples.";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a whole server: exchange and switch in one process.
    #[command(after_help = UP)]
    Up(ServerArgs<{ table::UP }>),
    /// Run the control plane alone: directory, credentials, records; switches join it.
    #[command(after_help = EXCHANGE)]
    Exchange(ServerArgs<{ table::EXCHANGE }>),
    /// Run the data plane alone: holds lines and carries calls; joined to an exchange.
    #[command(after_help = SWITCH)]
    Switch(ServerArgs<{ table::SWITCH }>),
    /// The switches of a cluster: make join tokens, list, revoke.
    Node {
        /// What to do.
        #[command(subcommand)]
        command: NodeCommand,
    },
    /// Be an agent.
    Agent {
        /// Which agent.
        #[command(subcommand)]
        command: AgentCommand,
    },
    /// Make an HTTP server on this machine an agent that others reach through the relay.
    #[command(after_help = carry::EXPOSE)]
    Expose(ExposeArgs),
    /// Open a local port behind which an agent answers.
    #[command(after_help = carry::DIAL)]
    Dial(DialArgs),
    /// Call an agent and print its answer.
    #[command(after_help = CALL)]
    Call(CallArgs),
    /// Ask a running server how it is.
    #[command(after_help = STATUS)]
    Status(StatusArgs),
    /// Copy a server's database, secrets and certificates, also while it runs.
    #[command(after_help = BACKUP)]
    Backup(BackupArgs),
    /// Make a data directory from a backup.
    #[command(after_help = RESTORE)]
    Restore(RestoreArgs),
    /// Count the directory: an edition of the state report.
    #[command(after_help = report::REPORT)]
    Report(ReportArgs),
    /// The operator's word on agents and switches of a running server.
    Admin {
        /// Where the server is.
        #[command(flatten)]
        ask: Ask,
        /// What to do.
        #[command(subcommand)]
        command: AdminCommand,
    },
    /// Print a completion script for a shell.
    #[command(after_help = "Example:\n  landline completions bash > /etc/bash_completion.d/landline")]
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

/// A server's settings.
#[derive(Debug, Args)]
pub struct ServerArgs<const SCOPE: u8> {
    /// As flags.
    #[command(flatten)]
    pub flags: Flags<SCOPE>,
}

const UP: &str = "\
Every setting is a flag, an environment variable and a key of one TOML file; a flag wins over
the variable, the variable over the file. All mistakes are reported at once.

The first line on stdout is `ready http://ADDR`, once calls can be served; everything else goes
to stderr. DATA/run.json holds the actual addresses while the server runs. SIGTERM or SIGINT:
lines are asked to leave, calls in flight finish within the drain deadline, exit 0; a second
signal ends at once with 130.

Examples:
  landline up
  landline up --listen 0.0.0.0:7300 --public-url https://relay.example --registration token
  LANDLINE_DATABASE=postgres://landline@db/landline landline up
  landline up --listen 127.0.0.1:0 --data \"$(mktemp -d)\"     a throw-away server on a free port";

const EXCHANGE: &str = "\
It serves nothing to callers by itself unless --listen is given: switches pass requests on to
it over the link. `ready http://ADDR` on stdout names that listener, or else the admin address.

Examples:
  landline exchange --link 0.0.0.0:7301 --public-url https://relay.example
  landline node token               a token for a switch on another machine";

const SWITCH: &str = "\
The join token counts once; the certificate that it gives is kept in DATA/node and renewed over
the link. While the exchange is away, lines stay up and calls go on.

Examples:
  landline switch --join TOKEN@exchange.internal:7301 --listen 0.0.0.0:7300
  landline switch --exchange exchange.internal:7301          it has joined before";

/// `landline node …`
#[derive(Debug, Subcommand)]
pub enum NodeCommand {
    /// Make a join token for one new switch; printed on stdout.
    Token {
        /// How long it may be used, such as 15m or 1h (at most 1d).
        #[arg(long, value_name = "TIME", default_value = "15m")]
        ttl: String,
        /// Where the exchange's data is.
        #[command(flatten)]
        settings: ServerArgs<{ table::TOOL }>,
    },
    /// List the switches that ever joined.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
        /// Where the exchange's data is.
        #[command(flatten)]
        settings: ServerArgs<{ table::TOOL }>,
    },
    /// Revoke a switch's certificate for ever; a running exchange cuts its link within 10 s.
    Revoke {
        /// The switch's id.
        node: String,
        /// Where the exchange's data is.
        #[command(flatten)]
        settings: ServerArgs<{ table::TOOL }>,
    },
}

/// `landline agent …`
#[derive(Debug, Subcommand)]
pub enum AgentCommand {
    /// Answer every call with what it said: {"ack": true, "echo": BODY}.
    #[command(after_help = ECHO)]
    Echo(EchoArgs),
}

const ECHO: &str = "\
At its first start the agent is registered under NAME and six random digits, and its id and
API key are kept in the identity file (0600); later starts use it again.

Examples:
  landline agent echo
  landline agent echo --name alice --identity ./alice.json
  landline call --identity ./alice.json AGENT_ID '{\"hello\": \"from alice\"}'";

/// `landline agent echo`
#[derive(Debug, Args)]
pub struct EchoArgs {
    /// Beginning of the agent's name.
    #[arg(long, default_value = "echo")]
    pub name: String,
    /// Identity file; by default NAME.json in the user's state folder (~/.local/state/landline).
    #[arg(long, value_name = "FILE")]
    pub identity: Option<PathBuf>,
    /// Needed where registration is not open to everyone.
    #[arg(long, value_name = "TOKEN", env = "LANDLINE_REGISTRATION_TOKEN", hide_env_values = true)]
    pub registration_token: Option<String>,
    /// Where the server is.
    #[command(flatten)]
    pub ask: Ask,
}

/// Where the server is.
#[derive(Debug, Args, Clone)]
pub struct Ask {
    /// Base URL of the server; by default the one that runs on --data, else http://127.0.0.1:7300.
    #[arg(long, env = "LANDLINE_URL", hide_env_values = true, global = true)]
    pub url: Option<String>,
    /// Certificates (PEM) to trust besides the platform's; by default as the server on --data says.
    #[arg(long, value_name = "FILE", env = "LANDLINE_CA", hide_env_values = true, global = true)]
    pub ca: Option<PathBuf>,
    /// Data directory of a server on this machine.
    #[arg(
        long,
        value_name = "DIR",
        env = "LANDLINE_DATA",
        hide_env_values = true,
        default_value = "./landline-data",
        global = true
    )]
    pub data: PathBuf,
    /// Where the server's API begins; by default as the server on --data says, else /connect.
    #[arg(long, value_name = "PATH", env = "LANDLINE_PREFIX", hide_env_values = true, global = true)]
    pub prefix: Option<String>,
}

const CALL: &str = "\
The answer's body goes to stdout. A refusal is explained on stderr, with exit code 1; so is an
answer of the agent with a status of 400 or above, whose body still goes to stdout.

Without a credential the call is anonymous, which only public agents take.

Examples:
  landline call --identity ./bob.json AGENT_ID '{\"hello\": \"from bob\"}'
  landline call --identity ./bob.json alice-1f2a8c @question.json
  echo '{}' | LANDLINE_API_KEY=ll_... landline call AGENT_ID - --method message/send";

/// `landline call`
#[derive(Debug, Args)]
pub struct CallArgs {
    /// The agent's id, or its name.
    pub agent: String,
    /// The body; @FILE reads a file, - reads stdin.
    #[arg(default_value = "{}")]
    pub body: String,
    /// A2A method for the public record, such as message/send.
    #[arg(long)]
    pub method: Option<String>,
    /// Path for the agent, from / or ? on.
    #[arg(long, default_value = "")]
    pub path: String,
    /// Print the answer as it comes instead of whole.
    #[arg(long)]
    pub stream: bool,
    /// Wait at most so long for the answer's beginning, such as 5s (the server's own limit is 60s).
    #[arg(long, value_name = "TIME")]
    pub timeout: Option<String>,
    /// Identity file of the calling agent, as `landline agent echo` makes it.
    #[arg(long, value_name = "FILE", conflicts_with = "key")]
    pub identity: Option<PathBuf>,
    /// API key or token of the calling agent.
    #[arg(long, env = "LANDLINE_API_KEY", hide_env_values = true)]
    pub key: Option<String>,
    /// Where the server is.
    #[command(flatten)]
    pub ask: Ask,
}

const STATUS: &str = "\
Exit code 0: ready; 1: it runs and is not ready; 3: it cannot be reached.";

/// `landline status`
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// Where the server is.
    #[command(flatten)]
    pub ask: Ask,
}

const BACKUP: &str = "\
DIR must not exist or be empty. The copy holds secrets: keep it as safe as the data directory.

Examples:
  landline backup /backups/monday
  landline restore /backups/monday --data ./restored && landline up --data ./restored";

/// `landline backup`
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// Where the copy goes.
    pub dir: PathBuf,
    /// Where the data is.
    #[command(flatten)]
    pub settings: ServerArgs<{ table::TOOL }>,
}

const RESTORE: &str = "\
Every file is checked against the backup's manifest first. The data directory must not exist or
be empty. Switches that were linked to the lost server get everything anew.

Example:
  landline restore /backups/monday --data ./restored";

/// `landline restore`
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The backup.
    pub dir: PathBuf,
    /// Where the new data directory is made.
    #[arg(long, value_name = "NEW")]
    pub data: PathBuf,
}

/// `landline admin …`
#[derive(Debug, Subcommand)]
pub enum AdminCommand {
    /// Block an agent: its lines close (4010), its calls and calls to it are refused.
    Block {
        /// The agent's id.
        agent: String,
        /// Why, for the operator's record.
        #[arg(long, default_value = "blocked by the operator")]
        reason: String,
    },
    /// Lift a block.
    Unblock {
        /// The agent's id.
        agent: String,
    },
    /// Put an agent on the list of featured ones.
    Feature {
        /// The agent's id.
        agent: String,
    },
    /// Take it off.
    Unfeature {
        /// The agent's id.
        agent: String,
    },
    /// List the lines that are up.
    Sessions,
    /// Ask a switch to leave: its lines are told to dial elsewhere.
    Drain {
        /// The switch's id.
        node: String,
        /// How long calls in flight may take to finish.
        #[arg(long, value_name = "TIME", default_value = "25s")]
        deadline: String,
    },
}
