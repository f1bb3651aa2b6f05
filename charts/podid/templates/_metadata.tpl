{{/*
Labels and annotations of an object. Arguments: root; name, the label app.kubernetes.io/name, and component, for what
belongs to one of the programs; labels and annotations, more of them.
*/}}
{{- define "podid.metadata" -}}
{{- $labels := include "podid.labels" . | fromYaml -}}
labels:
  {{- toYaml $labels | nindent 2 }}
{{- with mergeOverwrite (dict) .root.Values.commonAnnotations (.annotations | default dict) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "podid.labels" -}}
{{- $own := dict
    "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-")
    "app.kubernetes.io/part-of" "podid"
    "app.kubernetes.io/instance" .root.Release.Name
    "app.kubernetes.io/managed-by" .root.Release.Service
    "app.kubernetes.io/version" (.root.Chart.AppVersion | replace "+" "_") -}}
{{- with .name }}{{ $_ := set $own "app.kubernetes.io/name" . }}{{ end -}}
{{- with .component }}{{ $_ := set $own "app.kubernetes.io/component" . }}{{ end -}}
{{- toYaml (mergeOverwrite (dict) .root.Values.commonLabels (.labels | default dict) $own) -}}
{{- end -}}

{{/* Labels of pods: nothing that changes with the chart's version, or every upgrade would replace all pods. */}}
{{- define "podid.podLabels" -}}
{{- $own := dict
    "app.kubernetes.io/name" .name
    "app.kubernetes.io/part-of" "podid"
    "app.kubernetes.io/instance" .root.Release.Name -}}
{{- toYaml (mergeOverwrite (dict) .root.Values.commonLabels (.labels | default dict) $own) -}}
{{- end -}}
