//! `landline call`: calls an agent; the answer goes to stdout, a refusal to stderr.

use std::io::{Read, Write};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use landline_client::{Client, Outgoing};

use super::ask::{self, Place};
use super::block_on;
use crate::args::CallArgs;
use crate::config::values;
use crate::files::Identity;
use crate::outcome::Outcome;

/// Calls; `Failed` if the agent itself answered with a status of 400 or above.
pub(super) fn run(args: CallArgs) -> Outcome {
    match block_on(call(&args)) {
        Ok(status) if status < 400 => Outcome::Done,
        Ok(status) => {
            eprintln!("landline: the agent answered with status {status}");
            Outcome::Failed
        }
        Err(error) => Outcome::Error(error),
    }
}

async fn call(args: &CallArgs) -> Result<u16> {
    let client = client(args)?;
    let outgoing = Outgoing {
        a2a_method: args.method.clone(),
        path: path(&args.path)?,
        timeout: timeout(args.timeout.as_deref())?,
        ..Outgoing::json(body(&args.body)?)
    };
    let agent = ask::agent(&client, &args.agent).await?;
    let mut stdout = std::io::stdout();
    if args.stream {
        let mut parts = client.call_parts(agent, outgoing).await.map_err(ask::describe)?;
        while let Some(part) = parts.next().await.map_err(ask::describe)? {
            stdout.write_all(&part)?;
            stdout.flush()?;
        }
        return Ok(parts.status);
    }
    let answer = client.call(agent, outgoing).await.map_err(ask::describe)?;
    stdout.write_all(&answer.body)?;
    if !answer.body.ends_with(b"\n") {
        stdout.write_all(b"\n")?;
    }
    stdout.flush()?;
    Ok(answer.status)
}

fn client(args: &CallArgs) -> Result<Client> {
    let client = Place::find(&args.ask)?.client()?;
    match (&args.identity, &args.key) {
        (Some(path), _) => {
            let identity = Identity::load(path)?.with_context(|| format!("there is no {}", path.display()))?;
            Ok(client.with_credential(identity.api_key))
        }
        (None, Some(key)) if !key.is_empty() => Ok(client.with_credential(key)),
        (None, _) => Ok(client),
    }
}

/// The body as given, from a file, or from stdin.
fn body(given: &str) -> Result<Vec<u8>> {
    match given.strip_prefix('@') {
        Some(path) => std::fs::read(path).with_context(|| path.to_owned()),
        None if given == "-" => {
            let mut bytes = Vec::new();
            std::io::stdin().lock().read_to_end(&mut bytes).context("stdin")?;
            Ok(bytes)
        }
        None => Ok(given.as_bytes().to_vec()),
    }
}

fn path(given: &str) -> Result<String> {
    if landline_wire::relay::is_path(given) {
        Ok(given.to_owned())
    } else {
        bail!("--path begins with / or ? and is visible ASCII")
    }
}

fn timeout(given: Option<&str>) -> Result<Option<Duration>> {
    let Some(given) = given else { return Ok(None) };
    let time = values::duration(given).filter(|time| !time.is_zero());
    time.map(Some).context("--timeout is a time such as 5s or 500ms")
}
