//! Commands with which a lab starts its own processes. People do not type them.

use std::path::PathBuf;

use clap::{Args as Group, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum OwnCommand {
    /// The lab's process in the machine's own namespaces.
    #[command(hide = true)]
    Monitor {
        #[arg(long)]
        spec: String,
    },
    /// The lab's first process.
    #[command(hide = true)]
    Init(Inner),
    /// The lab's daemon.
    #[command(hide = true)]
    Daemon(Inner),
    /// Become a program in a pod, a node or the control plane.
    #[command(hide = true)]
    Enter {
        #[arg(long)]
        process: PathBuf,
        #[arg(long = "cgroup", required = true)]
        cgroups: Vec<PathBuf>,
        #[arg(last = true, required = true)]
        argv: Vec<String>,
    },
    /// Become the program of a pod's container.
    #[command(hide = true)]
    Container { spec: String },
    /// Keep namespaces, as `pause` does for a pod.
    #[command(hide = true)]
    Sandbox {
        /// Be the first process of a sandbox that has processes of its own.
        #[arg(long)]
        first: bool,
        spec: String,
    },
}

/// Arguments of the lab's own processes.
#[derive(Debug, Group)]
pub(crate) struct Inner {
    #[arg(long)]
    pub(crate) state: PathBuf,
    #[arg(long)]
    pub(crate) cgroup: PathBuf,
}
