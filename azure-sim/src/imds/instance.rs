//! Instance metadata: the properties of the VM that asks.

use http::StatusCode;
use serde_json::{Value, json};

use super::error::{ImdsError, Result};
use crate::message::{Reply, Request};
use crate::resources::Vm;
use crate::state::State;

/// Address of a VM whose seed has no `privateIp`.
const NO_ADDRESS: &str = "10.0.0.4";

pub(super) fn answer(state: &State, request: &Request, vm: &str, path: &[String]) -> Result<Reply> {
    let vm = state
        .vm(vm)
        .ok_or_else(|| ImdsError::not_found("The machine is gone"))?;
    let document = json!({"compute": compute(&vm), "network": network(&vm)});
    let found = path
        .iter()
        .filter(|s| !s.is_empty())
        .try_fold(&document, |value, step| step_into(value, step));
    let found = found.ok_or_else(|| ImdsError::not_found("The requested path is not served"))?;
    let text = request
        .query("format")
        .is_some_and(|f| f.eq_ignore_ascii_case("text"));
    match found {
        Value::Object(_) | Value::Array(_) if !text => Ok(Reply::json(StatusCode::OK, found)),
        Value::Object(_) | Value::Array(_) => Ok(plain(&names(found))),
        leaf if text => Ok(plain(leaf.as_str().unwrap_or_default())),
        _ => Err(ImdsError::invalid_request(
            "A single value needs the query variable format=text",
        )),
    }
}

fn plain(text: &str) -> Reply {
    Reply::text(StatusCode::OK, "text/plain; charset=utf-8", text.to_owned())
}

fn step_into<'v>(value: &'v Value, step: &str) -> Option<&'v Value> {
    match value {
        Value::Object(fields) => fields.get(step),
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        _ => None,
    }
}

/// The names below a branch, one per line. Those of branches end in a slash.
fn names(value: &Value) -> String {
    let line = |name: String, below: &Value| {
        if below.is_object() || below.is_array() {
            format!("{name}/")
        } else {
            name
        }
    };
    let lines: Vec<_> = match value {
        Value::Object(fields) => fields.iter().map(|(k, v)| line(k.clone(), v)).collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(n, v)| line(n.to_string(), v))
            .collect(),
        _ => Vec::new(),
    };
    lines.join("\n")
}

/// IMDS gives every value as a string, and an empty one where it knows nothing.
fn compute(vm: &Vm<'_>) -> Value {
    let compute = vm.compute;
    let tags = &compute.tags;
    let joined: Vec<_> = tags.iter().map(|(k, v)| format!("{k}:{v}")).collect();
    let listed: Vec<_> = tags
        .iter()
        .map(|(k, v)| json!({"name": k, "value": v}))
        .collect();
    let (set_id, set_name) = vm.scale_set.clone().unwrap_or_default();
    json!({
        "azEnvironment": "AzurePublicCloud",
        "customData": "",
        "isHostCompatibilityLayerVm": "false",
        "licenseType": "",
        "location": compute.location,
        "name": vm.name,
        "offer": "",
        "osProfile": {
            "adminUsername": "azureuser",
            "computerName": vm.computer_name,
            "disablePasswordAuthentication": "true",
        },
        "osType": "Linux",
        "physicalZone": "",
        "placementGroupId": "",
        "plan": {"name": "", "product": "", "publisher": ""},
        "platformFaultDomain": "0",
        "platformSubFaultDomain": "",
        "platformUpdateDomain": "0",
        "priority": "",
        "provider": "Microsoft.Compute",
        "publicKeys": [],
        "publisher": "",
        "resourceGroupName": compute.id.group,
        "resourceId": vm.id,
        "securityProfile": {"secureBootEnabled": "false", "virtualTpmEnabled": "false"},
        "sku": "",
        "storageProfile": {"dataDisks": [], "osDisk": {"osType": "Linux"}},
        "subscriptionId": compute.id.subscription,
        "tags": joined.join(";"),
        "tagsList": listed,
        "userData": "",
        "version": "",
        "virtualMachineScaleSet": {"id": set_id},
        "vmId": vm.unique_id,
        "vmScaleSetName": set_name,
        "vmSize": "Standard_D2s_v5",
        "zone": "",
    })
}

fn network(vm: &Vm<'_>) -> Value {
    let address = vm.private_ip.unwrap_or(NO_ADDRESS);
    let subnet = address
        .rsplit_once('.')
        .map_or_else(String::new, |(net, _)| format!("{net}.0"));
    json!({"interface": [{
        "ipv4": {
            "ipAddress": [{"privateIpAddress": address, "publicIpAddress": ""}],
            "subnet": [{"address": subnet, "prefix": "24"}],
        },
        "ipv6": {"ipAddress": []},
        "macAddress": mac(&vm.unique_id),
    }]})
}

/// A locally administered MAC address, always the same for the same VM.
fn mac(unique_id: &str) -> String {
    let digits: String = unique_id
        .chars()
        .filter(char::is_ascii_hexdigit)
        .take(10)
        .collect();
    format!("02{digits}").to_uppercase()
}
