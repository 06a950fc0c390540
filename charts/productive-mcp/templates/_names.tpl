{{/* The beginning of all names. Without an override it is the release name: docs and tests rely on <release>-users. */}}
{{- define "productive-mcp.fullname" -}}
{{- $name := .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if or (not $name) (contains $name .Release.Name) -}}
{{- .Release.Name -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name -}}
{{- end -}}
{{- end -}}

{{- define "productive-mcp.usersNamespace" -}}
{{- .Values.namespaces.users | default (printf "%s-users" (include "productive-mcp.fullname" .)) -}}
{{- end -}}

{{- define "productive-mcp.grantsNamespace" -}}
{{- .Values.namespaces.grants | default (printf "%s-grants" (include "productive-mcp.fullname" .)) -}}
{{- end -}}

{{- define "productive-mcp.mapping" -}}
{{- printf "%s-mapping" (include "productive-mcp.fullname" .) -}}
{{- end -}}

{{- define "productive-mcp.keyRing" -}}
{{- .Values.keys.existingSecret | default (printf "%s-keys" (include "productive-mcp.fullname" .)) -}}
{{- end -}}

{{/* ServiceAccount of a program, or of the key ring's Job or CronJob; takes root and component. */}}
{{- define "productive-mcp.serviceAccountName" -}}
{{- $account := dig "serviceAccount" "name" "" (index .root.Values .component | default dict) -}}
{{- $account | default (printf "%s-%s" (include "productive-mcp.fullname" .root) .component) -}}
{{- end -}}

{{/* The namespace for one of the words release, users and grants of files/rbac. */}}
{{- define "productive-mcp.namespaceOf" -}}
{{- $named := dict
      "release" .root.Release.Namespace
      "users" (include "productive-mcp.usersNamespace" .root)
      "grants" (include "productive-mcp.grantsNamespace" .root) -}}
{{- get $named .role -}}
{{- end -}}

{{/* Host of publicUrl, without a port. */}}
{{- define "productive-mcp.host" -}}
{{- (urlParse .Values.publicUrl).hostname -}}
{{- end -}}

{{- define "productive-mcp.publicUrl" -}}
{{- trimSuffix "/" .Values.publicUrl -}}
{{- end -}}

{{/* Numbers of values files are floats: 1234567 would become 1.234567e+06. */}}
{{- define "productive-mcp.organizationId" -}}
{{- $id := .Values.productive.organizationId -}}
{{- if kindIs "string" $id }}{{ $id }}{{ else }}{{ int64 $id }}{{ end -}}
{{- end -}}

{{/* Address families of a Service. */}}
{{- define "productive-mcp.ipFamilies" -}}
{{- with .Values.service.ipFamilyPolicy }}
ipFamilyPolicy: {{ . }}
{{- end }}
{{- with .Values.service.ipFamilies }}
ipFamilies:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/*
Annotations of objects whose deletion would delete people, tokens or sign-ins. Helm, Argo CD and Flux keep them, both at uninstall
and when a later version of the release no longer contains them.
*/}}
{{- define "productive-mcp.kept" -}}
helm.sh/resource-policy: keep
argocd.argoproj.io/sync-options: Prune=false
kustomize.toolkit.fluxcd.io/prune: disabled
{{- end -}}

{{- define "productive-mcp.selectorLabels" -}}
app.kubernetes.io/name: {{ .root.Values.nameOverride | default .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Labels of every object; `component` says what it belongs to. They override commonLabels. */}}
{{- define "productive-mcp.labels" -}}
{{- toYaml (merge (include "productive-mcp.ownLabels" . | fromYaml) .root.Values.commonLabels) -}}
{{- end -}}

{{- define "productive-mcp.ownLabels" -}}
{{ include "productive-mcp.selectorLabels" . }}
app.kubernetes.io/part-of: productive-mcp
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "productive-mcp.image" -}}
{{- $image := .image -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository ($image.tag | default .root.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* Minimum number of replicas of a program. */}}
{{- define "productive-mcp.fewestReplicas" -}}
{{- $autoscaling := .autoscaling | default dict -}}
{{- if $autoscaling.enabled }}{{ $autoscaling.minReplicas }}{{ else }}{{ .replicas }}{{ end -}}
{{- end -}}
