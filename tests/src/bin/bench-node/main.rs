//! How fast a pod gets a token: the node daemon against a bare HTTP server that sends the same
//! bytes, in one run, through the same link. Needs root. Run it by `cargo xtask bench node`.
#![allow(clippy::print_stdout)]

mod bare;
mod load;
mod report;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use podid_lab::Network;
use podid_lab::net::in_namespace;
use podid_tests::node::{
    ApiServer, Daemon, Pod, TestNode, assigned, azure_identity, binding, wait_until,
};
use podid_tests::programs;

use crate::load::{Bounds, Load};
use crate::report::{Report, Row};

/// Where the bare server listens on the node.
const BARE_PORT: u16 = 9000;
/// Most connections that one measurement opens: the pod has 28,000 ports, and closed ones rest for a minute.
const RECONNECTS: usize = 10_000;

/// A token that is kept.
const HIT: Load = Load {
    connections: 1,
    reconnects: false,
    query: "",
    status: "200",
};

/// What is measured: a name, the load, and whose load it is.
const MEASUREMENTS: [(&str, Load, Asker); 6] = [
    ("kept token", HIT, Asker::Bound),
    ("kept token", with_connections(8), Asker::Bound),
    ("kept token", with_connections(64), Asker::Bound),
    (
        "connection per request",
        Load {
            reconnects: true,
            ..HIT
        },
        Asker::Bound,
    ),
    (
        "no: a foreign id",
        Load {
            query: "&client_id=foreign",
            status: "400",
            ..HIT
        },
        Asker::Bound,
    ),
    (
        "no: an unmatched pod",
        Load {
            status: "400",
            ..HIT
        },
        Asker::Unmatched,
    ),
];

const fn with_connections(connections: usize) -> Load {
    Load { connections, ..HIT }
}

/// Which pod asks.
#[derive(Clone, Copy, Debug)]
enum Asker {
    /// One that is bound to an identity.
    Bound,
    /// One whose label no binding selects.
    Unmatched,
}

/// How the figures are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    Table,
    Json,
}

/// Measures tokens through the node daemon against a bare HTTP server.
#[derive(Debug, Parser)]
struct Args {
    /// Milliseconds per measurement; there are twelve, and each warms up for a third of a second
    #[arg(long, default_value_t = 3000, value_parser = clap::value_parser!(u64).range(..=4000))]
    milliseconds: u64,
    /// Most requests per measurement, so that no connection table overflows
    #[arg(long, default_value_t = 400_000)]
    requests: usize,
    /// What to print
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    /// Serve the same bytes to everybody at this address; what this program starts itself as
    #[arg(long, hide = true)]
    serve: Option<SocketAddrV4>,
}

fn main() -> Result<()> {
    let args = Args::parse();
    match args.serve {
        Some(address) => bare::serve(address),
        None => measure(&args),
    }
}

fn measure(args: &Args) -> Result<()> {
    let daemon_program = programs::beside("podid-nmi")?;
    let test_node = TestNode::start(Network::Bridge)?;
    let api = ApiServer::start(&test_node)?;
    let metadata = SocketAddrV4::new(Ipv4Addr::new(169, 254, 169, 254), 80);
    let bare = SocketAddrV4::new(test_node.network.pod_range().gateway(), BARE_PORT);
    let _imds = Server::start(&test_node.router(), metadata)?;
    let _bare = Server::start(test_node.namespace(), bare)?;
    let daemon = Daemon::start(&daemon_program, &test_node, &api, &[])?;
    let pods = Pods::start(&test_node, &api)?;
    pods.ensure_same_bytes(bare)?;
    let rows: Result<Vec<Row>> = MEASUREMENTS
        .into_iter()
        .map(|(what, load, asker)| {
            let (pod, bounds) = (pods.get(asker), args.bounds(load));
            // The bare server has one answer to everything.
            let same_for_bare = Load {
                status: "200",
                ..load
            };
            let bare = load::run(pod, bare, same_for_bare, bounds)?;
            let daemon = load::run(pod, metadata, load, bounds)?;
            Ok(Row::new(what, load.connections, bare, daemon))
        })
        .collect();
    let imds_requests = daemon.metric("podid_nmi_imds_requests_total{outcome=\"Token\"}");
    let report = Report {
        rows: rows?,
        // 0 when it has ended.
        resident_kib: programs::resident_kib(daemon.pid()).unwrap_or_default(),
        imds_requests: imds_requests.context("the daemon's metrics")?,
    };
    match args.output {
        Output::Json => println!("{}", serde_json::to_string_pretty(&report)?),
        Output::Table => println!("{report}"),
    }
    Ok(())
}

impl Args {
    fn bounds(&self, load: Load) -> Bounds {
        let most = match load.reconnects {
            true => RECONNECTS,
            false => self.requests,
        };
        Bounds {
            time: Duration::from_millis(self.milliseconds),
            requests: self.requests.min(most),
        }
    }
}

/// The pods that ask.
struct Pods {
    bound: Pod,
    unmatched: Pod,
}

impl Pods {
    fn start(test_node: &TestNode, api: &ApiServer) -> Result<Self> {
        let (bound, unmatched) = (test_node.add_pod()?, test_node.add_pod()?);
        api.put(&azure_identity("bench"));
        api.put(&binding("bench", "bench"));
        api.put(&assigned("bench", &bound.uid, "bench", "Assigned"));
        api.put(&bound.running("bench", "bench"));
        api.put(&unmatched.running("unmatched", "nobody"));
        wait_until("the pod gets tokens", || bound.ask().status == 200);
        wait_until("the other pod is refused", || unmatched.ask().status == 400);
        Ok(Self { bound, unmatched })
    }

    fn ensure_same_bytes(&self, bare: SocketAddrV4) -> Result<()> {
        let of_bare = self.bound.curl(&[&format!("http://{bare}/")]).body;
        let of_daemon = self.bound.ask().body;
        ensure!(
            without_times(&of_bare) == without_times(&of_daemon),
            "the daemon and the bare server do not send the same bytes"
        );
        Ok(())
    }

    fn get(&self, asker: Asker) -> &Pod {
        match asker {
            Asker::Bound => &self.bound,
            Asker::Unmatched => &self.unmatched,
        }
    }
}

/// An answer without what depends on the time of day; it has the same length all day.
fn without_times(body: &serde_json::Value) -> serde_json::Value {
    let mut body = body.clone();
    for key in ["expires_in", "ext_expires_in"] {
        body[key] = body[key].as_str().map_or(0, str::len).into();
    }
    body
}

/// A bare server, a process of its own as the daemon is.
struct Server(Child);

impl Server {
    fn start(namespace: &Path, address: SocketAddrV4) -> Result<Self> {
        let own = std::env::current_exe()?;
        let child = in_namespace(namespace, || {
            Command::new(own)
                .args(["--serve", &address.to_string()])
                .stdin(Stdio::null())
                .spawn()
        })?
        .context("start a bare server")?;
        let server = Self(child);
        wait_until("the bare server listens", || {
            in_namespace(namespace, || std::net::TcpStream::connect(address))
                .is_ok_and(|connected| connected.is_ok())
        });
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}
