"""Reads a Key Vault secret with the identity of the pod it runs in.

Nothing here knows podid: the SDK asks the metadata service, as it would on any machine in Azure.
"""

import sys

from azure.identity import ManagedIdentityCredential
from azure.keyvault.secrets import SecretClient


def main(vault_url: str, secret: str) -> None:
    client = SecretClient(vault_url, ManagedIdentityCredential())
    print(client.get_secret(secret).value)


if __name__ == "__main__":
    main(*sys.argv[1:])
