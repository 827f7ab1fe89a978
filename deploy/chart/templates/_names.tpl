{{/* Image of one process: (list . "api") */}}
{{- define "webspaces.image" -}}
{{- $top := index . 0 -}}
{{ $top.Values.image.repository }}/{{ index . 1 }}:{{ $top.Values.image.tag | default $top.Chart.AppVersion }}
{{- end }}

{{/* Labels of all objects of one process: (list . "api") */}}
{{- define "webspaces.labels" -}}
{{- $top := index . 0 -}}
app.kubernetes.io/part-of: webspaces
app.kubernetes.io/instance: {{ $top.Release.Name }}
app.kubernetes.io/managed-by: {{ $top.Release.Service }}
helm.sh/chart: {{ $top.Chart.Name }}-{{ $top.Chart.Version }}
{{ include "webspaces.selector" . }}
{{- end }}

{{/* What selects the pods of one process: (list . "api") */}}
{{- define "webspaces.selector" -}}
app.kubernetes.io/name: webspaces-{{ index . 1 }}
{{- end }}
