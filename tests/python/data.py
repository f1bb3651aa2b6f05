"""azure-keyvault-secrets and azure-storage-blob, with a machine's identity and with one that may not."""

from cloud import CONFIG, refused, report

from azure.identity import ClientSecretCredential, ManagedIdentityCredential
from azure.keyvault.secrets import SecretClient
from azure.storage.blob import BlobServiceClient

VAULT = "https://demovault.vault.azure.net"
STORE = "https://demostore.blob.core.windows.net"
machine = ManagedIdentityCredential(client_id=CONFIG["demo"]["clientId"])
stranger = ClientSecretCredential(CONFIG["tenant"], CONFIG["client"], CONFIG["secret"])

secrets, store = SecretClient(VAULT, machine), BlobServiceClient(STORE, machine)
secret = secrets.get_secret("greeting")
letters = store.get_container_client("letters")

report(
    secret={"value": secret.value, "name": secret.name, "version": len(secret.properties.version)},
    by_version=secrets.get_secret("greeting", secret.properties.version).value,
    no_secret=refused(secrets.get_secret, "nothing"),
    no_role=refused(SecretClient(VAULT, stranger).get_secret, "greeting"),
    containers=[c.name for c in store.list_containers()],
    blobs=[[b.name, b.size] for b in letters.list_blobs(results_per_page=1)],
    no_container=refused(lambda: list(store.get_container_client("nothing").list_blobs())),
    no_blob_role=refused(lambda: list(BlobServiceClient(STORE, stranger).list_containers())),
)
