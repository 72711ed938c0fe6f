//! The subjects of a run. Pure.
//!
//! | subject | what is sent there |
//! |---|---|
//! | `loadgen.RUN.N` | calls to subscriber N whose body is to come back |
//! | `loadgen.RUN.N.parts.COUNT.BYTES.GAP` | calls that are to be answered in parts: the call's path, with dots |
//! | `loadgen.RUN.N.credit.BYTES` | leave for so many more bytes of the answer whose inbox is the reply subject |
//! | `_INBOX.RUN.N.ID` | the answer to call ID of subscriber N, or its last part |
//! | `_INBOX.RUN.N.ID.more` | a part that others follow: NATS has no end of a stream of its own |

use crate::load::script::Wanted;

/// Where a subscriber is called. `name` is `RUN.N`.
pub fn of(name: &str) -> String {
    format!("loadgen.{name}")
}

/// Everything that a callee subscribes to.
pub fn of_callee(name: &str) -> [String; 2] {
    [of(name), format!("{}.>", of(name))]
}

/// Below which answers to a caller arrive.
pub fn inbox(name: &str) -> String {
    format!("_INBOX.{name}")
}

/// Where a call goes, for which `path` asks.
pub fn of_call(callee: &str, path: &str) -> String {
    format!("{callee}{}", path.replace('/', "."))
}

/// Where leave for more of an answer goes.
pub fn of_credit(callee: &str, bytes: usize) -> String {
    format!("{callee}.credit.{bytes}")
}

/// What a callee is told by the subject of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// A call.
    Call(Wanted),
    /// So many more bytes may be sent.
    Credit(usize),
}

impl Told {
    /// Reads it; `callee` is where it is called.
    pub fn parse(callee: &str, subject: &str) -> Option<Self> {
        let rest = subject.strip_prefix(callee)?;
        if rest.is_empty() {
            return Some(Self::Call(Wanted::Echo));
        }
        match rest.strip_prefix(".credit.") {
            Some(bytes) => bytes.parse().ok().map(Self::Credit),
            None => Wanted::parse(Some(&rest.replace('.', "/"))).map(Self::Call),
        }
    }
}

/// Which call an answer's subject names, and whether more parts follow.
pub fn of_answer(inbox: &str, subject: &str) -> Option<(u64, bool)> {
    let id = subject.strip_prefix(inbox)?.strip_prefix('.')?;
    let (id, more) = id.strip_suffix(".more").map_or((id, false), |id| (id, true));
    Some((id.parse().ok()?, more))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callee_reads_what_a_caller_wrote() {
        let callee = of("ab12.3");
        for wanted in [Wanted::Echo, Wanted::Parts { count: 64, bytes: 256, gap_ms: 5 }] {
            let subject = of_call(&callee, &wanted.path().unwrap_or_default());
            assert_eq!(Told::parse(&callee, &subject), Some(Told::Call(wanted)), "{subject}");
        }
        assert_eq!(Told::parse(&callee, &of_credit(&callee, 65_536)), Some(Told::Credit(65_536)));
        for bad in ["loadgen.ab12.4", "loadgen.ab12.3.credit.x", "loadgen.ab12.3.other", "loadgen.ab12.33"] {
            assert_eq!(Told::parse(&callee, bad), None, "{bad}");
        }
    }

    #[test]
    fn an_answer_names_its_call() {
        let inbox = inbox("ab12.3");
        assert_eq!(of_answer(&inbox, "_INBOX.ab12.3.7"), Some((7, false)));
        assert_eq!(of_answer(&inbox, "_INBOX.ab12.3.7.more"), Some((7, true)));
        for bad in ["_INBOX.ab12.3", "_INBOX.ab12.3.x", "_INBOX.ab12.37", "_INBOX.other.7"] {
            assert_eq!(of_answer(&inbox, bad), None, "{bad}");
        }
    }
}
