//! What the built-in roles let their holder do, in words, from the descriptions in Azure's own list of them
//! (learn.microsoft.com/azure/role-based-access-control/built-in-roles).

/// Role, what it allows, and the kind of resource that this is of; one a line. Without a kind, it is about
/// whatever the scope is.
const LIST: &str = "\
Owner|everything, also granting roles|
Contributor|change and deletion of everything, but no granting of roles|
Reader|read on everything but data and secrets|
User Access Administrator|granting of any role|
Role Based Access Control Administrator|granting of any role|
Managed Identity Contributor|creation and deletion|managed identity
Managed Identity Operator|reading and assigning|managed identity
Virtual Machine Contributor|change and deletion|virtual machine
CDN Endpoint Contributor|change and deletion|CDN endpoint
CDN Endpoint Reader|read on settings|CDN endpoint
CDN Profile Contributor|change and deletion|CDN profile
CDN Profile Reader|read on settings|CDN profile
DNS Zone Contributor|change of all records|DNS zone
Network Contributor|change and deletion|network
Private DNS Zone Contributor|change of all records|private DNS zone
Traffic Manager Contributor|change and deletion|Traffic Manager profile
Key Vault Administrator|read, change and deletion of all secrets, keys and certificates|vault
Key Vault Certificate User|read on all certificates with their private keys|vault
Key Vault Certificates Officer|change and deletion of all certificates|vault
Key Vault Contributor|change and deletion, but no access to secrets, keys and certificates,|vault
Key Vault Crypto Officer|use, change and deletion of all keys|vault
Key Vault Crypto Service Encryption User|wrapping and unwrapping with all keys|vault
Key Vault Crypto User|use of all keys|vault
Key Vault Reader|read on the names, but not the values, of all secrets, keys and certificates|vault
Key Vault Secrets Officer|read, change and deletion of all secrets|vault
Key Vault Secrets User|read on all secrets|vault
Reader and Data Access|read on the access keys, by which all data can be read and changed,|storage account
Storage Account Backup Contributor|backup and restoring|storage account
Storage Account Contributor|change, and read on the access keys, by which all data can be read and changed,|storage account
Storage Account Key Operator Service Role|read and renewal of the access keys|storage account
Storage Blob Data Contributor|read, change and deletion of all blobs|storage account
Storage Blob Data Owner|read, change and deletion of all blobs, and of who may use them,|storage account
Storage Blob Data Reader|read on all blobs|storage account
Storage Blob Delegator|signing of links to blobs|storage account
Storage File Data Privileged Contributor|read, change and deletion of all files, whatever their permissions,|storage account
Storage File Data Privileged Reader|read on all files, whatever their permissions,|storage account
Storage File Data SMB Share Contributor|read, change and deletion of all files on SMB shares|storage account
Storage File Data SMB Share Elevated Contributor|read, change and deletion of all files on SMB shares, and of their permissions,|storage account
Storage File Data SMB Share Reader|read on all files on SMB shares|storage account
Storage Queue Data Contributor|read, sending and deletion of all queue messages|storage account
Storage Queue Data Message Processor|read and deletion of all queue messages|storage account
Storage Queue Data Message Sender|sending of queue messages|storage account
Storage Queue Data Reader|read on all queue messages|storage account
Storage Table Data Contributor|read, change and deletion of all tables|storage account
Storage Table Data Reader|read on all tables|storage account
AcrDelete|deletion of all images|container registry
AcrImageSigner|signing of all images|container registry
AcrPull|pulling of all images|container registry
AcrPush|pulling and pushing of all images|container registry
AcrQuarantineReader|pulling of quarantined images|container registry
AcrQuarantineWriter|pulling and release of quarantined images|container registry
Azure Kubernetes Service Cluster Admin Role|read on the administrator's credentials|AKS cluster
Azure Kubernetes Service Cluster User Role|read on a user's credentials|AKS cluster
Azure Kubernetes Service Contributor Role|change and deletion|AKS cluster
Azure Kubernetes Service RBAC Admin|change of all objects but quotas and namespaces|AKS cluster
Azure Kubernetes Service RBAC Cluster Admin|change of all objects|AKS cluster
Azure Kubernetes Service RBAC Reader|read on most objects, without secrets,|AKS cluster
Azure Kubernetes Service RBAC Writer|change of most objects, also of secrets,|AKS cluster
Cosmos DB Account Reader Role|read on settings|Cosmos DB account
Cosmos DB Operator|change and deletion, but no access to data,|Cosmos DB account
DocumentDB Account Contributor|change and deletion, also read on the access keys,|Cosmos DB account
Redis Cache Contributor|change and deletion|Redis cache
SQL DB Contributor|change and deletion, but no access to data,|SQL database
SQL Managed Instance Contributor|change and deletion, but no access to data,|SQL managed instance
SQL Security Manager|change of the security settings|SQL server
SQL Server Contributor|change and deletion, but no access to data,|SQL server
Azure Event Hubs Data Owner|sending and receiving of all events, and change,|Event Hubs namespace
Azure Event Hubs Data Receiver|receiving of all events|Event Hubs namespace
Azure Event Hubs Data Sender|sending of events|Event Hubs namespace
Azure Relay Listener|listening|relay
Azure Relay Owner|sending, listening and change|relay
Azure Relay Sender|sending|relay
Azure Service Bus Data Owner|sending and receiving of all messages, and change,|Service Bus namespace
Azure Service Bus Data Receiver|receiving of all messages|Service Bus namespace
Azure Service Bus Data Sender|sending of messages|Service Bus namespace
EventGrid Contributor|change and deletion|Event Grid topic
EventGrid Data Sender|sending of events|Event Grid topic
EventGrid EventSubscription Contributor|change of subscriptions to events|Event Grid topic
EventGrid EventSubscription Reader|read on subscriptions to events|Event Grid topic
SignalR AccessKey Reader|read on the access keys|SignalR service
SignalR App Server|serving of clients|SignalR service
SignalR REST API Owner|sending of messages to all clients|SignalR service
SignalR REST API Reader|read on who is connected|SignalR service
SignalR Service Owner|sending of messages to all clients, and change,|SignalR service
SignalR/Web PubSub Contributor|change and deletion|SignalR service
App Configuration Data Owner|read, change and deletion of all settings|App Configuration store
App Configuration Data Reader|read on all settings|App Configuration store
Azure Maps Data Contributor|read and change of all data|Azure Maps account
Azure Maps Data Reader|read on all data|Azure Maps account
AzureML Data Scientist|running of experiments|machine learning workspace
Cognitive Services Contributor|change and deletion, also read on the access keys,|Cognitive Services account
Cognitive Services OpenAI Contributor|use and change of all models|Cognitive Services account
Cognitive Services OpenAI User|use of all models|Cognitive Services account
Cognitive Services User|use, and read on the access keys,|Cognitive Services account
Search Index Data Contributor|read and change of all indexes|search service
Search Index Data Reader|read on all indexes|search service
Search Service Contributor|change and deletion|search service
Application Insights Component Contributor|change and deletion|Application Insights component
Log Analytics Contributor|read on all logs, and change of settings,|Log Analytics workspace
Log Analytics Reader|read on all logs|Log Analytics workspace
Monitoring Contributor|read on all monitoring data, and change of settings,|
Monitoring Metrics Publisher|sending of metrics|
Monitoring Reader|read on all monitoring data|
API Management Service Contributor|change and deletion|API Management service
API Management Service Operator Role|change of settings, but not of APIs,|API Management service
API Management Service Reader Role|read on settings and APIs|API Management service
Data Factory Contributor|change and deletion|data factory
IoT Hub Data Contributor|read and change of all device data|IoT hub
IoT Hub Data Reader|read on all device data|IoT hub
Logic App Contributor|change and deletion|logic app
Logic App Operator|read, enabling and disabling|logic app
Website Contributor|change and deletion|website
";

/// What a built-in role allows, and the kind of resource that this is of, if it is of one kind.
pub(super) fn of(role: &str) -> Option<(&'static str, Option<&'static str>)> {
    LIST.lines().find_map(|line| {
        let (name, rest) = line.split_once('|')?;
        let (allows, kind) = rest.split_once('|')?;
        (name == role).then_some((allows, (!kind.is_empty()).then_some(kind)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::role::Role;

    #[test]
    fn every_role_that_podid_knows_by_name_has_words() {
        for name in Role::built_in_names() {
            let (allows, _) = of(name).unwrap_or_else(|| panic!("{name} has no words"));
            assert!(!allows.is_empty() && !allows.contains('|'), "{name}");
        }
        assert_eq!(LIST.lines().count(), Role::built_in_names().count());
    }
}
