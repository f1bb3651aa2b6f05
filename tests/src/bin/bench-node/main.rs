//! How fast a pod gets a token: the node daemon against a bare HTTP server that sends the same
//! bytes, in one run, through the same link. Needs root. Run it by `cargo xtask bench node`.
#![allow(clippy::print_stdout)]

mod bare;
mod load;
mod report;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use podid_lab::Network;
use podid_lab::net::in_namespace;
use podid_tests::node::{
    ApiServer, Daemon, Pod, TestNode, assigned, azure_identity, binding, wait_until,
};

use crate::report::{Report, Row};

/// Numbers of connections to measure with.
const CONNECTIONS: [usize; 3] = [1, 8, 64];
/// Where the bare server listens on the node.
const BARE_PORT: u16 = 9000;

/// Measures tokens through the node daemon against a bare HTTP server.
#[derive(Debug, Parser)]
struct Args {
    /// Seconds per measurement
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
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
    let daemon_program = sibling("podid-nmi")?;
    let test_node = TestNode::start(Network::Bridge)?;
    let api = ApiServer::start(&test_node)?;
    let metadata = SocketAddrV4::new(Ipv4Addr::new(169, 254, 169, 254), 80);
    let bare = SocketAddrV4::new(test_node.network.pod_range().gateway(), BARE_PORT);
    let _imds = Server::start(&test_node, metadata)?;
    let _bare = Server::start(&test_node, bare)?;
    let daemon = Daemon::start(&daemon_program, &test_node, &api, &[])?;
    let pod = bound_pod(&test_node, &api)?;
    wait_until("the pod gets tokens", || pod.ask().status == 200);
    let same = pod.curl(&[&format!("http://{bare}/")]).body == pod.ask().body;
    ensure!(
        same,
        "the daemon and the bare server do not send the same bytes"
    );

    let time = Duration::from_secs(args.seconds);
    let mut rows = Vec::new();
    for connections in CONNECTIONS {
        let bare = load::run(&pod, bare, connections, time)?;
        let daemon = load::run(&pod, metadata, connections, time)?;
        rows.push(Row {
            connections,
            bare,
            daemon,
        });
    }
    let report = Report {
        rows,
        resident_kib: resident_kib(&daemon),
    };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{report}");
    }
    Ok(())
}

fn bound_pod(test_node: &TestNode, api: &ApiServer) -> Result<Pod> {
    let pod = test_node.add_pod()?;
    api.put(&azure_identity("bench"));
    api.put(&binding("bench", "bench"));
    api.put(&assigned("bench", &pod.uid, "bench", "Assigned"));
    api.put(&pod.running("bench", "bench"));
    Ok(pod)
}

fn sibling(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let program = own.with_file_name(name);
    ensure!(
        program.exists(),
        "{name} is not beside this program: run `cargo xtask bench node`"
    );
    Ok(program)
}

/// The daemon's memory in KiB; 0 when it has ended.
fn resident_kib(daemon: &Daemon) -> u64 {
    let bytes = daemon.memory().unwrap_or_default();
    (bytes / 1024) as u64
}

/// A bare server in the node's network namespace, a process of its own as the daemon is.
struct Server(Child);

impl Server {
    fn start(test_node: &TestNode, address: SocketAddrV4) -> Result<Self> {
        let own = std::env::current_exe()?;
        let child = in_namespace(test_node.namespace(), || {
            Command::new(own)
                .args(["--serve", &address.to_string()])
                .stdin(Stdio::null())
                .spawn()
        })?
        .context("start a bare server")?;
        let server = Self(child);
        wait_until("the bare server listens", || {
            in_namespace(test_node.namespace(), || {
                std::net::TcpStream::connect(address)
            })
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
