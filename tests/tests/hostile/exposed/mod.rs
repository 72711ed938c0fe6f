//! `landline expose` between hostile callers and a hostile server on its own machine.

mod answers;
mod recorder;
mod requests;

use landline_tests::server::{Data, Server};

use crate::program::Program;
use crate::raw::{self, All};
use crate::world::{Outcome, same};
use recorder::Recorder;

pub(crate) use answers::rows as answers;
pub(crate) use requests::rows as requests;

/// The path that the server is exposed at: nothing outside of it may be asked for.
const BASE: &str = "/base/v1";

struct World {
    relay: Server,
    local: Recorder,
    exposed: Program,
    _data: Data,
}

impl World {
    fn start(answers: Vec<&'static [u8]>) -> Self {
        let data = Data::new();
        let relay = Server::up(&data, &[]);
        let local = Recorder::start(answers);
        let identity = data.beside("identity.json").to_str().expect("UTF-8").to_owned();
        let target = format!("http://{}{BASE}", local.addr);
        let args = ["expose", &target, "--url", &relay.url, "--identity", &identity, "--name", "hostile", "--public"];
        let exposed = Program::exposed(&data, &args);
        local.forget();
        Self { relay, local, exposed, _data: data }
    }

    /// Sends a request, given by what follows the agent's id in its line and by what follows its line, and a good one
    /// behind it. What came back, without the good one's answer, which must be its own.
    fn ask(&self, verb: &str, path: &[u8], rest: &[u8]) -> Result<All, String> {
        let below = format!("/connect/relay/{}", self.exposed.id());
        let first = [format!("{verb} {below}").as_bytes(), path, b" HTTP/1.1\r\nhost: evil.example\r\n", rest].concat();
        let control = format!("GET {below}/control HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n");
        let mut all = raw::read(raw::send(self.relay.addr, &[&first, control.as_bytes()].concat()), verb == "HEAD")?;
        if all.is_cut || is_last(&all) {
            // The connection ended with the first answer: the good request comes over another.
            let alone = raw::read(raw::send(self.relay.addr, control.as_bytes()), false)?;
            is_control(&alone)?;
            return Ok(all);
        }
        is_control(&all)?;
        all.answers.pop();
        same("answers to one request", all.answers.len(), 1)?;
        Ok(all)
    }
}

fn is_last(all: &All) -> bool {
    all.answers.last().is_some_and(|answer| answer.all("connection") == ["close"] && answer.body != recorder::CONTROL)
}

/// The last answer is the one to the good request.
fn is_control(all: &All) -> Outcome {
    let last = all.answers.last().map(|answer| (answer.status, answer.body.as_slice()));
    same("the answer to the next call", (last, all.is_cut), (Some((200, recorder::CONTROL)), false))
}
