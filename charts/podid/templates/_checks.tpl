{{/* What no schema can refuse. In the words of the value that is wrong. */}}
{{- define "podid.checks" -}}
{{- $settings := .Values.operator.settings -}}
{{- if ne $settings.credential "managed-identity" -}}
{{- $given := list -}}
{{- range .Values.operator.extraEnv }}{{ $given = append $given .name }}{{ end -}}
{{- range $name := list "tenantId" "clientId" -}}
{{- if not (or (index $settings $name) (has (printf "PODID_%s" ($name | snakecase | upper)) $given)) -}}
{{- fail (printf "operator.settings.%s is empty: give it the id of the operator's own identity, or set operator.settings.credential to managed-identity" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if ne (default "Any" .Values.operator.settings.legacyIdentities) (default "Any" .Values.nmi.settings.legacyIdentities) -}}
{{- fail "operator.settings.legacyIdentities and nmi.settings.legacyIdentities must be the same" -}}
{{- end -}}
{{- if ne (default "Ignore" .Values.operator.settings.legacyNetRaw) (default "Ignore" .Values.nmi.settings.legacyNetRaw) -}}
{{- fail "operator.settings.legacyNetRaw and nmi.settings.legacyNetRaw must be the same" -}}
{{- end -}}
{{- if and .Values.crds.install (or .Values.classes .Values.profiles) -}}
{{- fail "classes and profiles cannot be installed with crds.install: Helm looks their kinds up before it creates any; leave crds.install at false, or apply the classes and profiles by themselves" -}}
{{- end -}}
{{- if and .Values.prometheus.podMonitor.enabled (regexMatch "^(127\\.|localhost|\\[?::1)" (toString .Values.nmi.settings.adminAddr)) -}}
{{- fail "prometheus.podMonitor.enabled needs a nmi.settings.adminAddr that Prometheus reaches, such as 0.0.0.0:8081; a loopback address is reached from the node alone" -}}
{{- end -}}
{{- if and .Values.podDisruptionBudget.enabled (eq (toString .Values.podDisruptionBudget.minAvailable) "") (eq (toString .Values.podDisruptionBudget.maxUnavailable) "") -}}
{{- fail "podDisruptionBudget needs minAvailable or maxUnavailable" -}}
{{- end -}}
{{- if and (ne (toString .Values.podDisruptionBudget.minAvailable) "") (ne (toString .Values.podDisruptionBudget.maxUnavailable) "") -}}
{{- fail "podDisruptionBudget takes minAvailable or maxUnavailable, not both: set the other one to an empty text" -}}
{{- end -}}
{{- end -}}
