"""azure-identity: every credential podid's users and its operator are likely to have."""

import base64
import json

from cloud import CONFIG, refused, report

from azure.identity import (
    CertificateCredential,
    ClientAssertionCredential,
    ClientSecretCredential,
    DefaultAzureCredential,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)

SCOPE = "https://vault.azure.net/.default"
TENANT, CLIENT = CONFIG["tenant"], CONFIG["client"]
demo = CONFIG["demo"]


def claims(credential):
    payload = credential.get_token(SCOPE).token.split(".")[1]
    found = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return {name: found.get(name) for name in ("aud", "appid", "tid", "xms_mirid")}


def token(credential):
    return refused(credential.get_token, SCOPE)


report(
    secret=claims(ClientSecretCredential(TENANT, CLIENT, CONFIG["secret"])),
    certificate=claims(CertificateCredential(TENANT, CLIENT, certificate_data=CONFIG["certificate"].encode())),
    assertion=claims(ClientAssertionCredential(TENANT, CLIENT, lambda: CONFIG["assertion"])),
    workload=claims(
        WorkloadIdentityCredential(
            tenant_id=TENANT, client_id=demo["clientId"], token_file_path=CONFIG["assertion_file"]
        )
    ),
    managed={
        "alone": claims(ManagedIdentityCredential()),
        "client": claims(ManagedIdentityCredential(client_id=demo["clientId"])),
        "object": claims(ManagedIdentityCredential(identity_config={"object_id": demo["principalId"]})),
        "resource": claims(ManagedIdentityCredential(identity_config={"resource_id": demo["id"]})),
        "default": claims(DefaultAzureCredential(managed_identity_client_id=demo["clientId"])),
    },
    wrong_secret=token(ClientSecretCredential(TENANT, CLIENT, "wrong")),
    wrong_tenant=token(ClientSecretCredential("11111111-0000-4000-8000-000000000000", CLIENT, CONFIG["secret"])),
    unassigned=token(ManagedIdentityCredential(client_id=CLIENT)),
)
