//! The raw floor's two ends, as the processes that a benchmark starts.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// Killed when the test ends, however it ends.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn loadgen() -> Command {
    Command::new(env!("CARGO_BIN_EXE_landline-loadgen"))
}

#[test]
fn pairs_exchange_messages_over_the_raw_server_and_its_cpu_is_seen() {
    let child = loadgen().args(["raw-server", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut server = Server(child);
    let mut line = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let addr = line.trim().strip_prefix("ready ").expect("the first line is `ready ADDR`").to_owned();
    for (pairs, in_flight, size) in [("4", "1", "128"), ("2", "16", "16384")] {
        let pid = server.0.id().to_string();
        let output = loadgen()
            .args(["raw", "--addr", &addr, "--pairs", pairs, "--in-flight", in_flight, "--size", size])
            .args(["--warmup", "0.1", "--seconds", "0.4", "--threads", "2", "--json", "--server-pid", &pid])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let result: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(result["calls"].as_u64().unwrap() > 50, "{result}");
        assert_eq!(result["errors"], 0, "{result}");
        assert!(result["server_cpu_us_per_message"].is_f64() && result["p99_us"].as_u64() >= result["p50_us"].as_u64());
    }
}

#[test]
fn without_a_server_a_run_fails_and_says_where_it_looked() {
    let output = loadgen().args(["raw", "--addr", "127.0.0.1:1", "--seconds", "0.1"]).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("127.0.0.1:1"));
}
