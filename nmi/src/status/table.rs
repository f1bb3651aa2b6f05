//! The report as tables. What pods have chosen freely is shown with its control characters escaped.

use std::fmt::Write;

use super::report::{IdentityReport, PodReport, StatusReport};

/// Most characters of one cell, but for the last of a row.
const CELL_MAX: usize = 60;

/// The whole report.
pub(super) fn text(report: &StatusReport) -> String {
    let mut text = head(report);
    section(&mut text, "PODS", report.pods.len(), &pods(report));
    section(&mut text, "TOKENS", report.tokens.len(), &tokens(report));
    section(
        &mut text,
        "LAST ERRORS",
        report.errors.len(),
        &errors(report),
    );
    text
}

fn head(report: &StatusReport) -> String {
    let interception = &report.interception;
    let ready = match (report.ready, report.pending.is_empty()) {
        (true, _) => "yes".to_owned(),
        (false, false) => format!("no: {}", report.pending.join(", ")),
        (false, true) => "no: another daemon takes the calls".to_owned(),
    };
    format!(
        "Node:          {}\nVersion:       {}\nReady:         {ready}\n\
         Interception:  {}, {} addresses, repaired {} times\nActive daemon: {}\n",
        report.node,
        report.version,
        interception.engine,
        interception.endpoints,
        interception.repaired,
        interception.active_daemon,
    )
}

fn pods(report: &StatusReport) -> Vec<Vec<String>> {
    let mut rows = vec![words(&[
        "POD",
        "ADDRESS",
        "STATE",
        "IDENTITY",
        "CLIENT ID",
        "TOKEN",
        "WHY NOT",
    ])];
    for pod in &report.pods {
        let mut first = true;
        let none = [None];
        let identities = pod.identities.iter().map(Some);
        let identities: Vec<Option<&IdentityReport>> = match pod.identities.is_empty() {
            true => none.into(),
            false => identities.collect(),
        };
        for identity in identities {
            rows.push(pod_row(pod, identity, first));
            first = false;
        }
    }
    rows
}

fn pod_row(pod: &PodReport, identity: Option<&IdentityReport>, first: bool) -> Vec<String> {
    let addresses: Vec<String> = pod.addresses.iter().map(ToString::to_string).collect();
    let mut row = match first {
        true => vec![
            format!("{}/{}", pod.namespace, pod.name),
            addresses.join(","),
            pod.state.clone(),
        ],
        false => vec![String::new(); 3],
    };
    let of_identity = |value: fn(&IdentityReport) -> &String| identity.map(value).cloned();
    row.push(of_identity(|one| &one.name).unwrap_or_default());
    row.push(of_identity(|one| &one.client_id).unwrap_or_default());
    row.push(of_identity(|one| &one.state).unwrap_or_default());
    let why = identity.and_then(|one| one.reason.clone());
    row.push(
        pod.reason
            .clone()
            .filter(|_| first)
            .or(why)
            .unwrap_or_default(),
    );
    row
}

fn tokens(report: &StatusReport) -> Vec<Vec<String>> {
    let head = words(&["CLIENT ID", "RESOURCE", "PODS", "AGE", "LEFT"]);
    let rows = report.tokens.iter().map(|token| {
        vec![
            token.client_id.clone(),
            token.resource.clone(),
            token.pods.to_string(),
            duration(token.age_seconds),
            duration(token.seconds_left),
        ]
    });
    [head].into_iter().chain(rows).collect()
}

fn errors(report: &StatusReport) -> Vec<Vec<String>> {
    let head = words(&["LAST", "TIMES", "CALLER", "OUTCOME", "WHY"]);
    let rows = report.errors.iter().map(|error| {
        vec![
            duration(error.seconds_ago),
            error.count.to_string(),
            error.caller.clone(),
            error.outcome.clone(),
            error.reason.clone(),
        ]
    });
    [head].into_iter().chain(rows).collect()
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// As kubectl writes ages.
fn duration(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds}s"),
        120..=7199 => format!("{}m", seconds / 60),
        7200..=172_799 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// A title with a count, and a table whose first row is its head.
fn section(text: &mut String, title: &str, count: usize, rows: &[Vec<String>]) {
    let _never_fails = writeln!(text, "\n{title} ({count})");
    if count == 0 {
        return;
    }
    let rows: Vec<Vec<String>> = rows.iter().map(|row| cells(row)).collect();
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in &rows {
        let padded = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        let line = padded.collect::<Vec<_>>().join("  ");
        let _never_fails = writeln!(text, "{}", line.trim_end());
    }
}

fn cells(row: &[String]) -> Vec<String> {
    let last = row.len().saturating_sub(1);
    let cell = |(column, text): (usize, &String)| {
        let text: String = text.chars().flat_map(char::escape_debug).collect();
        match column == last || text.chars().count() <= CELL_MAX {
            true => text,
            false => text.chars().take(CELL_MAX - 1).chain(['…']).collect(),
        }
    };
    row.iter().enumerate().map(cell).collect()
}

#[cfg(test)]
mod tests {
    use super::super::report::{ErrorReport, InterceptionReport, TokenReport};
    use super::*;

    fn report() -> StatusReport {
        let identity = |name: &str, state: &str, reason: Option<&str>| IdentityReport {
            name: name.into(),
            client_id: format!("client-of-{name}"),
            state: state.into(),
            reason: reason.map(str::to_owned),
        };
        StatusReport {
            version: "0.1.0".into(),
            node: "node-0".into(),
            ready: true,
            pending: vec![],
            interception: InterceptionReport {
                engine: "nftables".into(),
                active_daemon: "This".into(),
                endpoints: 1,
                repaired: 0,
            },
            pods: vec![PodReport {
                namespace: "a".into(),
                name: "app".into(),
                uid: "u".into(),
                addresses: vec![[10, 0, 0, 2].into()],
                state: "Served".into(),
                reason: None,
                identities: vec![
                    identity("a/one", "Ready", None),
                    identity("a/two", "NotBound", Some("nothing binds it")),
                ],
            }],
            tokens: vec![TokenReport {
                client_id: "c".into(),
                resource: format!("\u{1b}[2J{}", "x".repeat(100)),
                pods: 2,
                age_seconds: 60,
                seconds_left: 80_000,
            }],
            errors: vec![ErrorReport {
                seconds_ago: 200,
                count: 3,
                caller: "a/app".into(),
                outcome: "NotBound".into(),
                reason: "no binding".into(),
            }],
        }
    }

    #[test]
    fn each_identity_has_a_row_and_why_it_gives_no_token() {
        let text = text(&report());
        let row = |start: &str| {
            let line = text
                .lines()
                .find(|line| line.trim_start().starts_with(start));
            line.unwrap()
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(
            row("a/app "),
            "a/app 10.0.0.2 Served a/one client-of-a/one Ready"
        );
        assert_eq!(
            row("a/two"),
            "a/two client-of-a/two NotBound nothing binds it"
        );
        assert_eq!(row("3m"), "3m 3 a/app NotBound no binding");
        for title in ["PODS (1)", "TOKENS (1)", "LAST ERRORS (1)"] {
            assert!(text.contains(&format!("\n{title}\n")), "{title}");
        }
    }

    #[test]
    fn what_a_pod_has_chosen_reaches_no_terminal_as_it_is() {
        let text = text(&report());
        assert!(
            !text.contains('\u{1b}') && text.contains("\\u{1b}[2J"),
            "{text}"
        );
        assert!(
            text.lines().all(|line| line.chars().count() < 120),
            "{text}"
        );
    }

    #[test]
    fn a_daemon_that_is_not_ready_says_what_it_waits_for() {
        let waiting = StatusReport {
            ready: false,
            pending: vec!["watches synced".into()],
            ..report()
        };
        assert!(text(&waiting).contains("Ready:         no: watches synced\n"));
        let other = StatusReport {
            pending: vec![],
            ..waiting
        };
        assert!(text(&other).contains("no: another daemon takes the calls"));
    }
}
