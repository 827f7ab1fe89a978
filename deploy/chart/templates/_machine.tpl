{{/* Of a member whose LXD is in a machine of its own: it needs no privileges, but to connect the machine with the LAN. */}}
{{- define "webspaces.machine.securityContext" -}}
runAsUser: 0
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
seccompProfile: {type: RuntimeDefault}
capabilities: {drop: [ALL]{{ if .Values.lxd8s.lan }}, add: [NET_ADMIN]{{ end }}}
{{- end }}

{{/* Its resources, with the devices that a plugin of the nodes gives. */}}
{{- define "webspaces.machine.resources" -}}
{{- $vm := .Values.lxd8s.vm -}}
{{- $limits := (.Values.lxd8s.resources).limits | default dict -}}
{{- if not $limits.memory -}}
{{- fail "lxd8s.resources.limits.memory: say how much the pod of a member may have; with runtime vm its machine has lxd8s.vm.memory of it" -}}
{{- end -}}
{{- if and (not $limits.cpu) (hasSuffix "%" (toString ($vm.cpus | default "100%"))) -}}
{{- fail "lxd8s.vm.cpus: say how many processors the machine of a member has, or resources.limits.cpu, of which it is a share" -}}
{{- end -}}
{{- if and .Values.lxd8s.lan (not $vm.unguardedLan) -}}
{{- fail "lxd8s.vm.unguardedLan: on the LAN nobody keeps the webspaces of machines to their own addresses, docs/limits.md says what they can do; set it to true to accept that, or lxd8s.runtime=container" -}}
{{- end -}}
{{- $devices := dict -}}
{{- if eq $vm.accelerator "kvm" -}}
{{- if not $vm.devices.kvm -}}{{- fail "lxd8s.vm.devices.kvm: say what the nodes' device plugin calls /dev/kvm" -}}{{- end -}}
{{- $_ := set $devices $vm.devices.kvm 1 -}}
{{- end -}}
{{- if .Values.lxd8s.lan -}}
{{- if not $vm.devices.tun -}}{{- fail "lxd8s.vm.devices.tun: say what the nodes' device plugin calls /dev/net/tun" -}}{{- end -}}
{{- $_ := set $devices $vm.devices.tun 1 -}}
{{- end -}}
{{- toYaml (mergeOverwrite (deepCopy .Values.lxd8s.resources) (dict "limits" $devices)) -}}
{{- end }}
