//! Policies and rights: the text of `kustomize/cluster`, with names that follow the chart's values.

use std::path::Path;

use anyhow::{Context, Result};

use super::edit::{Edit, apply, source};
use super::names::{CHART, HEADER};
use crate::generated::Generated;

/// A template that is made of manifests.
pub(super) struct Template {
    /// Below the chart's `templates`.
    pub(super) file: &'static str,
    /// Below `kustomize/cluster`, in the order in which they are rendered.
    pub(super) sources: &'static [&'static str],
    /// What a template of one of them begins and ends with.
    pub(super) around: (&'static str, &'static str),
    pub(super) edits: &'static [Edit],
}

pub(super) fn files() -> Result<Vec<Generated>> {
    TEMPLATES.iter().map(Template::render).collect()
}

impl Template {
    pub(super) fn render(&self) -> Result<Generated> {
        let mut documents = Vec::new();
        for path in self.sources {
            let text = source(&format!("kustomize/cluster/{path}"))?;
            documents.push(without_account(&text).to_owned());
        }
        let text = apply(&documents.join("---\n"), self.edits);
        let text = text.with_context(|| format!("{} cannot be made", self.file))?;
        let (begin, end) = self.around;
        Ok(Generated {
            path: Path::new(CHART).join("templates").join(self.file),
            content: format!("{HEADER}{begin}\n{text}{end}\n"),
        })
    }
}

/// The chart has templates of its own for service accounts, which values can leave out.
fn without_account(text: &str) -> &str {
    match text.split_once("---\n") {
        Some((account, rest)) if account.contains("kind: ServiceAccount\n") => rest,
        _ => text,
    }
}

pub(super) const fn edit(from: &'static str, to: &'static str, times: usize) -> Edit {
    Edit { from, to, times }
}

/// What follows the name of a policy or its binding.
macro_rules! metadata {
    () => {
        "\n  {{- include \"podid.metadata\" (dict \"root\" $) | nindent 2 }}\n"
    };
}
pub(super) use metadata;

/// Names, rights and bindings of a program's service account.
macro_rules! rights {
    ($name:literal, $part:literal, $cluster:literal, $own:literal $(, $more:expr)*) => {
        &[
            $($more,)*
            edit(
                concat!(
                    "metadata:\n  name: ",
                    $name,
                    "\n  namespace: podid-system\n"
                ),
                concat!(
                    "metadata:\n  name: {{ include \"podid.",
                    $part,
                    ".name\" . }}\n  namespace: {{ include \"podid.namespace\" . }}",
                    metadata!()
                ),
                $own,
            ),
            edit(
                concat!("metadata:\n  name: ", $name, "\n"),
                concat!(
                    "metadata:\n  name: {{ include \"podid.",
                    $part,
                    ".name\" . }}",
                    metadata!()
                ),
                $cluster,
            ),
            edit(
                concat!("Role\n  name: ", $name, "\n"),
                concat!("Role\n  name: {{ include \"podid.", $part, ".name\" . }}\n"),
                ($cluster + $own) / 2,
            ),
            edit(
                concat!("    name: ", $name, "\n    namespace: podid-system\n"),
                concat!(
                    "    name: {{ include \"podid.",
                    $part,
                    ".serviceAccount\" . }}\n    namespace: {{ include \"podid.namespace\" . }}\n"
                ),
                ($cluster + $own) / 2,
            ),
        ]
    };
}

const OPERATOR: Edit = edit(
    "system:serviceaccount:podid-system:podid-operator",
    "system:serviceaccount:{{ include \"podid.namespace\" $ }}:{{ include \"podid.operator.serviceAccount\" $ }}",
    1,
);

const DAEMON: Edit = edit(
    "system:serviceaccount:podid-system:podid-nmi",
    "system:serviceaccount:{{ include \"podid.namespace\" $ }}:{{ include \"podid.nmi.serviceAccount\" $ }}",
    1,
);

/// Rules of the daemon's own account, which it has not where it acts as its node.
macro_rules! own {
    ($rule:literal) => {
        edit(
            $rule,
            concat!(
                "{{- if not .Values.nmi.settings.actAsNode }}\n",
                $rule,
                "{{- end }}\n"
            ),
            1,
        )
    };
}

const OWN_PODS: Edit = own!(
    "  # Who called: the pods of its own node (watched with fieldSelector spec.nodeName).
  - apiGroups: [\"\"]
    resources: [pods]
    verbs: [list, watch]
"
);

const OWN_EVENTS: Edit = own!(
    "  # What was refused, as an Event on the pod.
  - apiGroups: [events.k8s.io]
    resources: [events]
    verbs: [create]
"
);

/// The mode of a policy that a class or profile sets to `Enforce` or `Audit`, of which kustomize has two overlays.
const MODE: Edit = edit("\"'Enforce'\"", "\"'{{ $mode }}'\"", 1);

/// What such a policy about pods does when it cannot be evaluated: a warning must never keep a pod from starting.
const POLICY_FAILURE: Edit = edit(
    "  failurePolicy: Fail\n",
    "  failurePolicy: {{ $audit | ternary \"Ignore\" \"Fail\" }}\n",
    1,
);

/// Takes the profiles out of a binding, whose policy looks at none.
pub(super) const NO_PARAMETERS: Edit = edit(
    "  paramRef:
    # Every profile of the pod's own namespace; none there, nothing to check.
    selector: {}
    parameterNotFoundAction: Allow
",
    "",
    1,
);

/// What such a policy does in its mode.
const ACTIONS: Edit = edit(
    "  validationActions: [Deny]\n",
    "  validationActions: [{{ $audit | ternary \"Warn, Audit\" \"Deny\" }}]\n",
    1,
);

const TEMPLATES: &[Template] = &[
    Template {
        file: "operator/rights.yaml",
        sources: &["rbac/operator.yaml"],
        around: ("{{- if .Values.rbac.create }}", "{{- end }}"),
        edits: rights!("podid-operator", "operator", 2, 2),
    },
    Template {
        file: "nmi/rights.yaml",
        sources: &["rbac/nmi.yaml"],
        around: ("{{- if .Values.rbac.create }}", "{{- end }}"),
        edits: rights!("podid-nmi", "nmi", 2, 0, OWN_PODS, OWN_EVENTS),
    },
    Template {
        file: "nmi/rights-as-node.yaml",
        sources: &["../components/act-as-node/rights.yaml"],
        around: (
            "{{- if and .Values.rbac.create .Values.nmi.settings.actAsNode }}",
            "{{- end }}",
        ),
        edits: &[
            edit(
                "metadata:\n  name: podid-nmi-as-node\n  labels:\n    app.kubernetes.io/part-of: podid\n",
                concat!(
                    "metadata:\n  name: {{ include \"podid.nmi.name\" . }}-as-node",
                    metadata!()
                ),
                2,
            ),
            edit(
                "Role\n  name: podid-nmi-as-node\n",
                "Role\n  name: {{ include \"podid.nmi.name\" . }}-as-node\n",
                1,
            ),
            edit(
                "    name: podid-nmi\n    namespace: podid-system\n",
                "    name: {{ include \"podid.nmi.serviceAccount\" . }}\n    namespace: {{ include \"podid.namespace\" . }}\n",
                1,
            ),
        ],
    },
    Template {
        file: "people.yaml",
        sources: &["rbac/people.yaml"],
        around: ("{{- if .Values.rbac.create }}", "{{- end }}"),
        edits: &[
            edit(
                "  name: podid-view\n  labels:\n    rbac.authorization.k8s.io/aggregate-to-view: \"true\"\n",
                "  name: {{ include \"podid.fullname\" . }}-view
  {{- $view := .Values.rbac.aggregateToView | ternary (dict \"rbac.authorization.k8s.io/aggregate-to-view\" \"true\") (dict) }}
  {{- include \"podid.metadata\" (dict \"root\" $ \"labels\" $view) | nindent 2 }}\n",
                1,
            ),
            edit(
                "  name: podid-edit\n  labels:\n    rbac.authorization.k8s.io/aggregate-to-edit: \"true\"\n",
                "  name: {{ include \"podid.fullname\" . }}-edit
  {{- $edit := .Values.rbac.aggregateToEdit | ternary (dict \"rbac.authorization.k8s.io/aggregate-to-edit\" \"true\") (dict) }}
  {{- include \"podid.metadata\" (dict \"root\" $ \"labels\" $edit) | nindent 2 }}\n",
                1,
            ),
            edit(
                "  name: podid-class-admin\n",
                concat!(
                    "  name: {{ include \"podid.fullname\" . }}-class-admin",
                    metadata!()
                ),
                1,
            ),
        ],
    },
    Template {
        file: "policies/assigned-identities.yaml",
        sources: &[
            "policies/assigned-identities/policy.yaml",
            "policies/assigned-identities/binding.yaml",
        ],
        around: (
            "{{- if .Values.policies.assignedIdentities.enabled }}",
            "{{- end }}",
        ),
        edits: &[
            edit(
                "  name: podid-assigned-identities\n",
                concat!("  name: podid-assigned-identities", metadata!()),
                2,
            ),
            OPERATOR,
        ],
    },
    Template {
        file: "policies/assignment-records.yaml",
        sources: &[
            "policies/assignment-records/policy.yaml",
            "policies/assignment-records/binding.yaml",
        ],
        around: ("{{- if .Values.policies.assignmentRecords.enabled }}", "{{- end }}"),
        edits: &[
            edit(
                "  name: podid-assignment-records\n",
                concat!("  name: podid-assignment-records", metadata!()),
                2,
            ),
            OPERATOR,
        ],
    },
    Template {
        file: "policies/node-taints.yaml",
        sources: &[
            "policies/node-taints/policy.yaml",
            "policies/node-taints/binding.yaml",
        ],
        around: ("{{- if .Values.policies.nodeTaints.enabled }}", "{{- end }}"),
        edits: &[
            edit(
                "  name: podid-node-taints\n",
                concat!("  name: podid-node-taints", metadata!()),
                2,
            ),
            OPERATOR,
        ],
    },
    Template {
        file: "policies/profile-specs.yaml",
        sources: &[
            "policies/profile-specs/policy.yaml",
            "policies/profile-specs/binding.yaml",
        ],
        around: ("{{- if .Values.policies.profileSpecs.enabled }}", "{{- end }}"),
        edits: &[
            edit(
                "  name: podid-profile-specs\n",
                concat!("  name: podid-profile-specs", metadata!()),
                2,
            ),
            OPERATOR,
        ],
    },
    Template {
        file: "policies/binding-label.yaml",
        sources: &[
            "policies/binding-label/policy.yaml",
            "policies/binding-label/binding.yaml",
        ],
        around: ("{{- if .Values.policies.bindingLabel.enabled }}", "{{- end }}"),
        edits: &[edit(
            "  name: podid-binding-label\n",
            concat!("  name: podid-binding-label", metadata!()),
            2,
        )],
    },
    Template {
        file: "policies/class-limits.yaml",
        sources: &[
            "policies/class-limits/policy.yaml",
            "policies/class-limits/binding.yaml",
        ],
        around: ("{{- if .Values.policies.classLimits.enabled }}", "{{- end }}"),
        edits: &[
            edit(
                "  name: podid-class-limits\n",
                concat!("  name: podid-class-limits", metadata!()),
                2,
            ),
            edit(
                "  validationActions: [Deny]\n",
                "  validationActions: [{{ .Values.policies.classLimits.action }}]\n",
                1,
            ),
        ],
    },
    Template {
        file: "policies/daemon-events.yaml",
        sources: &[
            "policies/daemon-events/policy.yaml",
            "policies/daemon-events/binding.yaml",
        ],
        around: ("{{- if .Values.policies.daemonEvents.enabled }}", "{{- end }}"),
        edits: &[
            edit(
                "  name: podid-daemon-events\n",
                concat!("  name: podid-daemon-events", metadata!()),
                2,
            ),
            DAEMON,
        ],
    },
    Template {
        file: "policies/node-events.yaml",
        sources: &[
            "../components/act-as-node/policy.yaml",
            "../components/act-as-node/binding.yaml",
        ],
        around: (
            "{{- if and .Values.policies.daemonEvents.enabled .Values.nmi.settings.actAsNode }}",
            "{{- end }}",
        ),
        edits: &[edit(
            "  name: podid-node-events\n  labels:\n    app.kubernetes.io/part-of: podid\n",
            concat!("  name: podid-node-events", metadata!()),
            2,
        )],
    },
    Template {
        file: "policies/drop-net-raw.yaml",
        sources: &[
            "../components/drop-net-raw/policy.yaml",
            "../components/drop-net-raw/binding.yaml",
        ],
        around: (
            "{{- if include \"podid.addsDrop\" $ }}",
            "{{- end }}",
        ),
        edits: &[edit(
            "  name: podid-drop-net-raw\n  labels:\n    app.kubernetes.io/part-of: podid\n",
            concat!("  name: podid-drop-net-raw", metadata!()),
            2,
        )],
    },
    Template {
        file: "policies/legacy-within-class.yaml",
        sources: &[
            "../components/legacy-within-class/policy.yaml",
            "../components/legacy-within-class/binding.yaml",
        ],
        around: (
            "{{- if eq .Values.operator.settings.legacyIdentities \"WithinClass\" }}",
            "{{- end }}",
        ),
        edits: &[
            edit(
                "  name: podid-legacy-identities\n  labels:\n    app.kubernetes.io/part-of: podid\n",
                concat!("  name: podid-legacy-identities", metadata!()),
                2,
            ),
            OPERATOR,
        ],
    },
    Template {
        file: "policies/no-legacy-identities.yaml",
        sources: &[
            "../components/no-legacy-identities/policy.yaml",
            "../components/no-legacy-identities/binding.yaml",
        ],
        around: (
            "{{- if eq .Values.operator.settings.legacyIdentities \"None\" }}",
            "{{- end }}",
        ),
        edits: &[
            edit(
                "  name: podid-legacy-identities\n  labels:\n    app.kubernetes.io/part-of: podid\n",
                concat!("  name: podid-legacy-identities", metadata!()),
                2,
            ),
            OPERATOR,
        ],
    },
    Template {
        file: "policies/net-raw-legacy.yaml",
        sources: &[
            "policies/net-raw/rule/policy.yaml",
            "policies/net-raw/rule/binding.yaml",
        ],
        // kustomize's overlay `legacy` of the rule, in the mode of its two components.
        around: (
            "{{- $mode := default \"Ignore\" .Values.operator.settings.legacyNetRaw }}
{{- $audit := eq $mode \"Audit\" }}
{{- if ne $mode \"Ignore\" }}
---",
            "{{- end }}",
        ),
        edits: &[
            edit(
                "# Refuses a pod that a profile with `netRaw: Enforce` binds while",
                "# Refuses, or warns of, a pod with the label aadpodidbinding, whoever binds it, while",
                1,
            ),
            edit(
                "  name: podid-net-raw\n",
                concat!("  name: podid-net-raw-legacy", metadata!()),
                2,
            ),
            edit(
                "  policyName: podid-net-raw\n",
                "  policyName: podid-net-raw-legacy\n",
                1,
            ),
            edit(
                "  # Evaluated once for each profile in the pod's namespace.
  paramKind:
    apiVersion: podid.dev/v1alpha1
    kind: PodIdentityProfile
",
                "",
                1,
            ),
            edit(
                "    # Here and not among the variables: of thousands of profiles in a namespace, each that does not bind the \
pod then
    # costs these conditions only.
    - name: binds
      expression: >-
        object.metadata.?labels[?'aadpodidbinding'].orValue('') in [
        params.spec.?binding.?selector.orValue(params.metadata.name),
        params.?status.?binding.?selector.orValue('')]
",
                "",
                1,
            ),
            edit(
                "    - name: selector
      expression: params.spec.?binding.?selector.orValue(params.metadata.name)
",
                "",
                1,
            ),
            edit(
                "    # By what the profile asks for, or by what was last applied of it: the pod is bound by the
    # latter as long as podid has not applied an edit, or refuses it.
    - name: applies
      expression: >-
        (params.spec.?netRaw.orValue('Enforce') == variables.mode &&
        variables.label == variables.selector) ||
        (params.?status.?binding.?netRaw.orValue('') == variables.mode &&
        variables.label == params.?status.?binding.?selector.orValue(''))
",
                "    # An empty selector matches nothing, so an empty label is bound by nothing.
    - name: applies
      expression: variables.label != ''
",
                1,
            ),
            edit(
                "        'profile ' + params.metadata.name + ' (netRaw: ' + variables.mode +
        ') binds this pod by its label aadpodidbinding'
",
                "        'this cluster holds every pod with the label aadpodidbinding to the rule (legacyNetRaw: ' +
        variables.mode + ')'
",
                1,
            ),
            NO_PARAMETERS,
            POLICY_FAILURE,
            MODE,
            ACTIONS,
        ],
    },
    Template {
        file: "policies/host-namespaces-templates.yaml",
        sources: &[
            "policies/neighbours/host-namespaces/policy.yaml",
            "policies/neighbours/host-namespaces/binding.yaml",
        ],
        around: ("{{- if .Values.policies.neighbours.enabled }}", "{{- end }}"),
        edits: &[
            edit(
                "  name: podid-host-namespaces-templates\n",
                concat!("  name: podid-host-namespaces-templates", metadata!()),
                2,
            ),
            edit(
                "[kube-system, podid-system]",
                "[kube-system, {{ include \"podid.namespace\" $ }}]",
                1,
            ),
        ],
    },
    Template {
        file: "policies/neighbours.yaml",
        sources: &[
            "policies/neighbours/rule/policy.yaml",
            "policies/neighbours/rule/binding.yaml",
        ],
        // kustomize's two overlays of the rule.
        around: (
            "{{- if .Values.policies.neighbours.enabled }}
{{- range $mode := list \"Enforce\" \"Audit\" }}
{{- $audit := eq $mode \"Audit\" }}
---",
            "{{- end }}\n{{- end }}",
        ),
        edits: &[
            edit(
                "  name: podid-neighbours\n",
                concat!("  name: podid-neighbours-{{ lower $mode }}", metadata!()),
                2,
            ),
            edit(
                "  policyName: podid-neighbours\n",
                "  policyName: podid-neighbours-{{ lower $mode }}\n",
                1,
            ),
            edit(
                "[kube-system, podid-system]",
                "[kube-system, {{ include \"podid.namespace\" $ }}]",
                1,
            ),
            MODE,
            ACTIONS,
        ],
    },
    Template {
        file: "policies/net-raw.yaml",
        sources: &[
            "policies/net-raw/rule/policy.yaml",
            "policies/net-raw/rule/binding.yaml",
        ],
        // kustomize's two overlays of the rule.
        around: (
            "{{- if .Values.policies.netRaw.enabled }}
{{- range $mode := list \"Enforce\" \"Audit\" }}
{{- $audit := eq $mode \"Audit\" }}
---",
            "{{- end }}\n{{- end }}",
        ),
        edits: &[
            edit(
                "  name: podid-net-raw\n",
                concat!("  name: podid-net-raw-{{ lower $mode }}", metadata!()),
                2,
            ),
            edit(
                "  policyName: podid-net-raw\n",
                "  policyName: podid-net-raw-{{ lower $mode }}\n",
                1,
            ),
            POLICY_FAILURE,
            MODE,
            ACTIONS,
        ],
    },
];
