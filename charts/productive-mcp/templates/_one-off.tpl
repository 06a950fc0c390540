{{/* Pods that run one command with the gateway's image: the key ring's Job and CronJob, and `helm test`. */}}

{{- define "productive-mcp.onePod" -}}
{{- $gateway := .root.Values.gateway -}}
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- include "productive-mcp.securityContext" (dict "root" .root "context" $gateway.podSecurityContext) | nindent 2 }}
{{- include "productive-mcp.placement" $gateway }}
volumes:
  - name: tmp
    emptyDir:
      sizeLimit: 64Mi
{{- end -}}

{{- define "productive-mcp.oneContainer" -}}
image: {{ include "productive-mcp.image" (dict "root" . "image" .Values.gateway.image) }}
imagePullPolicy: {{ .Values.gateway.image.pullPolicy }}
securityContext:
  {{- include "productive-mcp.securityContext" (dict "root" . "context" .Values.gateway.securityContext) | nindent 2 }}
volumeMounts:
  - name: tmp
    mountPath: /tmp
{{- end -}}
