//! The network that nodes and Redis stand in: a namespace for each, so that packets between any two of them can be lost
//! one way or both, or be late, while viewers reach every node by a network of their own that nothing harms.
//!
//! All of it lies inside a namespace of the run's own (see [`enclosure`]), so runs do not see each other, nothing of the
//! machine is changed, and all of it goes when the run ends. Where that is not allowed everything is on the loopback,
//! and faults of the network are left out.

use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};

use super::schedule::{Way, Whom};

/// Named so in every namespace: the network of nodes and store, and that of viewers.
const BACK: &str = "back";
const FRONT: &str = "front";
/// How late packets on a slow link are, and by how much that varies.
const LATE: [&str; 2] = ["120ms", "60ms"];
/// Where the kernel cannot delay packets, a link this narrow makes them wait.
const NARROW: [&str; 6] = ["rate", "600kbit", "burst", "4kb", "latency", "400ms"];

/// How a process gets namespaces of its own: `unshare` with these arguments, and then its command line. An error says
/// why not.
///
/// # Errors
/// When this machine does not allow it.
pub fn enclosure() -> Result<Vec<&'static str>, String> {
    let own = ["--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"];
    let as_root = own.to_vec();
    let as_user = [&["--user", "--map-root-user"][..], &own].concat();
    let mut why = String::new();
    for arguments in [as_root, as_user] {
        // Making one network shows that `ip` is there and may do it.
        let tried =
            Command::new("unshare").args(&arguments).args(["ip", "link", "add", "try", "type", "veth"]).output();
        match tried {
            Ok(output) if output.status.success() => return Ok(arguments),
            Ok(output) => why = String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(error) => why = format!("unshare: {error}"),
        }
    }
    Err(why)
}

/// One machine of the network.
#[derive(Debug)]
pub struct Host {
    /// Where viewers and operators reach it.
    pub front: Ipv4Addr,
    /// Where other machines reach it.
    pub back: Ipv4Addr,
    /// Keeps the namespace while nothing else runs in it; `None` on the loopback.
    holder: Option<Child>,
    /// Its place in the network.
    number: u8,
}

/// All machines.
#[derive(Debug)]
pub struct World {
    /// Whether each has a namespace of its own.
    pub has_namespaces: bool,
}

impl World {
    /// A world whose machines have namespaces of their own, inside that of this process.
    ///
    /// # Errors
    /// When this process has no namespace of its own, or may not change it.
    pub fn enclosed() -> anyhow::Result<Self> {
        ip(&["link", "set", "lo", "up"])?;
        std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").context("forwarding between machines")?;
        // `libfaketime` names what it shares by process ids, which are the same in other runs' namespaces.
        quietly(Command::new("mount").args(["-t", "tmpfs", "tmpfs", "/dev/shm"]))?;
        Ok(Self { has_namespaces: true })
    }

    /// A world on the loopback.
    #[must_use]
    pub const fn loopback() -> Self {
        Self { has_namespaces: false }
    }

    /// Adds a machine under a number of its own, from 1.
    ///
    /// # Errors
    /// When the network cannot be made.
    pub fn host(&self, number: u8) -> anyhow::Result<Host> {
        if !self.has_namespaces {
            return Ok(Host { front: Ipv4Addr::LOCALHOST, back: Ipv4Addr::LOCALHOST, holder: None, number });
        }
        let holder = Command::new("unshare").args(["--net", "sleep", "infinity"]).stdin(Stdio::null()).spawn()?;
        let host = Host {
            front: Ipv4Addr::new(10, 80, number, 2),
            back: Ipv4Addr::new(10, 81, number, 2),
            holder: Some(holder),
            number,
        };
        host.wait_for_namespace()?;
        for (network, name) in [(80, FRONT), (81, BACK)] {
            let pid = host.pid().context("a namespace is kept")?.to_string();
            let outside = format!("{name}{number}");
            ip(&["link", "add", &outside, "type", "veth", "peer", "name", name, "netns", &pid])?;
            ip(&["addr", "add", &format!("10.{network}.{number}.1/24"), "dev", &outside])?;
            ip(&["link", "set", &outside, "up"])?;
            host.inside("ip", &["addr", "add", &format!("10.{network}.{number}.2/24"), "dev", name])?;
            host.inside("ip", &["link", "set", name, "up"])?;
        }
        host.inside("ip", &["link", "set", "lo", "up"])?;
        host.inside("ip", &["route", "add", "default", "via", &format!("10.81.{number}.1")])?;
        Ok(host)
    }
}

impl Host {
    fn pid(&self) -> Option<u32> {
        self.holder.as_ref().map(Child::id)
    }

    /// What a command line begins with to run here; empty on the loopback.
    #[must_use]
    pub fn prefix(&self) -> Vec<String> {
        self.pid().map(|pid| vec!["nsenter".to_owned(), format!("--net=/proc/{pid}/ns/net")]).unwrap_or_default()
    }

    fn inside(&self, program: &str, arguments: &[&str]) -> anyhow::Result<()> {
        let mut words = self.prefix();
        words.push(program.to_owned());
        words.extend(arguments.iter().map(ToString::to_string));
        quietly(Command::new(&words[0]).args(&words[1..]))
    }

    /// A fresh child shares its parent's namespace for a moment.
    fn wait_for_namespace(&self) -> anyhow::Result<()> {
        let own = std::fs::read_link("/proc/self/ns/net")?;
        let theirs = format!("/proc/{}/ns/net", self.pid().context("a namespace is kept")?);
        for _ in 0..500 {
            if std::fs::read_link(&theirs).is_ok_and(|namespace| namespace != own) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        anyhow::bail!("`unshare` has made no namespace in 5 s")
    }

    /// Loses what this host and another send each other, or one way of it, until told otherwise.
    fn lose_between(&self, other: &Self, way: Way, lose: bool) -> anyhow::Result<()> {
        let out = (self, other);
        let ways = match way {
            Way::Both => vec![out, (other, self)],
            Way::Out => vec![out],
            Way::In => vec![(other, self)],
        };
        for (from, to) in ways {
            let verb = if lose { "add" } else { "del" };
            // A rule that drops without a word: an unreachable route would tell the sender.
            let device = format!("{BACK}{}", from.number);
            // A place of its own among the rules: two hosts may be cut off from each other twice, each for its own time.
            let place = (100 + u32::from(self.number)).to_string();
            let to = to.back.to_string();
            ip(&["rule", verb, "pref", &place, "iif", &device, "to", &to, "blackhole"])?;
        }
        Ok(())
    }

    /// Cuts this host off from others, or ends that.
    ///
    /// # Errors
    /// When the network cannot be changed.
    pub fn cut(&self, others: &[&Self], way: Way, cut: bool) -> anyhow::Result<()> {
        others.iter().try_for_each(|other| self.lose_between(other, way, cut))
    }

    /// Makes the links between this host and the other machines slow; answers how.
    ///
    /// # Errors
    /// When the network cannot be changed.
    pub fn slow_down(&self) -> anyhow::Result<&'static str> {
        let outside = format!("{BACK}{}", self.number);
        let delay = [&["qdisc", "replace", "dev", &outside, "root", "netem", "delay"][..], &LATE].concat();
        let (how, discipline) = if quietly(Command::new("tc").args(&delay)).is_ok() {
            ("late packets", [&["netem", "delay"][..], &LATE].concat())
        } else {
            ("narrow links", [&["tbf"][..], &NARROW].concat())
        };
        let replace = |device| [&["qdisc", "replace", "dev", device, "root"][..], &discipline].concat();
        quietly(Command::new("tc").args(replace(&outside)))?;
        self.inside("tc", &replace(BACK))?;
        Ok(how)
    }

    /// Ends [`slow_down`](Self::slow_down).
    ///
    /// # Errors
    /// When the network cannot be changed.
    pub fn speed_up(&self) -> anyhow::Result<()> {
        quietly(Command::new("tc").args(["qdisc", "del", "dev", &format!("{BACK}{}", self.number), "root"]))?;
        self.inside("tc", &["qdisc", "del", "dev", BACK, "root"])
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(mut holder) = self.holder.take() {
            let _ = holder.kill();
            let _ = holder.wait();
        }
    }
}

/// The hosts that a node is cut off from.
#[must_use]
pub fn others<'a>(nodes: &'a [Host], store: &'a [Host], node: usize, whom: Whom) -> Vec<&'a Host> {
    let peers = nodes.iter().enumerate().filter(|(at, _)| *at != node).map(|(_, host)| host);
    match whom {
        Whom::All => peers.chain(store).collect(),
        Whom::Store => store.iter().collect(),
        Whom::Nodes => peers.collect(),
    }
}

fn ip(arguments: &[&str]) -> anyhow::Result<()> {
    quietly(Command::new("ip").args(arguments))
}

fn quietly(command: &mut Command) -> anyhow::Result<()> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}
