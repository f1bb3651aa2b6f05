"""azure-mgmt-msi: the life of an identity and of its federated credential."""

from cloud import CONFIG, refused, report

from azure.identity import ClientSecretCredential
from azure.mgmt.msi import ManagedServiceIdentityClient

credential = ClientSecretCredential(CONFIG["tenant"], CONFIG["client"], CONFIG["secret"])
msi = ManagedServiceIdentityClient(credential, CONFIG["subscription"])
identities, federated = msi.user_assigned_identities, msi.federated_identity_credentials

made = identities.create_or_update("podid", "web", {"location": "westeurope", "tags": {"a": "1"}})
again = identities.create_or_update("podid", "web", {"location": "westeurope", "tags": {"a": "2"}})
read = identities.get("podid", "WEB")
trust = {"properties": {"issuer": "https://issuer.example/", "subject": "s", "audiences": ["api://AzureADTokenExchange"]}}
fic = federated.create_or_update("podid", "web", "cluster", trust)
fics = [f.subject for f in federated.list("podid", "web")]
federated.delete("podid", "web", "cluster")
in_group = [i.name for i in identities.list_by_resource_group("podid")]
in_subscription = refused(lambda: list(identities.list_by_subscription()))
identities.delete("podid", "web")
identities.delete("podid", "web")

report(
    made={"id": made.id, "type": made.type, "location": made.location, "principal": made.principal_id},
    same_ids=made.principal_id == again.principal_id == read.principal_id and made.client_id == read.client_id,
    tags=read.tags,
    tenant=read.tenant_id,
    federated={"issuer": fic.issuer, "audiences": fic.audiences, "listed": fics},
    in_group=in_group,
    in_subscription=in_subscription,
    gone=refused(identities.get, "podid", "web"),
    bad_name=refused(identities.create_or_update, "podid", "w", {"location": "westeurope"}),
)
