//! The end with `--keep`: the lab stays up.

use anyhow::{Context, Result};

use crate::facts::{NAMESPACE, PROFILE, TOKEN_URL};
use crate::nodes::Nodes;
use crate::stage::Stage;
use crate::{command, pods, ui};

/// Leaves the lab up and says how to look around.
pub(crate) fn leave_up(stage: Stage) -> Result<()> {
    let pod = pods::pods(&stage)?;
    let pod = pod.first().context("the application has no pod")?;
    let clone = stage.folder("clone");
    let clone = command::quoted(clone.as_os_str());
    let env = podid_lab::hint::for_lab("env", stage.lab.name());
    let down = podid_lab::hint::for_lab("down", stage.lab.name());
    let (curl, logs) = match stage.nodes {
        Nodes::Kubelet(_) => (
            format!("kubectl -n {NAMESPACE} exec {pod} -c curl --"),
            "kubectl -n podid-system logs deployment/podid-operator --tail=3".to_owned(),
        ),
        Nodes::StandIn => (
            format!("podid-lab exec -n {NAMESPACE} {pod} --"),
            format!(
                "podid-lab logs -n podid-system {} | tail -n 3",
                operator(&stage)?
            ),
        ),
    };
    println!();
    ui::step("All of it is still there. Look around:");
    ui::detail(&format!(
        "eval \"$({env})\"\n\
         kubectl -n {NAMESPACE} get podidentityprofiles,azureidentities,azureassignedidentities\n\
         kubectl -n {NAMESPACE} get pods -o wide\n\
         {curl} curl -sS -H Metadata:true '{TOKEN_URL}'\n\
         {logs}\n\
         git -C {clone} log --oneline"
    ));
    ui::step("Take the profile back, as its team would:");
    ui::detail(&format!(
        "git -C {clone} revert --no-edit HEAD\n\
         git -C {clone} push --quiet origin main\n\
         kubectl -n {NAMESPACE} wait podidentityprofile/{PROFILE} --for=delete --timeout=60s"
    ));
    ui::step("End the lab:");
    ui::detail(&down);
    Ok(stage.lab.keep()?)
}

/// Name of an operator's pod.
fn operator(stage: &Stage) -> Result<String> {
    let operators = "--selector=app.kubernetes.io/name=podid-operator";
    let first = "--output=jsonpath={.items[0].metadata.name}";
    stage.ask(&[
        "--namespace",
        "podid-system",
        "get",
        "pods",
        operators,
        first,
    ])
}
