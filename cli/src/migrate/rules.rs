//! What becomes of each value of aad-pod-identity's chart.

/// What becomes of a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rule {
    /// It is copied to these places.
    To(&'static [&'static str]),
    /// A text becomes a setting; an empty one has podid's default.
    Text(&'static [&'static str]),
    /// It has no counterpart, for this reason.
    None(&'static str),
    /// It is read by a rule of its own.
    Own(Own),
}

/// Values with a rule of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Own {
    OperationMode,
    ForceNamespaced,
    UseMsi,
    ImmutableIdentities,
    Disruptions,
    OperatorTolerations,
    LogVerbosity(&'static str),
    LogFormat(&'static str),
    Identities,
}

const IMAGES: &str = "podid has images of its own; see image.registry";
const ONE_PORT: &str = "podid has one port for health and metrics: adminAddr of operator.settings and \
                        nmi.settings";
const NO_QUEUE: &str = "podid works on each VM and scale set by itself and backs off as Azure asks; see \
                        operator.settings.concurrency";
const CLASS: &str = "it is a fact of the environment, and belongs into a PodIdentityClass (see `podid class create`)";
const LEASE: &str =
    "the operator's Lease is in its own namespace and has the times that Kubernetes recommends";
const NO_CONFIG: &str =
    "podid reads no azure.json; its facts are in classes and in operator.settings";
const WATCHED: &str = "podid's daemon is told by watches and does not ask again; how long a request waits says \
                       nmi.settings.assignWait";

/// Each value and what becomes of it. A value of a mapping here is one with all below it.
pub(super) const RULES: &[(&str, Rule)] = &[
    ("image.repository", Rule::None(IMAGES)),
    ("image.imagePullPolicy", Rule::Text(&["image.pullPolicy"])),
    ("imagePullSecrets", Rule::To(&["imagePullSecrets"])),
    ("nameOverride", Rule::Text(&["nameOverride"])),
    ("fullnameOverride", Rule::Text(&["fullnameOverride"])),
    ("forceNamespaced", Rule::Own(Own::ForceNamespaced)),
    // As charts before 4 had it.
    ("forceNameSpaced", Rule::Own(Own::ForceNamespaced)),
    (
        "installMICException",
        Rule::None(
            "podid's operator signs in with a federated credential, or from its node's network, and needs no exception",
        ),
    ),
    ("operationMode", Rule::Own(Own::OperationMode)),
    (
        "adminsecret.cloud",
        Rule::Text(&["operator.settings.cloud"]),
    ),
    ("adminsecret.subscriptionID", Rule::None(CLASS)),
    ("adminsecret.resourceGroup", Rule::None(CLASS)),
    (
        "adminsecret.vmType",
        Rule::None("podid sees from each node whether it is a VM or of a scale set"),
    ),
    (
        "adminsecret.tenantID",
        Rule::Text(&["operator.settings.tenantId"]),
    ),
    (
        "adminsecret.clientID",
        Rule::Text(&["operator.settings.clientId"]),
    ),
    (
        "adminsecret.clientSecret",
        Rule::None(
            "a secret is not copied into a values file; use a federated credential (the default), or mount a \
             Secret and name its file in operator.settings.clientSecretFile",
        ),
    ),
    ("adminsecret.useMSI", Rule::Own(Own::UseMsi)),
    (
        "adminsecret.userAssignedMSIClientID",
        Rule::Text(&["operator.settings.clientId"]),
    ),
    ("mic.image", Rule::None(IMAGES)),
    ("mic.tag", Rule::None(IMAGES)),
    ("mic.replicas", Rule::To(&["operator.replicaCount"])),
    ("mic.resources", Rule::To(&["operator.resources"])),
    ("mic.nodeSelector", Rule::To(&["operator.nodeSelector"])),
    ("mic.tolerations", Rule::Own(Own::OperatorTolerations)),
    ("mic.affinity", Rule::To(&["operator.affinity"])),
    (
        "mic.topologySpreadConstraints",
        Rule::To(&["operator.topologySpreadConstraints"]),
    ),
    ("mic.podDisruptionBudget", Rule::Own(Own::Disruptions)),
    (
        "mic.priorityClassName",
        Rule::Text(&["operator.priorityClassName"]),
    ),
    ("mic.podAnnotations", Rule::To(&["operator.podAnnotations"])),
    ("mic.podLabels", Rule::To(&["operator.podLabels"])),
    ("mic.logVerbosity", Rule::Own(Own::LogVerbosity("operator"))),
    ("mic.loggingFormat", Rule::Own(Own::LogFormat("operator"))),
    (
        "mic.leaderElection.name",
        Rule::Text(&["operator.settings.lease"]),
    ),
    ("mic.leaderElection.instance", Rule::None(LEASE)),
    ("mic.leaderElection.namespace", Rule::None(LEASE)),
    ("mic.leaderElection.duration", Rule::None(LEASE)),
    ("mic.probePort", Rule::None(ONE_PORT)),
    ("mic.prometheusPort", Rule::None(ONE_PORT)),
    ("mic.syncRetryDuration", Rule::None(NO_QUEUE)),
    ("mic.createDeleteBatch", Rule::None(NO_QUEUE)),
    (
        "mic.clientQps",
        Rule::None("podid leaves the pace of its calls to the API server's own fairness"),
    ),
    ("mic.updateUserMSIMaxRetry", Rule::None(NO_QUEUE)),
    ("mic.updateUserMSIRetryInterval", Rule::None(NO_QUEUE)),
    (
        "mic.identityAssignmentReconcileInterval",
        Rule::Text(&["operator.settings.targetInterval"]),
    ),
    ("mic.immutableUserMSIs", Rule::Own(Own::ImmutableIdentities)),
    ("mic.cloudConfig", Rule::None(NO_CONFIG)),
    (
        "mic.customCloud",
        Rule::None("podid takes another cloud by operator.settings.armEndpoint and authorityHost"),
    ),
    ("nmi.image", Rule::None(IMAGES)),
    ("nmi.tag", Rule::None(IMAGES)),
    ("nmi.resources", Rule::To(&["nmi.resources"])),
    ("nmi.nodeSelector", Rule::To(&["nmi.nodeSelector"])),
    ("nmi.tolerations", Rule::To(&["nmi.tolerations"])),
    ("nmi.affinity", Rule::To(&["nmi.affinity"])),
    (
        "nmi.priorityClassName",
        Rule::Text(&["nmi.priorityClassName"]),
    ),
    ("nmi.podAnnotations", Rule::To(&["nmi.podAnnotations"])),
    ("nmi.podLabels", Rule::To(&["nmi.podLabels"])),
    ("nmi.logVerbosity", Rule::Own(Own::LogVerbosity("nmi"))),
    ("nmi.loggingFormat", Rule::Own(Own::LogFormat("nmi"))),
    (
        "nmi.updateStrategy",
        Rule::None(
            "podid's new daemon starts beside the old one, so that pods are served all the time",
        ),
    ),
    ("nmi.probePort", Rule::None(ONE_PORT)),
    ("nmi.prometheusPort", Rule::None(ONE_PORT)),
    (
        "nmi.ipTableUpdateTimeIntervalInSeconds",
        Rule::None(
            "podid's rules are nftables, and the kernel tells the daemon when somebody changes them",
        ),
    ),
    (
        "nmi.micNamespace",
        Rule::None("podid's daemon does not need to know where the operator runs"),
    ),
    ("nmi.retryAttemptsForCreated", Rule::None(WATCHED)),
    ("nmi.retryAttemptsForAssigned", Rule::None(WATCHED)),
    (
        "nmi.findIdentityRetryIntervalInSeconds",
        Rule::None(WATCHED),
    ),
    (
        "nmi.blockInstanceMetadata",
        Rule::None("podid never passes other paths of the metadata service to pods"),
    ),
    (
        "nmi.enableScaleFeatures",
        Rule::None("podid's daemon always reads the pods of its own node only"),
    ),
    (
        "nmi.metadataHeaderRequired",
        Rule::None("podid always asks for the header Metadata: true, as Azure does"),
    ),
    (
        "nmi.allowNetworkPluginKubenet",
        Rule::None(
            "podid's rules keep pods on a bridge apart, so it runs with kubenet without a switch",
        ),
    ),
    (
        "nmi.kubeletConfig",
        Rule::None("podid does not ask which network plugin the kubelet uses"),
    ),
    (
        "nmi.setRetryAfterHeader",
        Rule::None("podid's answers tell clients when to ask again where that helps"),
    ),
    (
        "nmi.enableConntrackDeletion",
        Rule::None(
            "podid keeps pods off a node until its rules are there, so no connection is older than they are",
        ),
    ),
    ("rbac.enabled", Rule::To(&["rbac.create"])),
    (
        "rbac.allowAccessToSecrets",
        Rule::None("podid reads no Secrets; AzureIdentity types 1 and 2 are not served"),
    ),
    (
        "rbac.pspEnabled",
        Rule::None("Kubernetes has no PodSecurityPolicies any more"),
    ),
    (
        "rbac.createUserFacingClusterRoles",
        Rule::None(
            "podid adds its rights to the cluster's roles: rbac.aggregateToView and aggregateToEdit",
        ),
    ),
    ("azureIdentities", Rule::Own(Own::Identities)),
    (
        "customUserAgent",
        Rule::None("podid names itself and its version in its calls"),
    ),
];
