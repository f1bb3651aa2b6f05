"""Lists the containers of a storage account with the identity of the pod it runs in.

Nothing here knows podid: the SDK asks the metadata service, as it would on any machine in Azure.
"""

import sys

from azure.core.exceptions import AzureError
from azure.identity import ManagedIdentityCredential
from azure.storage.blob import BlobServiceClient


def main(account: str) -> None:
    client = BlobServiceClient(f"https://{account}.blob.core.windows.net", ManagedIdentityCredential())
    try:
        for container in client.list_containers():
            print(container.name)
    except AzureError as error:
        status = getattr(error, "status_code", None) or "no answer"
        sys.exit(f"cannot list the containers of {account} ({status}): {error}")


if __name__ == "__main__":
    main(*sys.argv[1:])
