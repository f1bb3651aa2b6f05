//! Azure's built-in roles that podid knows by name, from Azure's own list of them
//! (learn.microsoft.com/azure/role-based-access-control/built-in-roles): those that an application
//! may want, and their neighbours, so that one role is not taken for a misspelling of another. A
//! built-in role keeps its GUID for ever.

/// Lets its holder assign an identity to VMs and scale sets.
pub const MANAGED_IDENTITY_OPERATOR: &str = "Managed Identity Operator";

/// Lets its holder change VMs and scale sets.
pub const VIRTUAL_MACHINE_CONTRIBUTOR: &str = "Virtual Machine Contributor";

/// Roles that give rights to give rights; never granted unless a class lists them by name.
pub const PRIVILEGED: &[&str] = &[
    "Owner",
    "User Access Administrator",
    "Role Based Access Control Administrator",
];

/// Name and GUID of each, one a line.
const LIST: &str = "\
8e3af657-a8ff-443c-a75c-2fe8c4bcb635 Owner
b24988ac-6180-42a0-ab88-20f7382dd24c Contributor
acdd72a7-3385-48ef-bd42-f606fba81ae7 Reader
18d7d88d-d35e-4fb5-a5c3-7773c20a72d9 User Access Administrator
f58310d9-a9f6-439a-9e8d-f62e7b41a168 Role Based Access Control Administrator
e40ec5ca-96e0-45a2-b4ff-59039f2c2b59 Managed Identity Contributor
f1a07417-d97a-45cb-824c-7a7467783830 Managed Identity Operator
9980e02c-c2be-4d73-94e8-173b1dc7cf3c Virtual Machine Contributor
426e0c7f-0c7e-4658-b36f-ff54d6c29b45 CDN Endpoint Contributor
871e35f6-b5c1-49cc-a043-bde969a0f2cd CDN Endpoint Reader
ec156ff8-a8d1-4d15-830c-5b80698ca432 CDN Profile Contributor
8f96442b-4075-438f-813d-ad51ab4019af CDN Profile Reader
befefa01-2a29-4197-83a8-272ff33ce314 DNS Zone Contributor
4d97b98b-1d4f-4787-a291-c67834d212e7 Network Contributor
b12aa53e-6015-4669-85d0-8515ebb3ae7f Private DNS Zone Contributor
a4b10055-b0c7-44c2-b00f-c7b5b3550cf7 Traffic Manager Contributor
00482a5a-887f-4fb3-b363-3b7fe8e74483 Key Vault Administrator
db79e9a7-68ee-4b58-9aeb-b90e7c24fcba Key Vault Certificate User
a4417e6f-fecd-4de8-b567-7b0420556985 Key Vault Certificates Officer
f25e0fa2-a7c8-4377-a976-54943a77a395 Key Vault Contributor
14b46e9e-c2b7-41b4-b07b-48a6ebf60603 Key Vault Crypto Officer
e147488a-f6f5-4113-8e2d-b22465e65bf6 Key Vault Crypto Service Encryption User
12338af0-0e69-4776-bea7-57ae8d297424 Key Vault Crypto User
21090545-7ca7-4776-b22c-e363652d74d2 Key Vault Reader
b86a8fe4-44ce-4948-aee5-eccb2c155cd7 Key Vault Secrets Officer
4633458b-17de-408a-b874-0445c86b69e6 Key Vault Secrets User
c12c1c16-33a1-487b-954d-41c89c60f349 Reader and Data Access
e5e2a7ff-d759-4cd2-bb51-3152d37e2eb1 Storage Account Backup Contributor
17d1049b-9a84-46fb-8f53-869881c3d3ab Storage Account Contributor
81a9662b-bebf-436f-a333-f67b29880f12 Storage Account Key Operator Service Role
ba92f5b4-2d11-453d-a403-e96b0029c9fe Storage Blob Data Contributor
b7e6dc6d-f1e8-4753-8033-0f276bb0955b Storage Blob Data Owner
2a2b9908-6ea1-4ae2-8e65-a410df84e7d1 Storage Blob Data Reader
db58b8e5-c6ad-4a2a-8342-4190687cbf4a Storage Blob Delegator
69566ab7-960f-475b-8e7c-b3118f30c6bd Storage File Data Privileged Contributor
b8eda974-7b85-4f76-af95-65846b26df6d Storage File Data Privileged Reader
0c867c2a-1d8c-454a-a3db-ab2ea1bdc8bb Storage File Data SMB Share Contributor
a7264617-510b-434b-a828-9731dc254ea7 Storage File Data SMB Share Elevated Contributor
aba4ae5f-2193-4029-9191-0cb91df5e314 Storage File Data SMB Share Reader
974c5e8b-45b9-4653-ba55-5f855dd0fb88 Storage Queue Data Contributor
8a0f0c08-91a1-4084-bc3d-661d67233fed Storage Queue Data Message Processor
c6a89b2d-59bc-44d0-9896-0f6e12d7b80a Storage Queue Data Message Sender
19e7f393-937e-4f77-808e-94535e297925 Storage Queue Data Reader
0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3 Storage Table Data Contributor
76199698-9eea-4c19-bc75-cec21354c6b6 Storage Table Data Reader
c2f4ef07-c644-48eb-af81-4b1b4947fb11 AcrDelete
6cef56e8-d556-48e5-a04f-b8e64114680f AcrImageSigner
7f951dda-4ed3-4680-a7ca-43fe172d538d AcrPull
8311e382-0749-4cb8-b61a-304f252e45ec AcrPush
cdda3590-29a3-44f6-95f2-9f980659eb04 AcrQuarantineReader
c8d4ff99-41c3-41a8-9f60-21dfdad59608 AcrQuarantineWriter
0ab0b1a8-8aac-4efd-b8c2-3ee1fb270be8 Azure Kubernetes Service Cluster Admin Role
4abbcc35-e782-43d8-92c5-2d3f1bd2253f Azure Kubernetes Service Cluster User Role
ed7f3fbd-7b88-4dd4-9017-9adb7ce333f8 Azure Kubernetes Service Contributor Role
3498e952-d568-435e-9b2c-8d77e338d7f7 Azure Kubernetes Service RBAC Admin
b1ff04bb-8a4e-4dc4-8eb5-8693973ce19b Azure Kubernetes Service RBAC Cluster Admin
7f6c6a51-bcf8-42ba-9220-52d62157d7db Azure Kubernetes Service RBAC Reader
a7ffa36f-339b-4b5c-8bdf-e2c188b2c0eb Azure Kubernetes Service RBAC Writer
fbdf93bf-df7d-467e-a4d2-9458aa1360c8 Cosmos DB Account Reader Role
230815da-be43-4aae-9cb4-875f7bd000aa Cosmos DB Operator
5bd9cd88-fe45-4216-938b-f97437e15450 DocumentDB Account Contributor
e0f68234-74aa-48ed-b826-c38b57376e17 Redis Cache Contributor
9b7fa17d-e63e-47b0-bb0a-15c516ac86ec SQL DB Contributor
4939a1f6-9ae0-4e48-a1e0-f2cbe897382d SQL Managed Instance Contributor
056cd41c-7e88-42e1-933e-88ba6a50c9c3 SQL Security Manager
6d8ee4ec-f05a-4a1d-8b00-a9b17e38b437 SQL Server Contributor
f526a384-b230-433a-b45c-95f59c4a2dec Azure Event Hubs Data Owner
a638d3c7-ab3a-418d-83e6-5f17a39d4fde Azure Event Hubs Data Receiver
2b629674-e913-4c01-ae53-ef4638d8f975 Azure Event Hubs Data Sender
26e0b698-aa6d-4085-9386-aadae190014d Azure Relay Listener
2787bf04-f1f5-4bfe-8383-c8a24483ee38 Azure Relay Owner
26baccc8-eea7-41f1-98f4-1762cc7f685d Azure Relay Sender
090c5cfd-751d-490a-894a-3ce6f1109419 Azure Service Bus Data Owner
4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0 Azure Service Bus Data Receiver
69a216fc-b8fb-44d8-bc22-1f3c2cd27a39 Azure Service Bus Data Sender
1e241071-0855-49ea-94dc-649edcd759de EventGrid Contributor
d5a91429-5739-47e2-a06b-3470a27159e7 EventGrid Data Sender
428e0ff0-5e57-4d9c-a221-2c70d0e0a443 EventGrid EventSubscription Contributor
2414bbcf-6497-4faf-8c65-045460748405 EventGrid EventSubscription Reader
04165923-9d83-45d5-8227-78b77b0a687e SignalR AccessKey Reader
420fcaa2-552c-430f-98ca-3264be4806c7 SignalR App Server
fd53cd77-2268-407a-8f46-7e7863d0f521 SignalR REST API Owner
ddde6b66-c0df-4114-a159-3618637b3035 SignalR REST API Reader
7e4f1700-ea5a-4f59-8f37-079cfe29dce3 SignalR Service Owner
8cf5e20a-e4b2-4e9d-b3a1-5ceb692c2761 SignalR/Web PubSub Contributor
5ae67dd6-50cb-40e7-96ff-dc2bfa4b606b App Configuration Data Owner
516239f1-63e1-4d78-a4de-a74fb236a071 App Configuration Data Reader
8f5e0ce6-4f7b-4dcf-bddf-e6f48634a204 Azure Maps Data Contributor
423170ca-a8f6-4b0f-8487-9e4eb8f49bfa Azure Maps Data Reader
f6c7c914-8db3-469d-8ca1-694a8f32e121 AzureML Data Scientist
25fbc0a9-bd7c-42a3-aa1a-3b75d497ee68 Cognitive Services Contributor
a001fd3d-188f-4b5d-821b-7da978bf7442 Cognitive Services OpenAI Contributor
5e0bd9bd-7b93-4f28-af87-19fc36ad61bd Cognitive Services OpenAI User
a97b65f3-24c7-4388-baec-2e87135dc908 Cognitive Services User
8ebe5a00-799e-43f5-93ac-243d3dce84a7 Search Index Data Contributor
1407120a-92aa-4202-b7e9-c0e197c71c8f Search Index Data Reader
7ca78c08-252a-4471-8644-bb5ff32d4ba0 Search Service Contributor
ae349356-3a1b-4a5e-921d-050484c6347e Application Insights Component Contributor
92aaf0da-9dab-42b6-94a3-d43ce8d16293 Log Analytics Contributor
73c42c96-874c-492b-b04d-ab87d138a893 Log Analytics Reader
749f88d5-cbae-40b8-bcfc-e573ddc772fa Monitoring Contributor
3913510d-42f4-4e42-8a64-420c390055eb Monitoring Metrics Publisher
43d0d8ad-25c7-4714-9337-8ba259a9fe05 Monitoring Reader
312a565d-c81f-4fd8-895a-4e21e48d571c API Management Service Contributor
e022efe7-f5ba-4159-bbe4-b44f577e9b61 API Management Service Operator Role
71522526-b88f-4d52-b57f-d31fc3546d0d API Management Service Reader Role
673868aa-7521-48a0-acc6-0f60742d39f5 Data Factory Contributor
4fc6c259-987e-4a07-842e-c321cc9d413f IoT Hub Data Contributor
b447c946-2db7-41ec-983d-d8bf3b1c77e3 IoT Hub Data Reader
87a39d53-fc1b-424a-814c-f7e04687dc9e Logic App Contributor
515c2055-d9d4-4321-b1b9-bd0c9a0f79fe Logic App Operator
de139f84-1756-47ae-9be6-808fbbe84772 Website Contributor
";

/// Name and GUID of every built-in role that podid knows.
pub(super) fn all() -> impl Iterator<Item = (&'static str, &'static str)> + Clone {
    let line = |line: &'static str| line.split_once(' ');
    LIST.lines().filter_map(line).map(|(id, name)| (name, id))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use uuid::Uuid;

    use super::*;

    #[test]
    fn every_line_is_a_role_of_its_own() {
        let count = LIST.lines().count();
        let names: BTreeSet<_> = all().map(|(name, _)| name.to_ascii_lowercase()).collect();
        let ids: BTreeSet<_> = all().map(|(_, id)| id).collect();
        assert_eq!((names.len(), ids.len()), (count, count));
        for (name, id) in all() {
            assert_eq!(Uuid::try_parse(id).unwrap().to_string(), id, "{name}");
            assert_eq!(name.trim(), name);
        }
    }
}
