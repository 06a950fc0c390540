{{/* Egress rules that several policies share. */}}

{{- define "productive-mcp.egressToDns" -}}
- to:
    {{- toYaml .Values.networkPolicy.dns.to | nindent 4 }}
  ports:
    {{- range .Values.networkPolicy.dns.ports }}
    - {protocol: UDP, port: {{ . }}}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
{{- end -}}

{{- define "productive-mcp.egressToApiServer" -}}
- to:
    {{- range .Values.networkPolicy.apiServer.cidrs }}
    - ipBlock: {cidr: {{ . | quote }}}
    {{- end }}
  ports:
    {{- range .Values.networkPolicy.apiServer.ports }}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
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

{{/* Ports of provider, Productive and clients' documents, as a list. */}}
{{- define "productive-mcp.publicPorts" -}}
{{- $signIn := .Values.signIn -}}
{{- $ports := list 443 -}}
{{- range (list $signIn.oidc.issuer $signIn.access.authorizationUrl $signIn.access.tokenUrl $signIn.access.jwksUrl .Values.productive.apiBaseUrl | compact) -}}
{{- $port := regexFind ":[0-9]+$" (urlParse .).host -}}
{{- if $port }}{{ $ports = append $ports (trimPrefix ":" $port | int) }}{{ end -}}
{{- end -}}
{{- toYaml (uniq $ports) -}}
{{- end -}}
