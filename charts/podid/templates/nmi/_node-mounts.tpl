{{/* Where the unit and its program are written, in the container. */}}
{{- define "podid.nmi.nodeMounts" -}}
- name: node-program
  mountPath: /node/opt/podid
- name: node-units
  mountPath: /node/etc/systemd/system
{{- end -}}
