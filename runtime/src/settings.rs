//! The settings every daemon has, as flags with environment twins.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use tracing_subscriber::EnvFilter;

/// Flags shared by all daemons; `#[command(flatten)]` them into a daemon's own.
#[derive(Clone, Debug, clap::Args)]
pub struct Settings {
    /// How to log.
    #[command(flatten)]
    pub log: LogSettings,

    /// Address of /healthz, /readyz and /metrics; port 0 takes a free one
    ///
    /// They do not authenticate callers, so that by default only processes beside the daemon reach them. Give
    /// the pod's address where a kubelet or a Prometheus is to.
    #[arg(
        long,
        env = "PODID_ADMIN_ADDR",
        value_name = "IP:PORT",
        default_value = "127.0.0.1:8081"
    )]
    pub admin_addr: SocketAddr,

    /// How long to finish what is under way after SIGTERM; a second signal ends it at once
    #[arg(
        long, env = "PODID_DRAIN_TIMEOUT", value_name = "DURATION", default_value = "20s",
        value_parser = parse_duration
    )]
    pub drain_timeout: Duration,
}

/// Flags about logs.
#[derive(Clone, Debug, clap::Args)]
pub struct LogSettings {
    /// Form of the log lines on standard error
    #[arg(
        long,
        env = "PODID_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "text"
    )]
    pub log_format: LogFormat,

    /// What to log: a level, or directives such as `info,kube=debug`
    #[arg(
        long,
        env = "PODID_LOG_LEVEL",
        value_name = "FILTER",
        default_value = "info"
    )]
    pub log_level: LogFilter,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people; coloured on a terminal.
    Text,
    /// One JSON object a line, for collectors.
    Json,
}

/// A log filter that was checked where it entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFilter(String);

impl LogFilter {
    /// The filter as tracing wants it.
    pub(crate) fn directives(&self) -> &str {
        &self.0
    }
}

impl FromStr for LogFilter {
    type Err = tracing_subscriber::filter::ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        EnvFilter::builder().parse(text)?;
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for LogFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads a positive duration with units, such as `500ms`, `20s` or `1m30s`.
///
/// # Errors
/// A text for people when it is not one, negative, or zero.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let parsed: jiff::SignedDuration = text
        .parse()
        .map_err(|_| "not a duration; write for example 500ms, 20s or 1m30s")?;
    match Duration::try_from(parsed) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err("must be longer than zero".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    /// Answers pods.
    #[derive(Debug, Parser)]
    struct Daemon {
        #[command(flatten)]
        settings: Settings,
    }

    fn parse(args: &[&str]) -> Result<Settings, String> {
        let args = ["daemon"].iter().chain(args);
        Daemon::try_parse_from(args)
            .map(|d| d.settings)
            .map_err(|e| e.to_string())
    }

    #[test]
    fn defaults() {
        let settings = parse(&[]).unwrap();
        assert_eq!(settings.admin_addr, "127.0.0.1:8081".parse().unwrap());
        assert_eq!(settings.drain_timeout, Duration::from_secs(20));
        assert_eq!(settings.log.log_format, LogFormat::Text);
        assert_eq!(settings.log.log_level.to_string(), "info");
    }

    #[test]
    fn every_flag_has_an_environment_twin() {
        let command = <Daemon as clap::CommandFactory>::command();
        for arg in command.get_arguments().filter(|arg| arg.get_id() != "help") {
            let twin = format!("PODID_{}", arg.get_id().as_str().to_uppercase());
            assert_eq!(arg.get_env(), Some(twin.as_ref()), "{}", arg.get_id());
        }
    }

    #[test]
    fn the_daemon_keeps_its_own_description() {
        let about = <Daemon as clap::CommandFactory>::command()
            .get_about()
            .map(|a| a.to_string());
        assert_eq!(about.as_deref(), Some("Answers pods"));
    }

    #[test]
    fn malformed_values_name_the_flag() {
        for (flag, value) in [
            ("--admin-addr", "8081"),
            ("--drain-timeout", "20"),
            ("--drain-timeout", "-1s"),
            ("--drain-timeout", "0s"),
            ("--log-format", "xml"),
            ("--log-level", "info,kube=loud"),
        ] {
            let error = parse(&[&format!("{flag}={value}")]).unwrap_err();
            assert!(
                error.contains(flag) && error.contains(value),
                "{flag}={value}: {error}"
            );
        }
    }

    #[test]
    fn durations() {
        assert_eq!(parse_duration("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert!(parse_duration("soon").is_err());
    }
}
