//! Two private networks behind NAT, made of network namespaces.
//!
//! ```text
//! server's side 198.18.N.1 ── 198.18.N.2 [router: masquerade, drop what is unasked] ── 192.168.51.1 ── .2 left
//!                                                                                 └── 192.168.52.1 ── .2 right
//! ```
//! 198.18.0.0/15 is reserved for tests of networks (RFC 2544). Needs root, `ip` and `nft`.

use std::net::IpAddr;
use std::process::{Command, Output};

/// The networks; gone when dropped.
#[derive(Debug)]
pub struct Nat {
    tag: String,
    net: u8,
}

/// One side behind the NAT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// 192.168.51.2.
    Left,
    /// 192.168.52.2.
    Right,
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Self::Left => "l",
            Self::Right => "r",
        }
    }

    fn net(self) -> &'static str {
        match self {
            Self::Left => "192.168.51",
            Self::Right => "192.168.52",
        }
    }

    /// Its address in its private network.
    pub fn address(self) -> String {
        format!("{}.2", self.net())
    }
}

impl Nat {
    /// Builds the networks.
    ///
    /// # Panics
    /// Without root, `ip` or `nft`; the message says which command failed.
    pub fn build() -> Self {
        let pid = std::process::id();
        let nat = Self { tag: format!("ll{pid}"), net: (pid % 250) as u8 };
        nat.sh(&nat.script());
        nat
    }

    fn script(&self) -> String {
        let (tag, net) = (&self.tag, self.net);
        let mut script = format!(
            "ip netns add {tag}x
             ip link add name {tag}u type veth peer name outer netns {tag}x
             ip addr add 198.18.{net}.1/24 dev {tag}u
             ip link set {tag}u up
             ip -n {tag}x addr add 198.18.{net}.2/24 dev outer
             ip -n {tag}x link set outer up
             ip -n {tag}x link set lo up
             ip netns exec {tag}x sysctl -qw net.ipv4.ip_forward=1\n"
        );
        for side in [Side::Left, Side::Right] {
            let (name, private) = (side.name(), side.net());
            script.push_str(&format!(
                "ip netns add {tag}{name}
                 ip -n {tag}x link add name inner-{name} type veth peer name eth0 netns {tag}{name}
                 ip -n {tag}x addr add {private}.1/24 dev inner-{name}
                 ip -n {tag}x link set inner-{name} up
                 ip -n {tag}{name} addr add {private}.2/24 dev eth0
                 ip -n {tag}{name} link set eth0 up
                 ip -n {tag}{name} link set lo up
                 ip -n {tag}{name} route add default via {private}.1
                 ip route add {private}.0/24 via 198.18.{net}.2\n"
            ));
        }
        script.push_str(&format!(
            "ip netns exec {tag}x nft -f - <<'RULES'
table ip nat {{
  chain out {{
    type nat hook postrouting priority 100;
    oifname \"outer\" masquerade
  }}
}}
table inet filter {{
  chain forward {{
    type filter hook forward priority 0; policy drop;
    ct state established,related accept
    iifname {{ \"inner-l\", \"inner-r\" }} oifname \"outer\" accept
  }}
  chain input {{
    type filter hook input priority 0; policy drop;
    ct state established,related accept
    iifname \"lo\" accept
  }}
}}
RULES\n"
        ));
        script
    }

    /// The address that both sides reach the server by.
    pub fn server(&self) -> IpAddr {
        IpAddr::from([198, 18, self.net, 1])
    }

    /// A command inside a side's network.
    pub fn inside(&self, side: Side, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &format!("{}{}", self.tag, side.name()), program]);
        command
    }

    /// A command on the router.
    pub fn on_router(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &format!("{}x", self.tag), program]);
        command
    }

    /// Sockets that listen inside a side: TCP lines of `ss`, and UDP ones.
    ///
    /// # Panics
    /// If `ss` is missing.
    pub fn listening(&self, side: Side) -> String {
        let output = self.inside(side, "ss").args(["-H", "-l", "-n", "-t", "-u"]).output().expect("ss");
        assert!(output.status.success(), "ss: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn sh(&self, script: &str) {
        let output = shell(script);
        assert!(
            output.status.success(),
            "the networks need root, `ip` and `nft`: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

fn shell(script: &str) -> Output {
    Command::new("sh").args(["-euc", script]).output().expect("sh")
}

impl Drop for Nat {
    fn drop(&mut self) {
        let tag = &self.tag;
        let _ =
            shell(&format!("ip link del {tag}u || true; for name in l r x; do ip netns del {tag}$name || true; done"));
    }
}
