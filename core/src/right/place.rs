//! A scope in words.

use crate::arm::ArmId;

/// Provider and type of a resource, in lower case, and what people call it; one a line.
const KINDS: &str = "\
microsoft.keyvault/vaults|vault
microsoft.keyvault/vaults/secrets|secret
microsoft.keyvault/vaults/keys|key
microsoft.storage/storageaccounts|storage account
microsoft.storage/storageaccounts/blobservices/containers|blob container
microsoft.storage/storageaccounts/fileservices/fileshares|file share
microsoft.storage/storageaccounts/queueservices/queues|queue
microsoft.storage/storageaccounts/tableservices/tables|table
microsoft.managedidentity/userassignedidentities|managed identity
microsoft.compute/virtualmachines|virtual machine
microsoft.compute/virtualmachinescalesets|scale set
microsoft.containerregistry/registries|container registry
microsoft.containerservice/managedclusters|AKS cluster
microsoft.documentdb/databaseaccounts|Cosmos DB account
microsoft.cache/redis|Redis cache
microsoft.sql/servers|SQL server
microsoft.sql/servers/databases|SQL database
microsoft.eventhub/namespaces|Event Hubs namespace
microsoft.eventhub/namespaces/eventhubs|event hub
microsoft.servicebus/namespaces|Service Bus namespace
microsoft.servicebus/namespaces/queues|Service Bus queue
microsoft.servicebus/namespaces/topics|Service Bus topic
microsoft.eventgrid/topics|Event Grid topic
microsoft.appconfiguration/configurationstores|App Configuration store
microsoft.cognitiveservices/accounts|Cognitive Services account
microsoft.search/searchservices|search service
microsoft.operationalinsights/workspaces|Log Analytics workspace
microsoft.insights/components|Application Insights component
microsoft.network/dnszones|DNS zone
microsoft.network/privatednszones|private DNS zone
microsoft.network/virtualnetworks|virtual network
microsoft.web/sites|website
";

/// A scope in words, as `vault kv-payments`, and whether it is one resource. A resource inside another names
/// both, as `blob container reports of storage account st`; an id of an unknown shape stays as it is.
pub(super) fn of(scope: &ArmId) -> (String, bool) {
    let segments: Vec<&str> = scope.as_str().split('/').skip(1).collect();
    let is = |segment: &str, word: &str| segment.eq_ignore_ascii_case(word);
    match segments.as_slice() {
        [subs, subscription] if is(subs, "subscriptions") => {
            (format!("subscription {subscription}"), false)
        }
        [subs, _, groups, group] if is(subs, "subscriptions") && is(groups, "resourceGroups") => {
            (format!("resource group {group}"), false)
        }
        [providers, provider, groups, group]
            if is(providers, "providers")
                && is(provider, "Microsoft.Management")
                && is(groups, "managementGroups") =>
        {
            (format!("management group {group}"), false)
        }
        _ => resource(scope, &segments).unwrap_or_else(|| (scope.to_string(), true)),
    }
}

fn resource(scope: &ArmId, segments: &[&str]) -> Option<(String, bool)> {
    let last = segments
        .iter()
        .rposition(|segment| segment.eq_ignore_ascii_case("providers"))?;
    let [provider, pairs @ ..] = &segments[last + 1..] else {
        return None;
    };
    if pairs.is_empty() || pairs.len() % 2 == 1 || !scope.is_plain() {
        return None;
    }
    let mut kind = (*provider).to_owned();
    let mut words = Vec::new();
    for pair in pairs.chunks(2) {
        kind = format!("{kind}/{}", pair[0]);
        match called(&kind) {
            Some(word) => words.push(format!("{word} {}", pair[1])),
            // `blobServices/default` and the like say nothing.
            None if is_default(pair[1]) => {}
            None => words.push(format!("{kind} {}", pair[1])),
        }
    }
    words.reverse();
    (!words.is_empty()).then(|| (words.join(" of "), true))
}

fn is_default(name: &str) -> bool {
    name.eq_ignore_ascii_case("default")
}

fn called(kind: &str) -> Option<&'static str> {
    let kind = kind.to_ascii_lowercase();
    KINDS.lines().find_map(|line| {
        let (known, word) = line.split_once('|')?;
        (known == kind).then_some(word)
    })
}
