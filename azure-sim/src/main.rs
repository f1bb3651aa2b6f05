//! The simulated Azure as a program: `azure-sim --help`.
#![allow(clippy::print_stdout)]

mod args;

use std::net::{SocketAddr, TcpListener};

use anyhow::{Context, Result, bail};
use azure_sim::{AzureSim, Options, Seed, TlsListener};
use clap::Parser;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use self::args::{Args, SeedSource};

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
    for imds_args in &args.imds {
        let address = sim.serve_imds(&imds_args.vm, bind(imds_args.address)?)?;
        imds.push((imds_args.vm.as_str(), address));
    }
    if args.json {
        print_json(&args, &sim, &imds);
    } else {
        print_text(&args, &sim, &imds);
    }
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
    let seed = match args.seed_source() {
        SeedSource::Empty => Seed::default(),
        SeedSource::Demo => Seed::demo()?,
        SeedSource::File(file) => Seed::from_file(&file)?,
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
        seed,
        speed: args.speed,
        random_seed: args.random_seed(),
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

/// One line of JSON on standard output. `machine` is the resource id of a VM; scripts read this key.
fn print_json(args: &Args, sim: &AzureSim, imds: &[(&str, SocketAddr)]) {
    let tls: Vec<_> = sim
        .addresses()
        .iter()
        .map(|(service, address)| json!({"service": service, "address": address}))
        .collect();
    let imds: Vec<_> = imds
        .iter()
        .map(|(vm, address)| json!({"machine": vm, "address": address}))
        .collect();
    let ca_file = args.ca_file.as_ref().map(|f| f.display().to_string());
    println!(
        "{}",
        json!({"tls": tls, "imds": imds, "admin": sim.admin_addr(), "caFile": ca_file})
    );
}

fn print_text(args: &Args, sim: &AzureSim, imds: &[(&str, SocketAddr)]) {
    for (service, address) in sim.addresses() {
        println!("{service:<6} https://{address}");
    }
    for (vm, address) in imds {
        println!("imds   http://{address}  {vm}");
    }
    println!("admin  http://{}", sim.admin_addr());
    match &args.ca_file {
        Some(file) => println!("trust  {}", file.display()),
        None => println!("trust  no certificate file; write one with --ca-file"),
    }
    println!("Stop with Ctrl-C.");
}
