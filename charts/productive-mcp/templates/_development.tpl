{{/* Limits of development.enabled: invented people only, and nothing that others could reach. */}}

{{- define "productive-mcp.badDevelopment" -}}
{{- $bad := list -}}
{{- if .Values.development.enabled -}}
{{- $signIn := .Values.signIn -}}
{{- range list
      (dict "path" "publicUrl" "url" .Values.publicUrl)
      (dict "path" "signIn.oidc.issuer" "url" $signIn.oidc.issuer)
      (dict "path" "productive.apiBaseUrl" "url" .Values.productive.apiBaseUrl) -}}
{{- if not (regexMatch "^http://localhost:[0-9]{1,5}(/|$)" .url) -}}
{{- $bad = append $bad (printf "development.enabled lets anybody sign in as anybody, so %s must be an address inside the pod, such as http://localhost:8787, but is %q. Disable development.enabled for real people." .path .url) -}}
{{- end -}}
{{- end -}}
{{- if compact (list $signIn.access.clientId $signIn.access.authorizationUrl $signIn.access.tokenUrl $signIn.access.jwksUrl) -}}
{{- $bad = append $bad "signIn.access is a sign-in of real people: disable development.enabled, or remove signIn.access." -}}
{{- end -}}
{{- if or .Values.ingress.enabled .Values.httpRoute.enabled (ne .Values.service.type "ClusterIP") -}}
{{- $bad = append $bad "development.enabled lets anybody sign in as anybody: ingress, httpRoute and service.type must not expose it. Use kubectl port-forward." -}}
{{- end -}}
{{- if not .Values.networkPolicy.enabled -}}
{{- $bad = append $bad "development.enabled lets anybody sign in as anybody: networkPolicy.enabled must be on, to keep the rest of the cluster out." -}}
{{- end -}}
{{- range concat .Values.gateway.extraContainers .Values.operator.extraContainers -}}
{{- if has "--beyond-loopback" (concat (.command | default list) (.args | default list)) -}}
{{- $bad = append $bad (printf "development.enabled keeps everything inside the pod: remove --beyond-loopback from the container %s." .name) -}}
{{- end -}}
{{- end -}}
{{- if or .Values.gateway.autoscaling.enabled (ne (int .Values.gateway.replicas) 1) -}}
{{- $bad = append $bad "development.enabled allows one replica of the gateway, because each would have its own sign-in and its own Productive. Set gateway.replicas to 1, without autoscaling." -}}
{{- end -}}
{{- end -}}
{{- toYaml $bad -}}
{{- end -}}

{{- define "productive-mcp.developmentNotes" -}}
DEVELOPMENT INSTALLATION {{ .Release.Name }} in {{ .Release.Namespace }}: everybody who reaches it can sign in as anybody.
Never give it real people or real tokens.

1. Forward its ports to the same ports of your machine:

kubectl port-forward -n {{ .Release.Namespace }} deploy/{{ include "productive-mcp.fullname" . }}-gateway 8787 9400 9500

2. Add the people of the examples:

kubectl apply -n {{ include "productive-mcp.usersNamespace" . }} -f examples/

3. Connect an assistant to {{ include "productive-mcp.publicUrl" . }}/mcp
{{ end -}}
