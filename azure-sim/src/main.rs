//! The pretend Azure as a program: `azure-sim --help`.
#![allow(clippy::print_stdout)]

mod args;

use std::net::{SocketAddr, TcpListener};

use anyhow::{Context, Result, bail};
use azure_sim::{AzureSim, Options, TlsListener, World};
use clap::Parser;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use self::args::{Args, WorldSource};

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into()))
        .with_writer(std::io::stderr)
        .init();
    let mut stop = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let sim = AzureSim::start(options(&args)?).await?;
    if let Some(file) = &args.ca_file {
        std::fs::write(file, sim.ca_pem())
            .with_context(|| format!("cannot write the certificate to {}", file.display()))?;
    }
    let mut imds = Vec::new();
    for machine in &args.imds {
        let address = sim.serve_imds(&machine.machine, bind(machine.address)?)?;
        imds.push((machine.machine.as_str(), address));
    }
    announce(&args, &sim, &imds);
    tokio::select! {
        _ = stop.recv() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted.context("cannot listen for Ctrl-C")?,
    }
    sim.shutdown().await;
    Ok(())
}

fn options(args: &Args) -> Result<Options> {
    if !args.admin.ip().is_loopback() {
        bail!(
            "--admin {}: the admin API has no authentication; give a loopback address",
            args.admin
        );
    }
    let world = match &args.world {
        WorldSource::Empty => World::default(),
        WorldSource::Demo => World::demo()?,
        WorldSource::File(file) => World::from_file(file)?,
    };
    let tls = args
        .listen
        .iter()
        .map(|l| {
            Ok(TlsListener {
                listener: bind(l.address)?,
                service: l.service,
            })
        })
        .collect::<Result<_>>()?;
    Ok(Options {
        world,
        speed: args.speed,
        seed: args.seed,
        tls,
        admin: Some(bind(args.admin)?),
        extra_names: args.extra_name.clone(),
        ..Options::default()
    })
}

fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address)
        .with_context(|| format!("cannot listen on {address}; choose another address or port"))
}

fn announce(args: &Args, sim: &AzureSim, imds: &[(&str, SocketAddr)]) {
    if args.json {
        let tls: Vec<_> = sim
            .addresses()
            .iter()
            .map(|(service, address)| json!({"service": service, "address": address}))
            .collect();
        let imds: Vec<_> = imds
            .iter()
            .map(|(machine, address)| json!({"machine": machine, "address": address}))
            .collect();
        let ca_file = args.ca_file.as_ref().map(|f| f.display().to_string());
        println!(
            "{}",
            json!({"tls": tls, "imds": imds, "admin": sim.admin_addr(), "caFile": ca_file})
        );
        return;
    }
    for (service, address) in sim.addresses() {
        println!("{service:<6} https://{address}");
    }
    for (machine, address) in imds {
        println!("imds   http://{address}  {machine}");
    }
    println!("admin  http://{}", sim.admin_addr());
    match &args.ca_file {
        Some(file) => println!("trust  {}", file.display()),
        None => println!("trust  nobody yet; write the certificate out with --ca-file"),
    }
    println!("Stop with Ctrl-C.");
}
