//! Warnings at templates of pods: one policy of `kustomize/cluster`, and its overlays for other rules.

use anyhow::Result;

use super::objects::{NO_PARAMETERS, Template, edit, metadata};
use crate::generated::Generated;

pub(super) fn files() -> Result<Vec<Generated>> {
    TEMPLATES.iter().map(Template::render).collect()
}

/// The policy that warns at templates, of which kustomize has two overlays.
const SOURCES: &[&str] = &[
    "policies/net-raw/templates/rule/policy.yaml",
    "policies/net-raw/templates/rule/binding.yaml",
];

/// The condition that a profile binds the pods of a template.
const BINDS: &str = "    - name: binds
      expression: >-
        (request.kind.kind == 'CronJob'
        ? dyn(object).spec.jobTemplate.spec.template.?metadata.?labels[?'aadpodidbinding'].orValue('')
        : dyn(object).spec.?template.?metadata.?labels[?'aadpodidbinding'].orValue('')) ==
        params.spec.?binding.?selector.orValue(params.metadata.name)
";

/// What the other parts say that the overlays change.
const WHOSE_PODS: &str = "whose pods a profile would refuse, or warn of.";
const MODE: &str = "params.spec.?netRaw.orValue('Enforce')";
const RULE: &str =
    "        'profile ' + params.metadata.name + ' (netRaw: ' + variables.mode + ') binds the pods of this template'
";

/// The name of the policy, and of its binding.
macro_rules! name {
    ($name:literal) => {
        edit(
            "  name: templates\n",
            concat!("  name: ", $name, metadata!()),
            2,
        )
    };
}

/// The policy that the binding is for.
macro_rules! policy_name {
    ($name:literal) => {
        edit(
            "  policyName: templates\n",
            concat!("  policyName: ", $name, "\n"),
            1,
        )
    };
}

const TEMPLATES: &[Template] = &[
    Template {
        file: "policies/net-raw-templates.yaml",
        sources: SOURCES,
        around: ("{{- if .Values.policies.netRaw.enabled }}", "{{- end }}"),
        edits: &[
            name!("podid-net-raw-templates"),
            policy_name!("podid-net-raw-templates"),
            edit(
                "expression: \"false\"",
                "expression: {{ include \"podid.addsDrop\" $ | eq \"true\" | ternary \"variables.mode == 'Enforce'\" \"false\" | quote }}",
                1,
            ),
        ],
    },
    Template {
        file: "policies/neighbours-templates.yaml",
        sources: SOURCES,
        // kustomize's overlay `neighbours/templates`.
        around: ("{{- if .Values.policies.neighbours.enabled }}", "{{- end }}"),
        edits: &[
            edit(
                WHOSE_PODS,
                "whose pods the rule for neighbours would refuse, or warn of.",
                1,
            ),
            name!("podid-neighbours-templates"),
            policy_name!("podid-neighbours-templates"),
            edit("each profile in the namespace", "each class", 1),
            edit("    kind: PodIdentityProfile\n", "    kind: PodIdentityClass\n", 1),
            edit(
                "  matchConstraints:\n",
                "  matchConstraints:
    namespaceSelector:
      matchExpressions:
        - key: kubernetes.io/metadata.name
          operator: NotIn
          values: [kube-system, {{ include \"podid.namespace\" $ }}]
",
                1,
            ),
            edit(
                BINDS,
                "    - name: asks
      expression: has(params.spec.neighbours)
",
                1,
            ),
            edit(
                MODE,
                "params.spec.?neighbours.?rule.orValue('Ignore')",
                1,
            ),
            edit(
                "      expression: \"true\"\n",
                "      expression: >-
        !(request.namespace in params.spec.?neighbours.?exceptNamespaces.orValue([])) &&
        (params.spec.?neighbours.?scope.orValue('Namespaces') == 'Nodes' ||
        params.spec.?limits.?namespaces.?names.orValue([]).exists(n, n == '*' || n == request.namespace) ||
        (params.spec.?limits.?namespaces.?matchLabels.orValue({}).size() > 0 &&
        params.spec.?limits.?namespaces.?matchLabels.orValue({}).all(k,
        namespaceObject.metadata.?labels[?k] == params.spec.limits.namespaces.matchLabels[?k]))) &&
        !(params.spec.?neighbours.?exceptNodes.orValue({}).size() > 0 &&
        params.spec.?neighbours.?exceptNodes.orValue({}).all(k,
        variables.spec.?nodeSelector[?k] == params.spec.?neighbours.?exceptNodes[?k]))
",
                1,
            ),
            edit(
                RULE,
                "        'class ' + params.metadata.name + ' (neighbours: ' + variables.mode +
        ') asks of every pod ' + (params.spec.?neighbours.?scope.orValue('Namespaces') == 'Nodes'
        ? 'on nodes that serve identities' : 'of namespaces that may use it') +
        ' to drop NET_RAW, also of the pods of this template'
",
                1,
            ),
            edit(
                "    # Whether a policy adds the drop where it is missing, as the component drop-net-raw has it for `netRaw: \
Enforce`.
",
                "    # Which profile binds a pod is nothing that this rule sees; only pods with the label can get the drop.
",
                1,
            ),
            edit(
                "expression: \"false\"",
                "expression: {{ include \"podid.addsDrop\" $ | eq \"true\" | ternary \
\"variables.template.?metadata.?labels[?'aadpodidbinding'].orValue('') != ''\" \"false\" | quote }}",
                1,
            ),
            edit(
                "    # Every profile of the pod's own namespace; none there, nothing to check.
",
                "    # Every class; none there, nothing to check.
",
                1,
            ),
        ],
    },
    Template {
        file: "policies/legacy-net-raw-templates.yaml",
        sources: SOURCES,
        // kustomize's overlay `legacy-templates`, in the mode of the two components.
        around: (
            "{{- $mode := default \"Ignore\" .Values.operator.settings.legacyNetRaw }}
{{- if ne $mode \"Ignore\" }}
---",
            "{{- end }}",
        ),
        edits: &[
            edit(
                WHOSE_PODS,
                "whose pods the rule for every pod with the label
# would refuse, or warn of.",
                1,
            ),
            name!("podid-legacy-net-raw-templates"),
            policy_name!("podid-legacy-net-raw-templates"),
            edit(
                "  # Evaluated once for each profile in the namespace.
  paramKind:
    apiVersion: podid.dev/v1alpha1
    kind: PodIdentityProfile
",
                "",
                1,
            ),
            edit(
                ".orValue('')) ==
        params.spec.?binding.?selector.orValue(params.metadata.name)
",
                ".orValue('')) != ''
",
                1,
            ),
            edit(
                MODE,
                "\"'{{ $mode }}'\"",
                1,
            ),
            edit(
                RULE,
                "        'this cluster holds every pod with the label aadpodidbinding to the rule (legacyNetRaw: ' +
        variables.mode + '), also the pods of this template'
",
                1,
            ),
            NO_PARAMETERS,
        ],
    },
];
