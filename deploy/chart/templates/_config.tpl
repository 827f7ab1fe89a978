{{/* How API, worker and gateway reach Temporal. */}}
{{- define "webspaces.temporal" -}}
{{- $temporal := omit .Values.temporal "devServer" -}}
{{- if .Values.temporal.devServer.enabled -}}
{{- $_ := set $temporal "address" (printf "webspaces-temporal.%s.svc:7233" .Release.Namespace) -}}
{{- if not $temporal.uiUrl -}}{{- $_ := set $temporal "uiUrl" "http://127.0.0.1:8233" -}}{{- end -}}
{{- end -}}
{{- if not $temporal.address -}}{{- fail "temporal.address: say host:port of your Temporal, or set temporal.devServer.enabled=true for a trial" -}}{{- end -}}
{{- if not $temporal.uiUrl -}}{{- fail "temporal.uiUrl: say the base URL of Temporal UI, for links" -}}{{- end -}}
{{ toYaml $temporal }}
{{- end }}

{{/* Where LXD is. */}}
{{- define "webspaces.lxdUrl" -}}
{{- if .Values.lxd.url -}}{{ .Values.lxd.url }}
{{- else if .Values.lxd8s.enabled -}}https://webspaces-lxd.{{ .Release.Namespace }}.svc:8443
{{- else -}}{{- fail "lxd.url: say https://host:port of your LXD, or set lxd8s.enabled=true for members in pods" -}}
{{- end -}}
{{- end }}

{{/* What API and worker have in common. */}}
{{- define "webspaces.common" -}}
{{- if not .Values.platform.baseDomain -}}{{- fail "platform.baseDomain: say the domain below which webspaces are, e.g. ws.example.org" -}}{{- end -}}
{{- if not .Values.platform.addressRange.from -}}{{- fail "platform.addressRange: say from and to, addresses of the LAN outside the router's pool" -}}{{- end -}}
{{- if not (.Values.identity).adapter -}}{{- fail "identity.adapter: say who knows the accounts: oidc, iam or local" -}}{{- end -}}
platform: {{ toYaml .Values.platform | nindent 2 }}
lxd:
  url: {{ include "webspaces.lxdUrl" . }}
  clientCertFile: /run/webspaces/lxd/client.crt
  clientKeyFile: /run/webspaces/lxd/client.key
  {{- if .Values.lxd8s.enabled }}
  # The members' own list: the certificate in use and the next one.
  serverCertFile: /run/webspaces/lxd-cluster/certificates.pem
  {{- else }}
  serverCertFile: /run/webspaces/lxd/server.crt
  {{- end }}
identity: {{ toYaml .Values.identity | nindent 2 }}
images: {{ toYaml (merge (dict "stagingFolder" "/var/lib/webspaces/images") .Values.images) | nindent 2 }}
sealing: {keyFile: /run/webspaces/sealing/sealing.json, groupReadable: true}
temporal: {{ include "webspaces.temporal" . | nindent 2 }}
{{- end }}

{{/* The ConfigMap of one process: (list . "api" <YAML of what is the process's>). Its own `config` wins. */}}
{{- define "webspaces.configMap" -}}
{{- $top := index . 0 -}}
{{- $name := index . 1 -}}
{{- $own := deepCopy (index $top.Values $name).config -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: webspaces-{{ $name }}
  labels: {{ include "webspaces.labels" (list $top $name) | nindent 4 }}
data:
  {{ $name }}.yaml: {{ mergeOverwrite (fromYaml (index . 2)) $own | toYaml | quote }}
{{- end }}
