//! What may be said on the command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use azure_sim::Service;
use clap::Parser;

const EXAMPLES: &str = "\
Example: a small cloud on loopback, and a token for the first instance of its scale set.

  azure-sim --world demo --ca-file ca.pem --imds 127.0.0.1:8169=\\
/subscriptions/20000000-0000-4000-8000-000000000001/resourceGroups/nodes/providers/\\
Microsoft.Compute/virtualMachineScaleSets/pool1/virtualMachines/0

  curl -H Metadata:true -G http://127.0.0.1:8169/metadata/identity/oauth2/token \\
    -d api-version=2018-02-01 -d resource=https://vault.azure.net

Make it go wrong, then see what was called:

  curl -X POST http://127.0.0.1:8170/faults -d '{\"preset\": \"imds-updating\", \"seconds\": 5}'
  curl http://127.0.0.1:8170/counters";

/// A pretend Azure: Resource Manager, Entra ID, instance metadata, Key Vault and Blob Storage,
/// without an account and without a network.
#[derive(Debug, Parser)]
#[command(name = "azure-sim", version, after_help = EXAMPLES)]
pub(crate) struct Args {
    /// What exists at first: a JSON or YAML file, `demo` for the built-in example, or `empty`.
    #[arg(
        long,
        env = "AZURE_SIM_WORLD",
        default_value = "empty",
        value_name = "FILE"
    )]
    pub(crate) world: WorldSource,

    /// Serve TLS on ADDRESS. Azure's host names reach their service on every such listener; a
    /// client that names none of them gets SERVICE (arm, entra or data). May be given often.
    #[arg(
        long,
        env = "AZURE_SIM_LISTEN",
        value_delimiter = ',',
        value_name = "ADDRESS[=SERVICE]",
        default_values = ["127.0.0.1:0=arm", "127.0.0.1:0=entra", "127.0.0.1:0=data"],
    )]
    pub(crate) listen: Vec<Listen>,

    /// Serve the metadata service of a machine on ADDRESS: a VM, or an instance of a uniform
    /// scale set, by its resource id. May be given often.
    #[arg(
        long,
        env = "AZURE_SIM_IMDS",
        value_delimiter = ',',
        value_name = "ADDRESS=MACHINE"
    )]
    pub(crate) imds: Vec<Imds>,

    /// Serve the admin API (faults, calls, state) on ADDRESS. It has no authentication: loopback
    /// addresses only.
    #[arg(
        long,
        env = "AZURE_SIM_ADMIN",
        default_value = "127.0.0.1:8170",
        value_name = "ADDRESS"
    )]
    pub(crate) admin: SocketAddr,

    /// Write the certificate that clients must trust to FILE.
    #[arg(long, env = "AZURE_SIM_CA_FILE", value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,

    /// Another name or address for the server certificate. May be given often.
    #[arg(
        long,
        env = "AZURE_SIM_EXTRA_NAMES",
        value_delimiter = ',',
        value_name = "NAME"
    )]
    pub(crate) extra_name: Vec<String>,

    /// How much faster than the wall spans of time pass: token lifetimes, delays, Retry-After.
    #[arg(long, env = "AZURE_SIM_SPEED", default_value_t = 1.0, value_parser = speed, value_name = "FACTOR")]
    pub(crate) speed: f64,

    /// Seed of every chance.
    #[arg(long, env = "AZURE_SIM_SEED", default_value_t = 1)]
    pub(crate) seed: u64,

    /// Print where everything listens as one line of JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Where the first world comes from.
#[derive(Clone, Debug)]
pub(crate) enum WorldSource {
    Empty,
    Demo,
    File(PathBuf),
}

impl FromStr for WorldSource {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "empty" => Self::Empty,
            "demo" => Self::Demo,
            file => Self::File(file.into()),
        })
    }
}

/// A TLS listener.
#[derive(Clone, Debug)]
pub(crate) struct Listen {
    pub(crate) address: SocketAddr,
    pub(crate) service: Service,
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, service) = text.split_once('=').unwrap_or((text, "arm"));
        let service = match service {
            "arm" => Service::Arm,
            "entra" => Service::Entra,
            "data" => Service::Data,
            other => return Err(format!("`{other}` is none of arm, entra, data")),
        };
        Ok(Self {
            address: parse_address(address)?,
            service,
        })
    }
}

/// A metadata service.
#[derive(Clone, Debug)]
pub(crate) struct Imds {
    pub(crate) address: SocketAddr,
    pub(crate) machine: String,
}

impl FromStr for Imds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, machine) = text
            .split_once('=')
            .ok_or("expected ADDRESS=MACHINE, such as 127.0.0.1:8169=/subscriptions/…")?;
        Ok(Self {
            address: parse_address(address)?,
            machine: machine.into(),
        })
    }
}

fn parse_address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is no address and port, such as 127.0.0.1:8443"))
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if speed.is_finite() && speed > 0.0 => Ok(speed),
        _ => Err("expected a number above 0, such as 1 or 60".into()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_listener_serves_arm_unless_told_otherwise() {
        assert_eq!(
            "127.0.0.1:1".parse::<Listen>().unwrap().service,
            Service::Arm
        );
        assert_eq!(
            "[::1]:1=entra".parse::<Listen>().unwrap().service,
            Service::Entra
        );
        assert!("127.0.0.1:1=graph".parse::<Listen>().is_err());
        assert!("localhost".parse::<Listen>().is_err());
    }
}
