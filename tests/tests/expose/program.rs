//! `landline expose` and `landline dial`, as a user starts them.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::mpsc;

use landline_tests::server::{Data, START_LIMIT, command};

/// A running program that said its first line.
pub(crate) struct Program {
    child: Child,
    log: PathBuf,
    /// The words of its first line on stdout.
    pub(crate) said: Vec<String>,
}

impl Program {
    /// Starts it; `Err` holds its log if it ended instead.
    pub(crate) fn try_start(data: &Data, args: &[&str]) -> Result<Self, String> {
        let folder = data.beside("programs");
        fs::create_dir_all(&folder).expect("our directory");
        let log = folder.join(format!("log-{}", fs::read_dir(&folder).expect("our directory").count()));
        let stderr = File::create(&log).expect("a log file");
        let mut child = command(args).stdout(Stdio::piped()).stderr(stderr).spawn().expect("the program starts");
        let stdout = child.stdout.take().expect("piped");
        let (send, lines) = mpsc::channel();
        std::thread::spawn(move || {
            BufReader::new(stdout).lines().map_while(Result::ok).try_for_each(|line| send.send(line))
        });
        match lines.recv_timeout(START_LIMIT) {
            Ok(line) => {
                let said = line.split(' ').map(str::to_owned).collect();
                Ok(Self { child, log, said })
            }
            Err(_) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(fs::read_to_string(&log).unwrap_or_default())
            }
        }
    }

    pub(crate) fn start(data: &Data, args: &[&str]) -> Self {
        Self::try_start(data, args).unwrap_or_else(|log| panic!("{args:?} says nothing on stdout:\n{log}"))
    }

    /// `exposed AGENT_ID RELAY_URL`
    pub(crate) fn exposed(data: &Data, args: &[&str]) -> Self {
        let program = Self::start(data, args);
        assert_eq!((program.said[0].as_str(), program.said.len()), ("exposed", 3), "{:?}", program.said);
        assert!(program.said[2].ends_with(&format!("/connect/relay/{}", program.said[1])), "{:?}", program.said);
        program
    }

    /// The agent's id.
    pub(crate) fn id(&self) -> &str {
        &self.said[1]
    }

    /// `ready http://ADDR`
    pub(crate) fn dialled(data: &Data, args: &[&str]) -> (Self, SocketAddr) {
        let program = Self::start(data, args);
        assert_eq!(program.said[0], "ready", "{:?}", program.said);
        let addr = program.said[1].strip_prefix("http://").expect("a URL").parse().expect("an address");
        (program, addr)
    }

    /// The most memory that it has held so far.
    pub(crate) fn peak_bytes(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("our own child");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the kernel counts it");
        line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") << 10
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// SIGTERM; it must end with 0.
    pub(crate) fn stop(mut self) {
        let pid = self.child.id().to_string();
        assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().expect("kill").success());
        let status = landline_tests::wait::eventually(START_LIMIT, "its end", || self.child.try_wait().expect("ours"));
        assert!(status.success(), "{status}:\n{}", self.log());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- {:?}:\n{}\n---", self.said, self.log());
        }
    }
}
