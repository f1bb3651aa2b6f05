"""azure-mgmt-authorization: finding a role, granting it, finding the grant, taking it away."""

import uuid

from cloud import CONFIG, refused, report

from azure.identity import ClientSecretCredential
from azure.mgmt.authorization import AuthorizationManagementClient

credential = ClientSecretCredential(CONFIG["tenant"], CONFIG["client"], CONFIG["secret"])
client = AuthorizationManagementClient(credential, CONFIG["subscription"])
definitions, assignments = client.role_definitions, client.role_assignments
group = f"/subscriptions/{CONFIG['subscription']}/resourceGroups/podid"

reader = next(iter(definitions.list(group, filter="roleName eq 'Reader'")))
principal = CONFIG["principal"]


def grant(name, principal, scope=group):
    body = {"role_definition_id": reader.id, "principal_id": principal, "principal_type": "ServicePrincipal"}
    return assignments.create(scope, name, body)


name = str(uuid.uuid4())
made = grant(name, principal)
repeated = grant(name, principal)
listed = [a.name for a in assignments.list_for_scope(group, filter=f"principalId eq '{principal}'")]
read = assignments.get_by_id(made.id)
twin = refused(grant, str(uuid.uuid4()), principal)
ghost = refused(grant, str(uuid.uuid4()), str(uuid.uuid4()))
beyond = refused(grant, str(uuid.uuid4()), principal, f"/subscriptions/{CONFIG['subscription']}")
deleted = assignments.delete(group, name)

report(
    role={"name": reader.role_name, "type": reader.role_type, "actions": reader.permissions[0].actions},
    made={"scope": made.scope, "principal_type": made.principal_type, "by": made.created_by},
    repeated=repeated.name == name,
    listed=listed == [name],
    read=read.principal_id == principal,
    created_on=read.created_on.isoformat(),
    twin=twin,
    ghost=ghost,
    beyond=beyond,
    deleted=deleted.name == name,
    deleted_again=assignments.delete(group, name) is None,
    gone=refused(assignments.get, group, name),
)
