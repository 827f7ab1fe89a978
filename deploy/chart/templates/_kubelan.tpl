{{/*
The sidecar that puts a pod on the LAN. Arguments: the chart's root, and what concerns this pod:
  addresses  list of address/length, e.g. (list "172.24.254.2/16"), $(INDEX) being the number of a StatefulSet's pod; optional
  bridge     bridge that the interface becomes a port of; optional
It stands in initContainers: it is started before the pod's own containers and ended after them, so that they never are without the LAN.
  initContainers:
    {{- include "webspaces.kubelan" (list . (dict "addresses" (list "172.24.254.2/16"))) | nindent 4 }}
  volumes:
    {{- include "webspaces.kubelan.volume" . | nindent 4 }}
The pod needs a service account that may list and watch EndpointSlices: "webspaces.kubelan.rbac".
*/}}
{{- define "webspaces.kubelan" -}}
{{- $top := index . 0 -}}
{{- $pod := index . 1 -}}
- name: kubelan
  image: {{ include "webspaces.image" (list $top "kubelan") }}
  imagePullPolicy: {{ $top.Values.image.pullPolicy }}
  restartPolicy: Always
  args: [--config, /etc/webspaces/kubelan.yaml]
  env:
    - name: WEBSPACES__UNDERLAY__ADDRESS
      valueFrom: {fieldRef: {fieldPath: status.podIP}}
    {{- with $pod.addresses }}
    {{- if contains "$(INDEX)" (join "," .) }}
    - {name: INDEX, valueFrom: {fieldRef: {fieldPath: "metadata.labels['apps.kubernetes.io/pod-index']"}}}
    {{- end }}
    - {name: WEBSPACES__ADDRESSES, value: {{ join "," . | quote }}}
    {{- end }}
    {{- with $pod.bridge }}
    - {name: WEBSPACES__BRIDGE, value: {{ . | quote }}}
    {{- end }}
  ports:
    - {name: kubelan, containerPort: 8181}
  startupProbe:
    httpGet: {path: /health, port: kubelan}
    periodSeconds: 1
    timeoutSeconds: 5
    failureThreshold: 120
  # The LAN outlives it: a node that is short of time is no reason to end it.
  livenessProbe:
    httpGet: {path: /health/live, port: kubelan}
    periodSeconds: 10
    timeoutSeconds: 5
    failureThreshold: 12
  securityContext:
    runAsUser: 0
    runAsNonRoot: false
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities: {drop: [ALL], add: [NET_ADMIN]}
  resources:
    {{- toYaml $top.Values.kubelan.resources | nindent 4 }}
  volumeMounts:
    - {name: kubelan, mountPath: /etc/webspaces, readOnly: true}
    {{- if eq ($top.Values.lan.encryption | default "none") "wireguard" }}
    - {name: wireguard, mountPath: /var/run/wireguard}
    {{- end }}
{{- end }}

{{/* The volume that the sidecar reads its configuration from. Argument: the chart's root. */}}
{{- define "webspaces.kubelan.volume" -}}
- name: kubelan
  configMap: {name: {{ .Release.Name }}-kubelan}
{{- if eq (.Values.lan.encryption | default "none") "wireguard" }}
- name: wireguard
  emptyDir: {medium: Memory}
{{- end }}
{{- end }}

{{/*
What a service account needs to be on the LAN: a Role and a RoleBinding in each namespace of lan.services. Arguments: the chart's root, and the
account's name in the release's namespace.
*/}}
{{- define "webspaces.kubelan.rbac" -}}
{{- $top := index . 0 -}}
{{- $account := index . 1 -}}
{{- $namespaces := list -}}
{{- range $top.Values.lan.services -}}
{{- $parts := splitList "/" . -}}
{{- $namespaces = append $namespaces (ternary (first $parts) $top.Release.Namespace (gt (len $parts) 1)) -}}
{{- end -}}
{{- range $namespaces | uniq }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: {{ $account }}-kubelan, namespace: {{ . }}}
rules:
  - apiGroups: [discovery.k8s.io]
    resources: [endpointslices]
    verbs: [list, watch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: {{ $account }}-kubelan, namespace: {{ . }}}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: {{ $account }}-kubelan}
subjects: [{kind: ServiceAccount, name: {{ $account }}, namespace: {{ $top.Release.Namespace }}}]
{{- end }}
{{- if eq ($top.Values.lan.encryption | default "none") "wireguard" }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: {{ $account }}-kubelan-keys, namespace: {{ $top.Release.Namespace }}}
rules:
  - apiGroups: [coordination.k8s.io]
    resources: [leases]
    verbs: [create, patch, list, watch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: {{ $account }}-kubelan-keys, namespace: {{ $top.Release.Namespace }}}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: {{ $account }}-kubelan-keys}
subjects: [{kind: ServiceAccount, name: {{ $account }}, namespace: {{ $top.Release.Namespace }}}]
{{- end }}
{{- end }}
