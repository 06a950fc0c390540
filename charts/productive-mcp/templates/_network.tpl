{{/* Egress rules shared by several policies. */}}

{{/* Addresses and ranges as peers of a rule. */}}
{{- define "productive-mcp.addressPeers" -}}
{{- range . }}
- ipBlock: {cidr: {{ contains "/" . | ternary . (printf "%s/%s" . (contains ":" . | ternary "128" "32")) | quote }}}
{{- end }}
{{- end -}}

{{- define "productive-mcp.egressToDns" -}}
{{- $dns := .Values.networkPolicy.dns -}}
{{- with $dns.egress }}
{{- toYaml . }}
{{- end }}
{{- with $dns.addresses }}
- to:
    {{- include "productive-mcp.addressPeers" . | nindent 4 }}
  ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
{{- end }}
{{- end -}}

{{/*
Ports of the rule for the API server. Without its addresses the rule allows any address, and 443 is excluded: it would open the
Internet.
*/}}
{{- define "productive-mcp.apiServerPorts" -}}
{{- $apiServer := .Values.networkPolicy.apiServer -}}
{{- $ports := list -}}
{{- range $apiServer.ports -}}
{{- if or $apiServer.addresses (ne (int .) 443) }}{{ $ports = append $ports (int .) }}{{ end -}}
{{- end -}}
{{- toYaml $ports -}}
{{- end -}}

{{/* With Cilium there is no rule for any address, because the CiliumNetworkPolicy allows exactly the API server. */}}
{{- define "productive-mcp.egressToApiServer" -}}
{{- $apiServer := .Values.networkPolicy.apiServer -}}
{{- if $apiServer.egress }}
{{- toYaml $apiServer.egress }}
{{- else if or $apiServer.addresses (not (include "productive-mcp.cilium" .)) }}
- to:
    {{- include "productive-mcp.addressPeers" ($apiServer.addresses | default (list "0.0.0.0/0" "::/0")) | nindent 4 }}
  ports:
    {{- range include "productive-mcp.apiServerPorts" . | fromYamlArray }}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
{{- end }}
{{- end -}}

{{/* Not empty if CiliumNetworkPolicies are wanted. Where Cilium does not enforce them, they do nothing. */}}
{{- define "productive-mcp.cilium" -}}
{{- $flavor := .Values.networkPolicy.flavor -}}
{{- if and .Values.networkPolicy.enabled (or (eq $flavor "cilium") (and (eq $flavor "auto") (.Capabilities.APIVersions.Has "cilium.io/v2/CiliumNetworkPolicy"))) -}}
true
{{- end -}}
{{- end -}}

{{/* A CiliumNetworkPolicy, which adds to the NetworkPolicy of the same name; takes root, component and annotations. */}}
{{- define "productive-mcp.ciliumPolicy" -}}
{{- if include "productive-mcp.cilium" .root }}
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata:
  name: {{ include "productive-mcp.fullname" .root }}-{{ .component }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "productive-mcp.labels" . | nindent 4 }}
  {{- with .annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  endpointSelector:
    matchLabels:
      {{- include "productive-mcp.selectorLabels" . | nindent 6 }}
  egress:
    - toEntities: [kube-apiserver]
      toPorts:
        - ports:
            {{- range .root.Values.networkPolicy.apiServer.ports }}
            - {port: {{ . | quote }}, protocol: TCP}
            {{- end }}
{{- end }}
{{- end -}}

{{/* Command that shows the addresses for networkPolicy.apiServer.addresses. */}}
{{- define "productive-mcp.showApiServer" -}}
kubectl get service/kubernetes endpointslice/kubernetes -n default
{{- end -}}

{{/* With a proxy, only the proxy. */}}
{{- define "productive-mcp.egressToPublic" -}}
{{- if .Values.networkPolicy.publicEgress }}
{{- toYaml .Values.networkPolicy.publicEgress }}
{{- else if .Values.proxy.httpsProxy }}
{{- $url := urlParse .Values.proxy.httpsProxy }}
- to:
    {{- include "productive-mcp.addressPeers" (.Values.proxy.addresses | default (list $url.hostname)) | nindent 4 }}
  ports:
    - protocol: TCP
      port: {{ include "productive-mcp.portOf" .Values.proxy.httpsProxy }}
{{- else }}
- to:
    {{- include "productive-mcp.publicPeers" . | nindent 4 }}
  ports:
    {{- range include "productive-mcp.publicPorts" . | fromYamlArray }}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
{{- end }}
{{- end -}}

{{/* The collector of traces, where it is not at a public address. */}}
{{- define "productive-mcp.egressToCollector" -}}
{{- if and .Values.tracing.endpoint .Values.networkPolicy.tracingTo }}
- to:
    {{- toYaml .Values.networkPolicy.tracingTo | nindent 4 }}
  ports:
    - {protocol: TCP, port: {{ include "productive-mcp.portOf" .Values.tracing.endpoint }}}
{{- end }}
{{- end -}}

{{/* Port of an address. */}}
{{- define "productive-mcp.portOf" -}}
{{- $url := urlParse . -}}
{{- regexFind ":[0-9]+$" $url.host | trimPrefix ":" | default (eq $url.scheme "https" | ternary "443" "80") -}}
{{- end -}}

{{/* Public addresses: everything but networkPolicy.privateRanges, of both families. */}}
{{- define "productive-mcp.publicPeers" -}}
{{- $v4 := list -}}
{{- $v6 := list -}}
{{- range .Values.networkPolicy.privateRanges -}}
{{- if contains ":" . }}{{ $v6 = append $v6 . }}{{ else }}{{ $v4 = append $v4 . }}{{ end -}}
{{- end -}}
{{- range list (dict "cidr" "0.0.0.0/0" "except" $v4) (dict "cidr" "::/0" "except" $v6) }}
- ipBlock:
    cidr: {{ .cidr | quote }}
    {{- with .except }}
    except:
      {{- toYaml . | nindent 6 }}
    {{- end }}
{{- end }}
{{- end -}}

{{/* Ports of provider, Productive, clients' documents and a public collector of traces, as a list. */}}
{{- define "productive-mcp.publicPorts" -}}
{{- $signIn := .Values.signIn -}}
{{- $ports := list 443 -}}
{{- $collector := empty .Values.networkPolicy.tracingTo | ternary .Values.tracing.endpoint "" -}}
{{- range (list $collector $signIn.oidc.issuer $signIn.access.authorizationUrl $signIn.access.tokenUrl $signIn.access.jwksUrl .Values.productive.apiBaseUrl | compact) -}}
{{- $port := regexFind ":[0-9]+$" (urlParse .).host -}}
{{- if $port }}{{ $ports = append $ports (trimPrefix ":" $port | int) }}{{ end -}}
{{- end -}}
{{- toYaml (uniq $ports) -}}
{{- end -}}
