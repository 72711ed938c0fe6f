//! The real program, as an operator starts it: processes, data directories, signals, logs.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::http::{Request, once};
use crate::{tls, wait};

/// How long a start may take on a busy machine (an unoptimised build, two cores).
pub const START_LIMIT: Duration = Duration::from_secs(30);

/// The program under test: `LANDLINE_TEST_BIN`, else the one that the build put beside this test.
///
/// # Panics
/// If it was not built.
pub fn program() -> PathBuf {
    let path = match std::env::var_os("LANDLINE_TEST_BIN") {
        Some(path) => PathBuf::from(path),
        None => {
            let test = std::env::current_exe().expect("a test knows where it is");
            test.ancestors().nth(2).expect("target/<profile>/deps/test").join("landline")
        }
    };
    assert!(path.is_file(), "{} is missing: `cargo build -p landline` makes it", path.display());
    path
}

/// A command of the program, without settings inherited from this process's environment.
pub fn command(args: &[&str]) -> Command {
    let mut command = Command::new(program());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("LANDLINE_") {
            command.env_remove(name);
        }
    }
    if let Some(file) = tls::trusted_by_own_clients() {
        command.env("LANDLINE_CA", file);
    }
    command.args(args).stdin(Stdio::null());
    command
}

/// Runs a command of the program to its end.
///
/// # Panics
/// If it cannot be started or is not done within a minute.
#[track_caller]
pub fn run(args: &[&str]) -> Output {
    run_command(command(args), Duration::from_secs(60))
}

/// Runs a command to its end, killing it at the limit.
///
/// # Panics
/// If it cannot be started or is not done in time.
#[track_caller]
pub fn run_command(mut command: Command, limit: Duration) -> Output {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let out = drain(child.stdout.take().expect("piped"));
    let err = drain(child.stderr.take().expect("piped"));
    let status = wait_child(&mut child, limit).unwrap_or_else(|| {
        let _ = child.kill();
        panic!("{command:?} is not done after {limit:?}")
    });
    Output { status, stdout: out.join().expect("reader"), stderr: err.join().expect("reader") }
}

fn drain(mut pipe: impl Read + Send + 'static) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        bytes
    })
}

fn wait_child(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait().expect("our own child") {
            return Some(status);
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A free TCP and UDP port of loopback, for what must keep its address over a restart.
///
/// # Panics
/// If the machine has none.
pub fn free_port() -> u16 {
    wait::eventually(wait::SOON, "a free port", || {
        let tcp = TcpListener::bind("127.0.0.1:0").ok()?;
        let port = tcp.local_addr().ok()?.port();
        UdpSocket::bind(("127.0.0.1", port)).ok().map(|_| port)
    })
}

/// A data directory that outlives the process that uses it.
#[derive(Debug)]
pub struct Data(TempDir);

impl Default for Data {
    fn default() -> Self {
        Self::new()
    }
}

impl Data {
    /// A fresh one.
    ///
    /// # Panics
    /// If no temporary directory can be made.
    pub fn new() -> Self {
        Self(tempfile::Builder::new().prefix("landline-test-").tempdir().expect("a temporary directory"))
    }

    /// Its path. The program's own directory is `data` in it, beside the logs.
    pub fn path(&self) -> PathBuf {
        self.0.path().join("data")
    }

    /// The path as text.
    pub fn text(&self) -> String {
        self.path().to_str().expect("UTF-8").to_owned()
    }

    /// A place beside the program's directory.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// A running server: `up`, `exchange` or `switch`.
#[derive(Debug)]
pub struct Server {
    child: Child,
    log: PathBuf,
    /// What it said on stdout first: `ready http://ADDR` or https, without `ready`; empty if it has no listener.
    pub url: String,
    /// Where callers arrive.
    pub addr: SocketAddr,
    /// Its data directory.
    pub data: PathBuf,
    stdout: Mutex<mpsc::Receiver<String>>,
}

impl Server {
    /// `landline up` on a fresh port, without rate limits unless the arguments say otherwise. With `LANDLINE_TEST_TLS` set
    /// it is [`Server::up_secure`], so that the tests of everything else are run over TLS too.
    pub fn up(data: &Data, args: &[&str]) -> Self {
        if std::env::var_os("LANDLINE_TEST_TLS").is_some() && !args.iter().any(|arg| arg.starts_with("--tls")) {
            let server = Self::up_secure(data, args);
            tls::own_clients_trust(server.data.join("tls/certificate.pem"));
            return server;
        }
        let defaults = [["--listen", "127.0.0.1:0"], ["--rate-limits", "off"]];
        let unset = defaults.into_iter().filter(|default| !args.contains(&default[0])).flatten();
        let all: Vec<&str> = ["up"].into_iter().chain(unset).chain(args.iter().copied()).collect();
        Self::start(data, &all)
    }

    /// `landline up` with a certificate of its own, which the harness's clients trust from then on.
    ///
    /// # Panics
    /// If it does not become ready.
    pub fn up_secure(data: &Data, args: &[&str]) -> Self {
        let all: Vec<&str> = args.iter().copied().chain(["--tls-self-signed"]).collect();
        let server = Self::up(data, &all);
        let pem = fs::read_to_string(server.data.join("tls/certificate.pem")).expect("the certificate");
        tls::trust(server.addr, &pem);
        server
    }

    /// Starts a server command and waits for its `ready` line.
    ///
    /// # Panics
    /// If it does not become ready; the message holds its log.
    pub fn start(data: &Data, args: &[&str]) -> Self {
        Self::try_start(data, args).unwrap_or_else(|why| panic!("{why}"))
    }

    /// Starts a server command; the error says why it did not become ready and holds its log.
    ///
    /// # Errors
    /// It ended, or was not ready in time.
    ///
    /// # Panics
    /// If there is no program or no place for its log.
    pub fn try_start(data: &Data, args: &[&str]) -> Result<Self, String> {
        let text = data.text();
        let mut command = command(args);
        command.args(["--data", text.as_str()]);
        Self::spawn(command, data)
    }

    /// Starts a prepared command whose data directory is `data`.
    ///
    /// # Errors
    /// As [`Server::try_start`].
    ///
    /// # Panics
    /// As [`Server::try_start`].
    pub fn spawn(mut command: Command, data: &Data) -> Result<Self, String> {
        let number = fs::read_dir(data.0.path()).expect("our directory").count();
        let log = data.beside(&format!("log-{number}"));
        let stderr = File::create(&log).expect("a log file");
        let mut child = command.stdout(Stdio::piped()).stderr(stderr).spawn().expect("the program starts");
        let (send, stdout) = mpsc::channel();
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| send.send(line)));
        let first = stdout.recv_timeout(START_LIMIT);
        let url = first.ok().and_then(|line| line.strip_prefix("ready ").map(str::to_owned));
        let addr = url.as_deref().and_then(|url| url.split_once("://")).and_then(|(_, addr)| addr.parse().ok());
        match (url, addr) {
            (Some(url), Some(addr)) => {
                Ok(Self { child, log, url, addr, data: data.path(), stdout: Mutex::new(stdout) })
            }
            (url, _) => {
                let _ = child.kill();
                let status = child.wait();
                let log = fs::read_to_string(&log).unwrap_or_default();
                Err(format!("{command:?} is not ready (first line: {url:?}, {status:?}):\n{log}"))
            }
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything on stderr so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Where the log is.
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// What it said on stdout after its first line.
    ///
    /// # Panics
    /// If another reader of it panicked.
    pub fn more_stdout(&self) -> Vec<String> {
        self.stdout.lock().expect("no reader panicked").try_iter().collect()
    }

    /// `run.json`.
    ///
    /// # Panics
    /// If it is not there or no JSON.
    pub fn run_json(&self) -> Value {
        let text = fs::read(self.data.join("run.json")).expect("run.json");
        serde_json::from_slice(&text).expect("run.json is JSON")
    }

    /// An address in `run.json`, such as `admin` or `link`.
    ///
    /// # Panics
    /// If it is not there.
    pub fn address(&self, name: &str) -> SocketAddr {
        let run = self.run_json();
        let text = run[name].as_str().unwrap_or_else(|| panic!("no {name} in {run}"));
        text.trim_start_matches("http://").parse().unwrap_or_else(|_| panic!("{name} is no address: {run}"))
    }

    /// The admin token.
    ///
    /// # Panics
    /// If it is not there.
    pub fn admin_token(&self) -> String {
        fs::read_to_string(self.data.join("admin-token")).expect("admin-token").trim().to_owned()
    }

    /// A sample of its metrics page, by its name without labels.
    ///
    /// # Panics
    /// If the page has none.
    #[track_caller]
    pub fn metric(&self, name: &str) -> f64 {
        let page = once(self.address("admin"), &Request::get("/metrics")).expect(200).text();
        let sample = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let sample = sample.unwrap_or_else(|| panic!("no {name} on the metrics page"));
        sample.parse().unwrap_or_else(|_| panic!("{name} is no number: {sample}"))
    }

    /// The bytes that it has in memory.
    ///
    /// # Panics
    /// If the process is gone.
    pub fn resident_bytes(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("the process runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("the kernel says it");
        line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") << 10
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// `kill -TERM`.
    ///
    /// # Panics
    /// If the process is gone.
    pub fn terminate(&self) {
        let sent = Command::new("kill").args(["-TERM", &self.pid().to_string()]).status().expect("kill");
        assert!(sent.success(), "the process is gone:\n{}", self.log());
    }

    /// Waits for its end.
    pub fn exit(&mut self, limit: Duration) -> Option<ExitStatus> {
        wait_child(&mut self.child, limit)
    }

    /// SIGTERM, and it must leave with 0.
    ///
    /// # Panics
    /// If it does not.
    pub fn stop(mut self) {
        self.terminate();
        let status = self.exit(START_LIMIT).unwrap_or_else(|| panic!("still there after SIGTERM:\n{}", self.log()));
        assert!(status.success(), "{status}:\n{}", self.log());
    }

    /// No thread may have panicked.
    ///
    /// # Panics
    /// If one has.
    pub fn assert_no_panic(&self) {
        let log = self.log();
        assert!(!log.contains("panicked at"), "{log}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.log();
            let tail: Vec<&str> = log.lines().rev().take(60).collect();
            let tail: Vec<&str> = tail.into_iter().rev().collect();
            eprintln!("--- last lines of {}:\n{}\n---", self.log.display(), tail.join("\n"));
        }
    }
}

/// A command as a script starts it, in a mount namespace of its own.
fn scripted(script: &str, command: &Command) -> Command {
    let mut scripted = Command::new("unshare");
    scripted.args(["-m", "sh", "-c", script, "sh"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => scripted.env(name, value),
            None => scripted.env_remove(name),
        };
    }
    scripted.stdin(Stdio::null());
    scripted
}

/// The two planes in two processes, with ports that survive restarts.
#[derive(Debug)]
pub struct Planes {
    exchange_data: Data,
    switch_data: Data,
    link: String,
    listen: String,
    switch_env: Vec<(&'static str, String)>,
    /// Arguments that every start of the switch gets.
    pub switch_args: Vec<&'static str>,
    /// A shell script, run as root of mounts of its own, that ends with `exec "$@"`: the switch is started by it.
    pub switch_script: Option<String>,
    /// The exchange, while it runs.
    pub exchange: Option<Server>,
    /// The switch, while it runs.
    pub switch: Option<Server>,
}

impl Planes {
    /// Starts an exchange, makes a join token and starts a switch with it.
    ///
    /// # Panics
    /// If one of them does not become ready.
    pub fn start() -> Self {
        Self::start_with(Vec::new())
    }

    /// The same, with variables in the switch's environment.
    ///
    /// # Panics
    /// If one of them does not become ready.
    pub fn start_with(switch_env: Vec<(&'static str, String)>) -> Self {
        let mut planes = Self {
            exchange_data: Data::new(),
            switch_data: Data::new(),
            link: format!("127.0.0.1:{}", free_port()),
            listen: format!("127.0.0.1:{}", free_port()),
            switch_env,
            switch_args: Vec::new(),
            switch_script: None,
            exchange: None,
            switch: None,
        };
        planes.start_exchange();
        let made = run(&["node", "token", "--data", &planes.exchange_data.text()]);
        assert!(made.status.success(), "node token: {}", String::from_utf8_lossy(&made.stderr));
        let text = String::from_utf8_lossy(&made.stdout);
        let token = text.split_whitespace().find(|word| word.starts_with("lljoin_")).expect("a join token on stdout");
        let token = token.split('@').next().unwrap_or(token).to_owned();
        planes.start_switch(&["--join", &format!("{token}@{}", planes.link)]);
        planes
    }

    /// Starts the exchange, again or for the first time.
    ///
    /// # Panics
    /// If it does not become ready.
    pub fn start_exchange(&mut self) {
        let url = format!("http://{}", self.listen);
        let own = format!("127.0.0.1:{}", free_port());
        let args = ["exchange", "--link", &self.link, "--listen", &own, "--public-url", &url, "--rate-limits", "off"];
        self.exchange = Some(Server::start(&self.exchange_data, &args));
    }

    /// Starts the switch; without `--join` it uses the certificate it has.
    ///
    /// # Panics
    /// If it does not become ready.
    pub fn start_switch(&mut self, join: &[&str]) {
        let (listen, link) = (self.listen.clone(), self.link.clone());
        let mut args = vec!["switch", "--listen", listen.as_str()];
        if join.is_empty() {
            args.extend(["--exchange", link.as_str()]);
        }
        args.extend(join);
        let mut command = command(&args);
        if let Some(script) = &self.switch_script {
            command = scripted(script, &command);
        }
        command
            .args(["--data", &self.switch_data.text()])
            .args(&self.switch_args)
            .envs(self.switch_env.iter().cloned());
        self.switch = Some(Server::spawn(command, &self.switch_data).unwrap_or_else(|why| panic!("{why}")));
    }

    /// The switch's data directory.
    pub fn switch_data(&self) -> PathBuf {
        self.switch_data.path()
    }

    /// Where callers arrive.
    ///
    /// # Panics
    /// Never: the address was made here.
    pub fn addr(&self) -> SocketAddr {
        self.listen.parse().expect("an address")
    }
}
