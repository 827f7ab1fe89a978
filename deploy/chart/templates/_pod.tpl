{{/*
Of the pod of every process: (list . "worker"). One that asks Kubernetes nothing says of which account it is without a token: (list . "api" "default").
An account is always named: where a Deployment no longer says it, the API server keeps the former one, which helm has deleted.
*/}}
{{- define "webspaces.podSpec" -}}
{{- $top := index . 0 -}}
{{- $name := index . 1 -}}
{{- $tokenless := gt (len .) 2 -}}
serviceAccountName: {{ if $tokenless }}{{ index . 2 }}{{ else }}webspaces-{{ $name }}{{ end }}
automountServiceAccountToken: {{ not $tokenless }}
securityContext: {runAsNonRoot: true, runAsUser: 1000, runAsGroup: 1000, fsGroup: 1000, seccompProfile: {type: RuntimeDefault}}
{{- with $top.Values.image.pullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with include "webspaces.placement" $top }}
{{ . }}
{{- end }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector: {matchLabels: {{ include "webspaces.selector" . | fromYaml | toJson }}}
{{- end }}

{{/* Nodes that pods may be on. Argument: the chart's root. */}}
{{- define "webspaces.placement" -}}
{{- with .Values.nodeSelector -}}
nodeSelector: {{ toYaml . | nindent 2 }}
{{ end }}
{{- with .Values.tolerations -}}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Of every process: the port, or its name. One that starts slowly is not ended for it. */}}
{{- define "webspaces.probes" -}}
startupProbe: {httpGet: {path: /health/live, port: {{ . }}}, periodSeconds: 2, timeoutSeconds: 5, failureThreshold: 60}
livenessProbe: {httpGet: {path: /health/live, port: {{ . }}}, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6}
readinessProbe: {httpGet: {path: /health/ready, port: {{ . }}}, periodSeconds: 5, timeoutSeconds: 3}
{{- end }}

{{/* Of the container of every process: (list . "api" 8080), the port being that of health and metrics. */}}
{{- define "webspaces.container" -}}
{{- $top := index . 0 -}}
{{- $name := index . 1 -}}
name: {{ $name }}
image: {{ include "webspaces.image" (list $top $name) }}
imagePullPolicy: {{ $top.Values.image.pullPolicy }}
args: [--config, /etc/webspaces/{{ $name }}.yaml]
securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
resources: {{ toYaml (index $top.Values $name).resources | nindent 2 }}
{{ include "webspaces.probes" (index . 2) }}
{{- end }}

{{/* A change of the configuration is a new pod. (list . "api.yaml") */}}
{{- define "webspaces.checksum" -}}
{{- $top := index . 0 -}}
checksum/config: {{ include (print $top.Template.BasePath "/" (index . 1)) $top | sha256sum | trunc 16 }}
{{- end }}

{{/* Secrets of API and worker. */}}
{{- define "webspaces.secretVolumes" -}}
- {name: sealing, secret: {secretName: {{ .Values.secrets.sealing }}, defaultMode: 0440}}
- {name: lxd, secret: {secretName: {{ .Values.secrets.lxd }}, defaultMode: 0440}}
{{- if .Values.lxd8s.enabled }}
- {name: lxd-cluster, configMap: {name: lxd-cluster}}
{{- end }}
- {name: staging, persistentVolumeClaim: {claimName: {{ .Values.staging.existingClaim | default "webspaces-staging" }}}}
{{- end }}

{{- define "webspaces.secretMounts" -}}
- {name: sealing, mountPath: /run/webspaces/sealing, readOnly: true}
- {name: lxd, mountPath: /run/webspaces/lxd, readOnly: true}
{{- if .Values.lxd8s.enabled }}
- {name: lxd-cluster, mountPath: /run/webspaces/lxd-cluster, readOnly: true}
{{- end }}
- {name: staging, mountPath: /var/lib/webspaces/images}
{{- end }}

{{/*
Node keeps little in /tmp; the root is read-only. Of the Secrets that values may name, those that the process's configuration can ask for:
(list . "api" "identity" "temporal"), and (list . "identity" "temporal") for the mounts.
*/}}
{{- define "webspaces.ownVolumes" -}}
{{- $top := index . 0 -}}
- {name: config, configMap: {name: webspaces-{{ index . 1 }}}}
- {name: tmp, emptyDir: {}}
{{- range $name := slice . 2 }}
{{- with index $top.Values.secrets $name }}
- {name: {{ $name }}, secret: {secretName: {{ . }}, defaultMode: 0440}}
{{- end }}
{{- end }}
{{- end }}

{{- define "webspaces.ownMounts" -}}
{{- $top := index . 0 -}}
- {name: config, mountPath: /etc/webspaces, readOnly: true}
- {name: tmp, mountPath: /tmp}
{{- range $name := rest . }}
{{- if index $top.Values.secrets $name }}
- {name: {{ $name }}, mountPath: /run/webspaces/{{ $name }}, readOnly: true}
{{- end }}
{{- end }}
{{- end }}

{{/* One of several may always go: (list . "api"). */}}
{{- define "webspaces.disruption" -}}
{{- $top := index . 0 -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: webspaces-{{ index . 1 }}
  labels: {{ include "webspaces.labels" . | nindent 4 }}
spec:
  maxUnavailable: 1
  selector: {matchLabels: {{ include "webspaces.selector" . | fromYaml | toJson }}}
{{- end }}
