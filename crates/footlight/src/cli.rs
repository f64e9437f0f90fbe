//! The command line, as types.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Runs real-time talking-avatar sessions and charges them, to the frame, in credits per active minute.
#[derive(Debug, Parser)]
#[command(name = "footlight", version, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 failed; 2 wrong usage or settings; 3 not enough credits; 4 the node or store cannot be
reached; 5 the audit does not balance, or stores are not equal; 6 refused: nothing was changed.";

const MIGRATE_HELP: &str = "\
Stop every node and command on both stores first, and end all sessions: otherwise it refuses. The source is only read. Killed
or cut off in the middle, the same command goes on; until it has verified everything no node starts on the target.

Moved: accounts with tabs, named operations, job holds, journal and checkpoint; API secrets; session records; records of
every collection; blobs. Not moved: idempotency keys, progress of running sessions, session records that the target would
have removed by now.

Exit codes: 0 moved, and verified to be equal; 1 failed; 2 wrong usage or settings; 4 a store cannot be reached: run it
again; 5 the stores are not equal, or the books do not balance; 6 refused: nothing was changed.";

/// Flags that every command takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Global {
    /// A settings file; may be given more than once, later ones win.
    #[arg(long, short, global = true, value_name = "FILE")]
    pub(crate) config: Vec<PathBuf>,
    /// Where credits and sessions are kept: sqlite:, redis://…
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) store: Option<String>,
    /// The node's data directory.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Print data as JSON, for machines.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show it all: three sessions speak, one runs out of credits and is topped up; ends with the bill and the audit.
    Demo(Demo),
    /// Run a node.
    Serve(Serve),
    /// Make a video of an avatar speaking an audio file.
    Render(Render),
    /// Print the face's weights for an audio file, one line a frame.
    Animate(Animate),
    /// Open, list, watch, move and stop sessions of running nodes.
    #[command(subcommand)]
    Session(Session),
    /// List nodes, empty one, and take it back.
    #[command(subcommand)]
    Node(Node),
    /// Watch nodes, sessions, what they cost a minute and how late the meter is, live.
    Top(Top),
    /// Open accounts, give credits, see balances and journals, through a running node's admin API.
    #[command(subcommand)]
    Account(Account),
    /// Upload, list and remove avatars of an account's own, or have one made from a portrait.
    #[command(subcommand)]
    Avatar(Avatar),
    /// Ask for one-time work, follow and cancel it.
    #[command(subcommand)]
    Job(Job),
    /// Check that every credit ever granted is available, held, spent, expired or voided: in the store, or by asking the node
    /// that has it in use.
    Audit(Audit),
    /// Move everything from one store to another, and verify that it is equal.
    Migrate(Migrate),
    /// Measure this machine.
    #[command(subcommand)]
    Bench(Bench),
    /// Print every setting and where it came from.
    Config,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Where the videos go.
    #[arg(long, short, default_value = "footlight-demo", value_name = "DIR")]
    pub(crate) output: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Where services talk to the node.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,
    /// Where operators and Prometheus talk to the node.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) admin_listen: Option<String>,
    /// The node's name.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// What draws the avatar.
    #[arg(long, value_enum)]
    pub(crate) renderer: Option<RendererChoice>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum RendererChoice {
    /// The CPU renderer.
    Essence,
    /// Draws nothing.
    Null,
}

#[derive(Debug, Args)]
pub(crate) struct Render {
    /// Speech: WAV, FLAC, MP3 or Ogg.
    pub(crate) audio: PathBuf,
    /// The video to write.
    #[arg(long, short, value_name = "OUT.mp4")]
    pub(crate) output: PathBuf,
    /// An avatar's name, or the path of a bundle.
    #[arg(long, default_value = "ada")]
    pub(crate) avatar: String,
    #[command(flatten)]
    pub(crate) picture: Picture,
    #[command(flatten)]
    pub(crate) metering: Metering,
}

/// How an engine of one's own is metered.
#[derive(Debug, Args)]
pub(crate) struct Metering {
    /// Charges the frames to an account at this node, as the self-hosted product. The video ends at the frame where the
    /// credits do, with exit code 3. FOOTLIGHT_UNMETERED=1 renders without asking anybody, for development.
    #[arg(long, value_name = "URL")]
    pub(crate) metered: Option<String>,
    /// The account's API secret.
    #[arg(long, env = "FOOTLIGHT_API_SECRET", hide_env_values = true, requires = "metered")]
    pub(crate) api_secret: Option<String>,
    /// Where usage is kept until it is settled; `engine` in the data directory unless named.
    #[arg(long, value_name = "DIR", requires = "metered")]
    pub(crate) state_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Picture {
    /// Frames a second: 20, 25, 30 or 50.
    #[arg(long, default_value_t = 25)]
    pub(crate) fps: u32,
    /// Width in pixels; even, 64 to 1920.
    #[arg(long, default_value_t = 512)]
    pub(crate) width: u32,
    /// Height in pixels; even, 64 to 1920.
    #[arg(long, default_value_t = 512)]
    pub(crate) height: u32,
}

#[derive(Debug, Args)]
pub(crate) struct Animate {
    /// Speech: WAV, FLAC, MP3 or Ogg.
    pub(crate) audio: PathBuf,
    /// Frames a second: 20, 25, 30 or 50.
    #[arg(long, default_value_t = 25)]
    pub(crate) fps: u32,
}

/// How to reach a node as a customer of it.
#[derive(Debug, Clone, Args)]
pub(crate) struct Customer {
    /// The node's address.
    #[arg(long, env = "FOOTLIGHT_URL", default_value = "http://127.0.0.1:8080")]
    pub(crate) url: String,
    /// The account's API secret.
    #[arg(long, env = "FOOTLIGHT_API_SECRET", hide_env_values = true)]
    pub(crate) api_secret: String,
}

/// How to reach a node as its operator.
#[derive(Debug, Clone, Args)]
pub(crate) struct Operator {
    /// The node's admin address.
    #[arg(long, env = "FOOTLIGHT_ADMIN_URL", default_value = "http://127.0.0.1:9090")]
    pub(crate) admin_url: String,
    /// The operators' token.
    #[arg(long, env = "FOOTLIGHT_ADMIN_TOKEN", hide_env_values = true)]
    pub(crate) admin_token: String,
}

/// The same, for commands that need no operator in every case.
#[derive(Debug, Clone, Args)]
pub(crate) struct MaybeOperator {
    /// The node's admin address.
    #[arg(long, env = "FOOTLIGHT_ADMIN_URL", default_value = "http://127.0.0.1:9090")]
    admin_url: String,
    /// The operators' token.
    #[arg(long, env = "FOOTLIGHT_ADMIN_TOKEN", hide_env_values = true)]
    admin_token: Option<String>,
}

impl MaybeOperator {
    /// The operator, if a token was given.
    pub(crate) fn given(self) -> Option<Operator> {
        let Self { admin_url, admin_token } = self;
        admin_token.map(|admin_token| Operator { admin_url, admin_token })
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Session {
    /// Open a session.
    Create {
        #[command(flatten)]
        customer: Customer,
        /// The avatar's name.
        #[arg(long, default_value = "ada")]
        avatar: String,
        #[command(flatten)]
        picture: Picture,
    },
    /// List the account's sessions, or those of all accounts, newest first.
    List(ListSessions),
    /// Show one session.
    Show {
        #[command(flatten)]
        customer: Customer,
        /// `ses_…`
        id: String,
    },
    /// Send it an audio file to speak, and save what it sends back while it does; stays with it when it changes nodes.
    Speak {
        #[command(flatten)]
        customer: Customer,
        /// `ses_…`
        id: String,
        /// Speech: WAV, FLAC, MP3 or Ogg.
        audio: PathBuf,
        /// Save the video here.
        #[arg(long, short, value_name = "OUT.mp4")]
        output: Option<PathBuf>,
    },
    /// Pause it.
    Pause {
        #[command(flatten)]
        customer: Customer,
        /// `ses_…`
        id: String,
    },
    /// Take back a pause.
    Resume {
        #[command(flatten)]
        customer: Customer,
        /// `ses_…`
        id: String,
    },
    /// Stop what it is saying, at once.
    Interrupt {
        #[command(flatten)]
        customer: Customer,
        /// `ses_…`
        id: String,
    },
    /// Let it make a gesture of its avatar: `nod`.
    Gesture {
        #[command(flatten)]
        customer: Customer,
        /// `ses_…`
        id: String,
        /// One of the avatar's gestures; an unknown one is answered with those there are.
        gesture: String,
    },
    /// Move it to another node, as its operator: it goes on there as it stands.
    Migrate {
        #[command(flatten)]
        operator: Operator,
        /// `ses_…`
        id: String,
        /// The node's name; the one with most room, unless named.
        #[arg(long, value_name = "NODE")]
        to: Option<String>,
    },
    /// End it.
    Stop {
        #[command(flatten)]
        customer: Customer,
        /// `ses_…`
        id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ListSessions {
    /// Those of all accounts, on all nodes, as their operator.
    #[arg(long, requires = "admin_token")]
    pub(crate) all: bool,
    /// Only those in this state: starting, running, idle, paused, ended.
    #[arg(long)]
    pub(crate) state: Option<String>,
    /// The node's address.
    #[arg(long, env = "FOOTLIGHT_URL", default_value = "http://127.0.0.1:8080")]
    pub(crate) url: String,
    /// The account's API secret.
    #[arg(long, env = "FOOTLIGHT_API_SECRET", hide_env_values = true, required_unless_present = "all")]
    pub(crate) api_secret: Option<String>,
    #[command(flatten)]
    pub(crate) operator: MaybeOperator,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Node {
    /// List the nodes, how full they are and how long their leases last.
    List {
        #[command(flatten)]
        operator: Operator,
    },
    /// Show one node.
    Show {
        #[command(flatten)]
        operator: Operator,
        /// The node's name.
        name: String,
    },
    /// Empty a node: it takes nothing new until it is undrained. Ends when it is empty, or with 1 at the deadline.
    Drain {
        #[command(flatten)]
        operator: Operator,
        /// The node's name.
        name: String,
        /// What becomes of its sessions.
        #[arg(long, value_enum, default_value_t = DrainMode::Wait)]
        mode: DrainMode,
        /// How long to go on trying: 90s, 10m.
        #[arg(long, default_value = "10m", value_parser = humantime::parse_duration)]
        deadline: Duration,
    },
    /// Let it take sessions again.
    Undrain {
        #[command(flatten)]
        operator: Operator,
        /// The node's name.
        name: String,
    },
    /// Give a lost node up: its sessions are taken over even while most nodes look lost. Be sure that it is gone.
    GiveUp {
        #[command(flatten)]
        operator: Operator,
        /// The node's name.
        name: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DrainMode {
    /// Lets speech end; sessions stay, paused.
    Wait,
    /// Moves sessions to other nodes, as they stand.
    Migrate,
}

#[derive(Debug, Args)]
pub(crate) struct Top {
    #[command(flatten)]
    pub(crate) operator: Operator,
    /// How often to look, in seconds.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub(crate) every: u64,
    /// Look once and end, as where the output is no terminal.
    #[arg(long)]
    pub(crate) once: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Avatar {
    /// List the avatars that the account can show.
    List {
        #[command(flatten)]
        customer: Customer,
    },
    /// Upload a bundle; it gets the name that its manifest says.
    Upload {
        #[command(flatten)]
        customer: Customer,
        /// The bundle: a zip.
        bundle: PathBuf,
        /// Let it take the place of another of the same name.
        #[arg(long)]
        replace: bool,
    },
    /// Have one made from a portrait, as a job of the kind `agent`, and wait for it.
    Make {
        #[command(flatten)]
        customer: Customer,
        /// The portrait: PNG or JPEG, a face that looks at the camera with its mouth closed.
        picture: PathBuf,
        /// Where the features of the face lie: `{"scheme": "ibug68", "points": [[x, y], …]}`.
        #[arg(long, value_name = "FILE.json")]
        landmarks: PathBuf,
        /// The avatar's name: lower-case letters, digits and hyphens.
        #[arg(long)]
        name: String,
        /// Its name for people.
        #[arg(long)]
        title: Option<String>,
        /// The licence of the portrait, as an SPDX expression.
        #[arg(long)]
        licence: Option<String>,
        /// Let it take the place of another of the same name.
        #[arg(long)]
        replace: bool,
        /// Save its preview here.
        #[arg(long, value_name = "OUT.png")]
        preview: Option<PathBuf>,
    },
    /// Have gestures added to one, as a job of the kind `dynamics`, and wait for it.
    Enliven {
        #[command(flatten)]
        customer: Customer,
        /// The avatar.
        avatar: String,
        /// What to call the result; without it, the avatar is replaced.
        #[arg(long)]
        name: Option<String>,
        /// Save its preview here.
        #[arg(long, value_name = "OUT.png")]
        preview: Option<PathBuf>,
    },
    /// Remove one of the account's own.
    Remove {
        #[command(flatten)]
        customer: Customer,
        /// Its name.
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Job {
    /// Ask for a job; with --wait, follow it to its end.
    Create {
        #[command(flatten)]
        customer: Customer,
        /// What is to be done.
        #[arg(value_parser = ["agent", "dynamics", "book"])]
        kind: String,
        /// What the work needs: a JSON object.
        #[arg(long, default_value = "{}", value_name = "JSON")]
        input: String,
        /// Follow it to its end.
        #[arg(long)]
        wait: bool,
    },
    /// List the account's jobs, newest first.
    List {
        #[command(flatten)]
        customer: Customer,
    },
    /// Show one job.
    Show {
        #[command(flatten)]
        customer: Customer,
        /// `job_…`
        id: String,
    },
    /// Follow a job to its end.
    Watch {
        #[command(flatten)]
        customer: Customer,
        /// `job_…`
        id: String,
    },
    /// End it; what was set aside for it is given back.
    Cancel {
        #[command(flatten)]
        customer: Customer,
        /// `job_…`
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Account {
    /// Open an account; its API secret is shown once.
    Open {
        #[command(flatten)]
        operator: Operator,
        /// A plan of the settings; without one the account starts with nothing.
        #[arg(long)]
        plan: Option<String>,
    },
    /// List accounts.
    List {
        #[command(flatten)]
        operator: Operator,
    },
    /// Show an account's balance, holds and limits.
    Show {
        #[command(flatten)]
        operator: Operator,
        /// `acc_…`
        id: String,
    },
    /// Give an account credits.
    Grant {
        #[command(flatten)]
        operator: Operator,
        /// `acc_…`
        id: String,
        /// How many, with at most six decimals.
        credits: String,
        /// Bought credits never expire; promo credits may.
        #[arg(long, default_value = "top_up", value_parser = ["top_up", "promo"])]
        kind: String,
        /// A name for this grant: the same name is never credited twice.
        #[arg(long)]
        name: Option<String>,
    },
    /// Pause all its sessions at their next heartbeat, and start none.
    Suspend {
        #[command(flatten)]
        operator: Operator,
        /// `acc_…`
        id: String,
    },
    /// Take back a suspension.
    Resume {
        #[command(flatten)]
        operator: Operator,
        /// `acc_…`
        id: String,
    },
    /// Close it for ever.
    Close {
        #[command(flatten)]
        operator: Operator,
        /// `acc_…`
        id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Audit {
    /// Only this account: `acc_…`
    #[arg(long)]
    pub(crate) account: Option<String>,
    #[command(flatten)]
    pub(crate) operator: MaybeOperator,
}

#[derive(Debug, Args)]
#[command(after_help = MIGRATE_HELP)]
pub(crate) struct Migrate {
    /// The store to move from: sqlite: (in --data-dir), sqlite:/some/directory, redis://…
    #[arg(long, value_name = "STORE", env = "FOOTLIGHT_MIGRATE_FROM", hide_env_values = true)]
    pub(crate) from: String,
    /// The store to move to: empty, or what an earlier run has moved.
    #[arg(long, value_name = "STORE", env = "FOOTLIGHT_MIGRATE_TO", hide_env_values = true)]
    pub(crate) to: String,
    /// Look at both, say what would be moved or why not, and write nothing.
    #[arg(long, conflicts_with = "verify_only")]
    pub(crate) dry_run: bool,
    /// Compare both byte by byte, audit both, and write nothing.
    #[arg(long)]
    pub(crate) verify_only: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// The largest number of clean streams this machine makes, and what each stage costs.
    Streams {
        /// How long each step runs, in seconds.
        #[arg(long, default_value_t = 30)]
        seconds: u64,
        /// Threads that render and encode; 0: all cores but one, which makes the load.
        #[arg(long, default_value_t = 0)]
        workers: usize,
    },
    /// Metered sessions without pictures: memory, heartbeat lag, settled heartbeats against the bare store.
    Meter {
        /// Sessions that live at the same time.
        #[arg(long, default_value_t = 100_000)]
        sessions: usize,
        /// Accounts that they are spread over.
        #[arg(long, default_value_t = 1_000)]
        accounts: usize,
        /// Meters that they are spread over, each with a desk of its own, as on so many nodes; above 1 on Redis alone.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=100))]
        nodes: u16,
        /// How long it runs, in seconds; heartbeats come once a `metering.heartbeat`.
        #[arg(long, default_value_t = 90)]
        seconds: u64,
    },
    /// How fast sessions find their places among many nodes, and whether any node is ever overfull; against the bare store.
    Placement {
        /// Nodes that are started, each a process without pictures.
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=100))]
        nodes: u16,
        /// Sessions that are created; there is room for 19 of 20.
        #[arg(long, default_value_t = 10_000)]
        creates: usize,
        /// How many are created at once.
        #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1_000))]
        at_once: u16,
    },
    /// Create to first speaking frame, and audio in to frame out, through the API of a node.
    Latency {
        /// How many tries.
        #[arg(long, default_value_t = 200)]
        tries: usize,
    },
}
