//! A real embeddings endpoint: a small model behind the API that the exchange speaks, in a process of its own.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use landline_controlplane::config::Embeddings;

/// The Python that has the model's package; `tests/run` makes it.
const PYTHON: &str = "LANDLINE_TEST_EMBEDDINGS_PYTHON";

/// The endpoint; ends with this value.
pub(crate) struct Model {
    process: Child,
    url: String,
}

impl Model {
    /// Starts it and waits until it serves.
    pub(crate) fn start() -> Self {
        let python = std::env::var(PYTHON).unwrap_or_else(|_| {
            panic!("{PYTHON} must name a Python with tests/embeddings/requirements.txt: tests/run makes one")
        });
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/embeddings/server.py");
        let mut process =
            Command::new(python).args([script, "0"]).stdout(Stdio::piped()).spawn().expect("the endpoint starts");
        let mut url = String::new();
        let stdout = process.stdout.take().expect("its output");
        BufReader::new(stdout).read_line(&mut url).expect("its URL");
        assert!(url.starts_with("http://127.0.0.1:"), "the endpoint did not start: {url:?}");
        Self { process, url: url.trim().to_owned() }
    }

    /// As the settings name it.
    pub(crate) fn settings(&self) -> Embeddings {
        Embeddings { url: self.url.clone(), model: "l2_supercat_256".into(), key: None }
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
