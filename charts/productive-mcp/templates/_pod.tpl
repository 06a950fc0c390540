{{/* Shared by gateway and operator. All take root, component and the program's values. */}}

{{/*
The chart's version is not among them, because a new one alone would replace all pods. Our labels override the user's, so that none
can take a pod out of its Service.
*/}}
{{- define "productive-mcp.podLabels" -}}
{{- $own := include "productive-mcp.selectorLabels" . | fromYaml -}}
{{- $values := .values | default dict -}}
{{- toYaml (merge $own ($values.podLabels | default dict) .root.Values.commonLabels) -}}
{{- end -}}

{{- define "productive-mcp.podMetadata" -}}
labels:
  {{- include "productive-mcp.podLabels" . | nindent 2 }}
{{- with .values.podAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* OpenShift assigns user and group ids per namespace and refuses all others; takes root and context. */}}
{{- define "productive-mcp.securityContext" -}}
{{- $adapt := .root.Values.openshift.adaptSecurityContext -}}
{{- if or (eq $adapt "force") (and (eq $adapt "auto") (.root.Capabilities.APIVersions.Has "security.openshift.io/v1/SecurityContextConstraints")) -}}
{{- toYaml (omit .context "runAsUser" "runAsGroup" "fsGroup") -}}
{{- else -}}
{{- toYaml .context -}}
{{- end -}}
{{- end -}}

{{/* Where pods run and how they resolve names; for the programs and for the pods of hooks. */}}
{{- define "productive-mcp.placement" -}}
{{- range $field := list "nodeSelector" "tolerations" "hostAliases" "dnsConfig" }}
{{- with index $ $field }}
{{ $field }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- range $field := list "priorityClassName" "runtimeClassName" }}
{{- with index $ $field }}
{{ $field }}: {{ . }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "productive-mcp.podSpec" -}}
serviceAccountName: {{ include "productive-mcp.serviceAccountName" . }}
automountServiceAccountToken: true
# Variables of other Services could be mistaken for settings.
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- include "productive-mcp.securityContext" (dict "root" .root "context" .values.podSecurityContext) | nindent 2 }}
terminationGracePeriodSeconds: {{ .values.terminationGracePeriodSeconds }}
{{- include "productive-mcp.placement" .values }}
{{- with .values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- $labels := include "productive-mcp.selectorLabels" $ | fromYaml }}
  {{- /* Without matchLabelKeys, replicas of the old version would count and a rolling update would end unevenly spread. */}}
  {{- $selector := dict "labelSelector" (dict "matchLabels" $labels) "matchLabelKeys" (list "pod-template-hash") }}
  {{- range . }}
  - {{- toYaml (merge (deepCopy .) $selector) | nindent 4 }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "productive-mcp.container" -}}
image: {{ include "productive-mcp.image" (dict "root" .root "image" .values.image) }}
imagePullPolicy: {{ .values.image.pullPolicy }}
command:
  {{- toYaml .values.command | nindent 2 }}
securityContext:
  {{- include "productive-mcp.securityContext" (dict "root" .root "context" .values.securityContext) | nindent 2 }}
resources:
  {{- toYaml .values.resources | nindent 2 }}
{{- range $probe := list "startupProbe" "livenessProbe" "readinessProbe" }}
{{- with index $.values $probe }}
{{ $probe }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- with .values.preStopSeconds }}
lifecycle:
  preStop:
    sleep:
      seconds: {{ . }}
{{- end }}
{{- with .values.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Metadata of a Deployment. */}}
{{- define "productive-mcp.deploymentMetadata" -}}
name: {{ include "productive-mcp.fullname" .root }}-{{ .component }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "productive-mcp.labels" . | nindent 2 }}
{{- with .values.deploymentAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/*
With autoscaling, the current number: if the field were omitted, it would be reset to 1 until the autoscaler acts. Helm cannot look
it up without a cluster (helm template); then it is omitted.
*/}}
{{- define "productive-mcp.gatewayReplicas" -}}
{{- if not .Values.gateway.autoscaling.enabled -}}
replicas: {{ .Values.gateway.replicas }}
{{- else -}}
{{- with lookup "apps/v1" "Deployment" .Release.Namespace (printf "%s-gateway" (include "productive-mcp.fullname" .)) -}}
replicas: {{ .spec.replicas }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Recreate allows no rollingUpdate, which the defaults contain. */}}
{{- define "productive-mcp.strategy" -}}
{{- $strategy := .values.strategy -}}
{{- toYaml (eq $strategy.type "RollingUpdate" | ternary $strategy (omit $strategy "rollingUpdate")) -}}
{{- end -}}

{{/* PodDisruptionBudget; takes root, component and values. */}}
{{- define "productive-mcp.podDisruptionBudget" -}}
{{- $fewest := include "productive-mcp.fewestReplicas" .values | int -}}
{{- if and .values.podDisruptionBudget.enabled (ge $fewest 2) -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "productive-mcp.fullname" .root }}-{{ .component }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "productive-mcp.labels" . | nindent 4 }}
spec:
  maxUnavailable: 1
  # A broken replica must not block a drain.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "productive-mcp.selectorLabels" . | nindent 6 }}
{{- end -}}
{{- end -}}

{{/* ServiceAccount of a program, the Job or the CronJob, unless the user has their own; takes root, component and annotations. */}}
{{- define "productive-mcp.serviceAccount" -}}
{{- $values := dig "serviceAccount" dict (index .root.Values .component | default dict) -}}
{{- if dig "create" true $values -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "productive-mcp.serviceAccountName" . }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "productive-mcp.labels" . | nindent 4 }}
  {{- with merge (dict) (dig "annotations" dict $values) (.annotations | default dict) }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: false
{{- end -}}
{{- end -}}

{{/* Roles and their bindings, from files/rbac/<component>.yaml; takes root, component and annotations. */}}
{{- define "productive-mcp.rights" -}}
{{- $text := .root.Files.Get (printf "files/rbac/%s.yaml" .component) -}}
{{- $text = $text | replace "MAPPING" (include "productive-mcp.mapping" .root) -}}
{{- $text = $text | replace "KEY_RING" (include "productive-mcp.keyRing" .root) -}}
{{- range (fromYaml $text).roles }}
{{- $name := printf "%s-%s-%s" (include "productive-mcp.fullname" $.root) $.component .namespace }}
{{- $namespace := include "productive-mcp.namespaceOf" (dict "root" $.root "role" .namespace) }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ $name }}
  namespace: {{ $namespace }}
  labels:
    {{- include "productive-mcp.labels" $ | nindent 4 }}
  {{- with $.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
rules:
  {{- toYaml .rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ $name }}
  namespace: {{ $namespace }}
  labels:
    {{- include "productive-mcp.labels" $ | nindent 4 }}
  {{- with $.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ $name }}
subjects:
  - kind: ServiceAccount
    name: {{ include "productive-mcp.serviceAccountName" $ }}
    namespace: {{ $.root.Release.Namespace }}
{{- end }}
{{- end -}}
