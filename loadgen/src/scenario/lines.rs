//! Many silent lines: how they are opened and held, for `idle`, `storm` and `mixed`.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::ends::{End, Line, Role};
use crate::measure::Recorder;

/// Lines that one thread opens at the same time: below what a server takes from one address.
const OPENERS: usize = 48;

/// Does `open` for every one of a thread's lines, some at a time, and waits until all are done.
pub(super) async fn for_each<T, F>(lines: Vec<T>, open: impl Fn(T) -> F + 'static)
where
    T: 'static,
    F: Future<Output = ()> + 'static,
{
    let (lines, open) = (Rc::new(RefCell::new(lines.into_iter())), Rc::new(open));
    let openers: Vec<_> = (0..OPENERS)
        .map(|_| {
            let (lines, open) = (lines.clone(), open.clone());
            monoio::spawn(async move {
                loop {
                    let Some(line) = lines.borrow_mut().next() else { return };
                    open(line).await;
                }
            })
        })
        .collect();
    for opener in openers {
        opener.await;
    }
}

/// Dials a silent line. Of so many sources each has the same number of them.
pub(super) async fn dial(end: &End, line: usize, sources: usize) -> anyhow::Result<Line> {
    end.dial(Role::Silent, end.source(line % sources)).await
}

/// The lines of one thread, with their numbers.
pub(super) fn of_thread(ends: &[End], number: usize, threads: usize) -> Vec<(usize, End)> {
    super::share(ends.len(), number, threads).map(|line| (line, ends[line].clone())).collect()
}

/// Opens silent lines, each with its number, and keeps them. Gives how many are up, now and later.
pub(super) async fn hold(lines: Vec<(usize, End)>, sources: usize, recorder: &Recorder) -> Rc<Cell<usize>> {
    let up = Rc::new(Cell::new(0));
    let (counted, recorder) = (up.clone(), recorder.clone());
    for_each(lines, move |(number, end)| {
        let (up, recorder) = (counted.clone(), recorder.clone());
        async move {
            if recorder.window().is_over() {
                return;
            }
            match dial(&end, number, sources).await {
                Ok(line) => drop(monoio::spawn(stay(line, up, recorder))),
                Err(error) => recorder.failed_with("a dial", &error),
            }
        }
    })
    .await;
    up
}

async fn stay(mut line: Line, up: Rc<Cell<usize>>, recorder: Recorder) {
    up.set(up.get() + 1);
    recorder.lines(1);
    let error = match line.stay(|| recorder.count("heartbeats", 1)).await {
        Ok(ended) => anyhow::anyhow!("closed with {}", ended.code.unwrap_or(1005)),
        Err(error) => error,
    };
    recorder.failed_with("an idle line", &error);
    recorder.lines(-1);
    up.set(up.get() - 1);
}
