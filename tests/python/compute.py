"""azure-mgmt-compute: the identities of scale sets and machines, through the SDK's own poller."""

from cloud import CONFIG, refused, report

from azure.core import MatchConditions
from azure.identity import ClientSecretCredential
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.msi import ManagedServiceIdentityClient

credential = ClientSecretCredential(CONFIG["tenant"], CONFIG["client"], CONFIG["secret"])
compute = ComputeManagementClient(credential, CONFIG["subscription"])
msi = ManagedServiceIdentityClient(credential, CONFIG["subscription"])
sets, machines = compute.virtual_machine_scale_sets, compute.virtual_machines

web = msi.user_assigned_identities.create_or_update("podid", "web", {"location": "westeurope"})


def identity(kind, **users):
    ids = {msi_id(name): value for name, value in users.items()}
    return {"identity": {"type": kind, "userAssignedIdentities": ids} if ids else {"type": kind}}


def msi_id(name):
    return web.id.rsplit("/", 1)[0] + "/" + name


def names(resource):
    users = resource.identity.user_assigned_identities if resource.identity else None
    return sorted(key.rsplit("/", 1)[1] for key in users or {})


before = sets.get("nodes", "pool1")
added = sets.begin_update("nodes", "pool1", identity("UserAssigned", web={})).result()
both = sets.begin_update("nodes", "pool1", identity("SystemAssigned, UserAssigned")).result()
removed = sets.begin_update("nodes", "pool1", identity("SystemAssigned, UserAssigned", web=None)).result()
missing = refused(lambda: sets.begin_update("nodes", "pool1", identity("UserAssigned", web={}, gone={})).result())
unsaid = refused(lambda: sets.begin_update("nodes", "pool1", identity("SystemAssigned", web={})).result())
machine = machines.begin_update("nodes", "vm1", identity("UserAssigned", web={})).result()
stale = refused(
    lambda: machines.begin_update(
        "nodes", "vm1", identity("None"), etag='"0"', match_condition=MatchConditions.IfNotModified
    ).result()
)
instances = list(compute.virtual_machine_scale_set_vms.list("nodes", "pool1"))

report(
    before={"names": names(before), "state": before.provisioning_state, "mode": before.orchestration_mode},
    added={"names": names(added), "state": added.provisioning_state},
    client=added.identity.user_assigned_identities[msi_id("web")].client_id == web.client_id,
    both={"names": names(both), "type": both.identity.type, "has_principal": bool(both.identity.principal_id)},
    removed=names(removed),
    missing=missing,
    unsaid=unsaid,
    machine=names(machine),
    stale=stale,
    instances=[[i.instance_id, i.os_profile.computer_name, i.latest_model_applied] for i in instances],
    listed=[[s.name for s in sets.list("nodes")], [m.name for m in machines.list("nodes")]],
)
