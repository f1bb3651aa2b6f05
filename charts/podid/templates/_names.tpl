{{/* Beginning of all names. A cluster has one podid, so the release's name is no part of it. */}}
{{- define "podid.fullname" -}}
{{- .Values.fullnameOverride | default .Values.nameOverride | default .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "podid.namespace" -}}
{{- .Values.namespaceOverride | default .Release.Namespace -}}
{{- end -}}

{{- define "podid.operator.name" -}}
{{- printf "%s-operator" (include "podid.fullname" .) -}}
{{- end -}}

{{- define "podid.nmi.name" -}}
{{- printf "%s-nmi" (include "podid.fullname" .) -}}
{{- end -}}

{{- define "podid.operator.serviceAccount" -}}
{{- .Values.operator.serviceAccount.name | default (include "podid.operator.name" .) -}}
{{- end -}}

{{- define "podid.nmi.serviceAccount" -}}
{{- .Values.nmi.serviceAccount.name | default (include "podid.nmi.name" .) -}}
{{- end -}}

{{/* Image of a component: its own facts, else those of all images. */}}
{{- define "podid.image" -}}
{{- $own := .image -}}
{{- $all := .root.Values.image -}}
{{- $name := printf "%s/%s" ($own.registry | default $all.registry) $own.repository -}}
{{- $tag := $own.tag | default $all.tag -}}
{{- if and $own.digest $tag -}}
{{- printf "%s:%s@%s" $name $tag $own.digest -}}
{{- else if $own.digest -}}
{{- printf "%s@%s" $name $own.digest -}}
{{- else -}}
{{- printf "%s:%s" $name ($tag | default .root.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* Port of an address IP:PORT. */}}
{{- define "podid.port" -}}
{{- regexFind "[0-9]+$" (toString .) -}}
{{- end -}}

{{/* `true` where the API server is to add the drop of NET_RAW, else empty: as the value says; without one, beside the
rule and where the API server knows the kind. */}}
{{- define "podid.addsDrop" -}}
{{- $add := .Values.policies.netRaw.addDrop -}}
{{- if kindIs "invalid" $add -}}
{{- $isKnown := .Capabilities.APIVersions.Has "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy" -}}
{{- $add = and .Values.policies.netRaw.enabled $isKnown -}}
{{- end -}}
{{- if $add }}true{{ end -}}
{{- end -}}
