//! The operator outside of a lab's network, as a process of its own or of a test.

use anyhow::Result;
use podid_lab::layout::{OPERATOR_CLIENT_ID, TENANT};
use podid_lab::{Lab, Side};

/// Flags by which an operator in the machine's own network works for a lab, with the rights that it has there.
///
/// # Errors
/// When the lab gives no kubeconfig or token.
pub fn flags(lab: &Lab) -> Result<Vec<String>> {
    let account = ("podid-system", "podid-operator");
    let kubeconfig = lab.service_account_kubeconfig(account.0, account.1, Side::Outside)?;
    let token = lab.service_account_token(account.0, account.1, "api://AzureADTokenExchange")?;
    let ports = lab.endpoints();
    let url = |port: u16| format!("https://127.0.0.1:{port}");
    let flags = [
        ("--kubeconfig", kubeconfig.display().to_string()),
        ("--tenant-id", TENANT.to_owned()),
        ("--client-id", OPERATOR_CLIENT_ID.to_owned()),
        ("--federated-token-file", token.display().to_string()),
        ("--arm-endpoint", url(ports.arm)),
        ("--authority-host", url(ports.entra)),
        ("--ca-file", lab.dir().ca_bundle().display().to_string()),
    ];
    let flags = flags.into_iter();
    Ok(flags
        .flat_map(|(flag, value)| [flag.to_owned(), value])
        .collect())
}
