//! What is shown of the calls: a live table in a terminal, else one line for each call at its end.
//!
//! A query may hold a caller's credential for the server, so it is never shown.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use landline_wire::ids::AgentId;
use time::OffsetDateTime;

/// Calls in the table.
const ROWS: usize = 12;
/// How often the table is drawn at most.
const REDRAW: Duration = Duration::from_millis(250);
/// Characters of a path in the table.
const PATH_CHARS: usize = 36;

/// Where calls are shown. Cheap to clone.
#[derive(Clone)]
pub(super) struct Board {
    /// `None`: not a terminal.
    table: Option<Arc<Mutex<Table>>>,
}

/// A call that is under way. Dropped before its end, it counts as left by its caller.
pub(super) struct Watched {
    board: Board,
    row: Row,
    number: u64,
    begun: Instant,
    over: bool,
}

#[derive(Clone)]
struct Row {
    at: String,
    caller: String,
    verb: String,
    path: String,
    status: Option<u16>,
    state: State,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Open,
    Done(Duration),
    Left(Duration),
}

struct Table {
    title: String,
    line: String,
    rows: VecDeque<(u64, Row)>,
    calls: u64,
    in_flight: u64,
    drawn: usize,
    stale: bool,
}

impl Board {
    /// Begins to show.
    pub(super) fn start(terminal: bool, title: String) -> Self {
        if !terminal {
            return Self { table: None };
        }
        let table =
            Table { title, line: String::new(), rows: VecDeque::new(), calls: 0, in_flight: 0, drawn: 0, stale: true };
        let table = Arc::new(Mutex::new(table));
        let drawing = Arc::downgrade(&table);
        tokio::spawn(async move {
            let mut tick = tokio::time::interval(REDRAW);
            loop {
                tick.tick().await;
                let Some(table) = drawing.upgrade() else { return };
                // Written under the lock: nothing may come between two tables.
                let mut table = locked(&table);
                if let Some(text) = table.redraw() {
                    let _ = std::io::stderr().write_all(text.as_bytes());
                }
            }
        });
        Self { table: Some(table) }
    }

    /// Says a line on stdout, above the table.
    #[allow(clippy::print_stdout, reason = "scripts wait for this line")]
    pub(super) fn announce(&self, text: &str) {
        let Some(table) = &self.table else { return println!("{text}") };
        let mut table = locked(table);
        if table.drawn > 0 {
            let _ = std::io::stderr().write_all(format!("\x1b[{}A\x1b[J", table.drawn).as_bytes());
        }
        println!("{text}");
        (table.drawn, table.stale) = (0, true);
    }

    /// What the line does.
    pub(super) fn line(&self, text: &str) {
        match &self.table {
            Some(table) => {
                let mut table = locked(table);
                table.line = text.to_owned();
                table.stale = true;
            }
            None => tracing::info!("line {text}"),
        }
    }

    /// A call arrived.
    pub(super) fn begin(&self, from: Option<AgentId>, verb: &str, path: &str) -> Watched {
        let path = match path.split('?').next().unwrap_or_default() {
            "" => "/",
            path => path,
        };
        let row = Row {
            at: clock(OffsetDateTime::now_utc()),
            caller: from.map_or_else(|| "anonymous".into(), |from| from.to_string()),
            verb: verb.to_owned(),
            path: path.to_owned(),
            status: None,
            state: State::Open,
        };
        let number = self.table.as_ref().map_or(0, |table| locked(table).add(&row));
        Watched { board: self.clone(), row, number, begun: Instant::now(), over: false }
    }
}

impl Watched {
    /// The status that the caller gets.
    pub(super) fn status(&mut self, status: u16) {
        self.row.status = Some(status);
        self.show();
    }

    /// The answer is complete, or will not be.
    pub(super) fn finished(&mut self) {
        self.end(State::Done(self.begun.elapsed()));
    }

    fn end(&mut self, state: State) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        self.row.state = state;
        self.show();
        if self.board.table.is_none() {
            // One write for each line, so that lines of several processes do not mix.
            let _ = std::io::stderr().write_all(format!("{}\n", self.row.full()).as_bytes());
        }
    }

    fn show(&self) {
        if let Some(table) = &self.board.table {
            locked(table).change(self.number, &self.row);
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.end(State::Left(self.begun.elapsed()));
    }
}

impl Row {
    fn status(&self) -> String {
        match (self.status, self.state) {
            (_, State::Left(_)) => "left".into(),
            (Some(status), _) => status.to_string(),
            (None, _) => "…".into(),
        }
    }

    fn ms(&self) -> String {
        match self.state {
            State::Open => String::new(),
            State::Done(time) | State::Left(time) => format!("{:.1}", time.as_secs_f64() * 1_000.0),
        }
    }

    /// For logs: every column whole.
    fn full(&self) -> String {
        format!("{} {} {} {} {} {} ms", self.at, self.caller, self.verb, self.path, self.status(), self.ms())
    }

    /// For the table: columns of fixed width.
    fn short(&self) -> String {
        let tail = |text: &str, most: usize| -> String { text.chars().take(most).collect() };
        let caller = self.caller.rsplit('-').next().unwrap_or_default();
        format!(
            "{:<8} {:<12} {:<7} {:<PATH_CHARS$} {:>4} {:>9}",
            tail(self.at.split('.').next().unwrap_or_default(), 8),
            tail(caller, 12),
            tail(&self.verb, 7),
            tail(&self.path, PATH_CHARS),
            self.status(),
            self.ms(),
        )
    }
}

impl Table {
    fn add(&mut self, row: &Row) -> u64 {
        self.calls += 1;
        self.in_flight += 1;
        self.rows.push_back((self.calls, row.clone()));
        if self.rows.len() > ROWS {
            self.rows.pop_front();
        }
        self.stale = true;
        self.calls
    }

    fn change(&mut self, number: u64, row: &Row) {
        if row.state != State::Open {
            self.in_flight -= 1;
        }
        if let Some((_, shown)) = self.rows.iter_mut().find(|(shown, _)| *shown == number) {
            *shown = row.clone();
        }
        self.stale = true;
    }

    /// The text that replaces what was drawn last, if there is something new.
    fn redraw(&mut self) -> Option<String> {
        if !std::mem::take(&mut self.stale) {
            return None;
        }
        let mut lines = vec![
            self.title.clone(),
            format!("line {}; {} calls, {} in flight", self.line, self.calls, self.in_flight),
            format!("{:<8} {:<12} {:<7} {:<PATH_CHARS$} {:>4} {:>9}", "UTC", "CALLER", "VERB", "PATH", "", "MS"),
        ];
        lines.extend(self.rows.iter().map(|(_, row)| row.short()));
        let mut text = String::new();
        if self.drawn > 0 {
            let _ = write!(text, "\x1b[{}A", self.drawn);
        }
        for line in &lines {
            let _ = writeln!(text, "\x1b[2K{line}");
        }
        self.drawn = lines.len();
        Some(text)
    }
}

fn clock(now: OffsetDateTime) -> String {
    format!("{:02}:{:02}:{:02}.{:03}", now.hour(), now.minute(), now.second(), now.millisecond())
}

fn locked(table: &Mutex<Table>) -> std::sync::MutexGuard<'_, Table> {
    table.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> (Board, Arc<Mutex<Table>>) {
        let table = Table {
            title: "t".into(),
            line: "up".into(),
            rows: VecDeque::new(),
            calls: 0,
            in_flight: 0,
            drawn: 0,
            stale: true,
        };
        let table = Arc::new(Mutex::new(table));
        (Board { table: Some(table.clone()) }, table)
    }

    #[test]
    fn a_call_shows_from_its_beginning_to_its_end_and_never_its_query() {
        let (board, table) = table();
        let mut call = board.begin(None, "GET", "/tasks?key=secret");
        let text = locked(&table).redraw().unwrap();
        assert!(text.contains("1 calls, 1 in flight") && text.contains("GET     /tasks ") && !text.contains("secret"));
        call.status(200);
        call.finished();
        drop(call);
        let text = locked(&table).redraw().unwrap();
        assert!(text.starts_with("\x1b[4A") && text.contains("0 in flight") && text.contains(" 200 "), "{text:?}");
        assert!(locked(&table).redraw().is_none(), "nothing new, nothing drawn");
        drop(board.begin(None, "POST", ""));
        assert!(locked(&table).redraw().unwrap().contains(" left "));
    }

    #[test]
    fn the_table_keeps_the_last_calls_only() {
        let (board, table) = table();
        let calls: Vec<_> = (0..ROWS + 5).map(|n| board.begin(None, "GET", &format!("/{n}"))).collect();
        let text = locked(&table).redraw().unwrap();
        assert_eq!(text.lines().count(), 3 + ROWS);
        assert!(!text.contains(" /4 ") && text.contains(" /5 "));
        drop(calls);
        assert_eq!(locked(&table).in_flight, 0);
    }
}
