//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use azure_sim::Service;
use clap::{Args as ClapArgs, Parser};

const EXAMPLES: &str = "\
Example: a small simulated Azure on loopback, and a token for the first instance of its scale set.

  azure-sim --seed-file demo --ca-file ca.pem --imds 127.0.0.1:8169=\\
/subscriptions/20000000-0000-4000-8000-000000000001/resourceGroups/nodes/providers/\\
Microsoft.Compute/virtualMachineScaleSets/pool1/virtualMachines/0

  curl -H Metadata:true -G http://127.0.0.1:8169/metadata/identity/oauth2/token \\
    -d api-version=2018-02-01 -d resource=https://vault.azure.net

Inject a fault, then see what was called:

  curl -X POST http://127.0.0.1:8170/faults -d '{\"preset\": \"imds-updating\", \"seconds\": 5}'
  curl http://127.0.0.1:8170/counters";

/// A simulated Azure: Resource Manager, Entra ID, instance metadata, Key Vault and Blob Storage,
/// without an account and without a network.
#[derive(Debug, Parser)]
#[command(name = "azure-sim", version, after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The resources that exist at the start: a JSON or YAML file, `demo` for the built-in example,
    /// or `empty` (the default).
    #[arg(long, env = "AZURE_SIM_SEED_FILE", value_name = "FILE")]
    seed_file: Option<SeedSource>,

    /// Serve TLS on ADDRESS. Azure's host names reach their service on every such listener; a request
    /// for any other name gets SERVICE (arm, entra or data). May be repeated.
    #[arg(
        long,
        env = "AZURE_SIM_LISTEN",
        value_delimiter = ',',
        value_name = "ADDRESS[=SERVICE]",
        default_values = ["127.0.0.1:0=arm", "127.0.0.1:0=entra", "127.0.0.1:0=data"],
    )]
    pub(crate) listen: Vec<Listen>,

    /// Serve the instance metadata service of VM on ADDRESS: the resource id of a VM, or of an
    /// instance of a uniform scale set. May be repeated.
    #[arg(
        long,
        env = "AZURE_SIM_IMDS",
        value_delimiter = ',',
        value_name = "ADDRESS=VM"
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

    /// Another name or address for the server certificate. May be repeated.
    #[arg(
        long,
        env = "AZURE_SIM_EXTRA_NAMES",
        value_delimiter = ',',
        value_name = "NAME"
    )]
    pub(crate) extra_name: Vec<String>,

    /// Divide spans of time by FACTOR: token lifetimes, delays, Retry-After.
    #[arg(long, env = "AZURE_SIM_SPEED", default_value_t = 1.0, value_parser = speed, value_name = "FACTOR")]
    pub(crate) speed: f64,

    /// Seed of the random numbers in new ids, token lifetimes and faults; 1 by default.
    #[arg(long, env = "AZURE_SIM_RANDOM_SEED", value_name = "NUMBER")]
    random_seed: Option<u64>,

    /// Print the addresses of all listeners as one line of JSON.
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    former: FormerNames,
}

/// Former names of options, and of their environment variables, that scripts may still use.
#[derive(Debug, ClapArgs)]
struct FormerNames {
    #[arg(long, env = "AZURE_SIM_WORLD", hide = true)]
    world: Option<SeedSource>,

    #[arg(long, env = "AZURE_SIM_SEED", hide = true)]
    seed: Option<u64>,
}

impl Args {
    pub(crate) fn seed_source(&self) -> SeedSource {
        let given = self.seed_file.as_ref().or(self.former.world.as_ref());
        given.cloned().unwrap_or(SeedSource::Empty)
    }

    pub(crate) fn random_seed(&self) -> u64 {
        self.random_seed.or(self.former.seed).unwrap_or(1)
    }
}

/// Where the seed comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SeedSource {
    Empty,
    Demo,
    File(PathBuf),
}

impl FromStr for SeedSource {
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
            other => return Err(format!("`{other}` is not one of arm, entra, data")),
        };
        Ok(Self {
            address: parse_address(address)?,
            service,
        })
    }
}

/// An instance metadata service.
#[derive(Clone, Debug)]
pub(crate) struct Imds {
    pub(crate) address: SocketAddr,
    /// Resource id.
    pub(crate) vm: String,
}

impl FromStr for Imds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, vm) = text
            .split_once('=')
            .ok_or("expected ADDRESS=VM, such as 127.0.0.1:8169=/subscriptions/…")?;
        Ok(Self {
            address: parse_address(address)?,
            vm: vm.into(),
        })
    }
}

fn parse_address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is not an address with a port, such as 127.0.0.1:8443"))
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
    fn former_names_of_options_still_work() {
        let parse = |args: &[&str]| Args::parse_from([&["azure-sim"], args].concat());
        let args = parse(&["--world", "demo", "--seed", "7"]);
        assert_eq!(
            (args.seed_source(), args.random_seed()),
            (SeedSource::Demo, 7)
        );
        let args = parse(&["--seed-file", "a.yaml", "--random-seed", "8"]);
        let file = SeedSource::File("a.yaml".into());
        assert_eq!((args.seed_source(), args.random_seed()), (file, 8));
        let args = parse(&[]);
        assert_eq!(
            (args.seed_source(), args.random_seed()),
            (SeedSource::Empty, 1)
        );
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
