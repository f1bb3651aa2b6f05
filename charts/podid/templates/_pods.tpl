{{/* Data of a ConfigMap: settings by the names of their environment variables; one with an empty value is left out. */}}
{{- define "podid.settings" -}}
{{- range $name, $value := . }}
{{- if ne (toString $value) "" }}
PODID_{{ $name | snakecase | upper }}: {{ toString $value | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Annotations of pods. A changed setting replaces them, because they read settings when they start. */}}
{{- define "podid.podAnnotations" -}}
{{- $settings := include "podid.settings" .values.settings | sha256sum -}}
{{- toYaml (mergeOverwrite (dict) (dict "podid.dev/settings-checksum" $settings) .values.podAnnotations) -}}
{{- end -}}

{{/* What both pods say the same way, of the values of one. */}}
{{- define "podid.podSpec" -}}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
terminationGracePeriodSeconds: {{ .values.terminationGracePeriodSeconds }}
{{- range $field := list "nodeSelector" "tolerations" "affinity" "topologySpreadConstraints" "dnsConfig" "hostAliases" }}
{{- with index $.values $field }}
{{ $field }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- with .values.dnsPolicy }}
dnsPolicy: {{ . }}
{{- end }}
{{- with .values.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "podid.container" -}}
image: {{ include "podid.image" (dict "root" .root "image" .values.image) | quote }}
imagePullPolicy: {{ .values.image.pullPolicy | default .root.Values.image.pullPolicy }}
{{- with .values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
