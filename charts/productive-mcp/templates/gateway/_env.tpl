{{/* The gateway's settings, as docs/settings.md explains them. */}}
{{- define "productive-mcp.gatewayEnv" -}}
{{- $signIn := .Values.signIn -}}
- name: PUBLIC_URL
  value: {{ include "productive-mcp.publicUrl" . | quote }}
- name: PORT
  value: "8787"
- name: INTERNAL_PORT
  value: "9090"
- name: KEEP_ALIVE_SECONDS
  value: {{ .Values.gateway.keepAliveSeconds | quote }}
- name: MAX_CONNECTIONS
  value: {{ .Values.gateway.maxConnections | quote }}
- name: LOG_LEVEL
  value: {{ .Values.gateway.logLevel | quote }}
- name: AUDIT_EMAILS
  value: {{ .Values.gateway.auditEmails }}
{{- with .Values.tracing.endpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ . | quote }}
- name: OTEL_TRACES_SAMPLER
  value: parentbased_traceidratio
- name: OTEL_TRACES_SAMPLER_ARG
  value: {{ $.Values.tracing.share | quote }}
{{- end }}
- name: PRODUCTIVE_ORG_ID
  value: {{ include "productive-mcp.organizationId" . | quote }}
- name: PRODUCTIVE_API_BASE_URL
  value: {{ .Values.productive.apiBaseUrl | quote }}
- name: PRODUCTIVE_REQUESTS_PER_30_MIN
  value: {{ .Values.productive.requestsPer30Minutes | int64 | quote }}
- name: GATEWAY_SERVICE
  value: {{ include "productive-mcp.fullname" . }}-gateway
{{- if .Values.productive.readOnly }}
- name: READ_ONLY
  value: "true"
{{- end }}
{{- with .Values.productive.toolsets }}
- name: TOOLSETS
  value: {{ join "," . | quote }}
{{- end }}
- name: GRANTS
  value: kubernetes://{{ include "productive-mcp.grantsNamespace" . }}
- name: MAPPING_SECRET
  value: {{ include "productive-mcp.mapping" . }}
- name: USER_MAPPING
  value: /var/run/productive-mcp/mapping
- name: KEY_RING_SECRET
  value: {{ include "productive-mcp.keyRing" . }}
- name: KEY_RING
  value: /var/run/productive-mcp/keys
{{- if $signIn.oidc.issuer }}
- name: OIDC_ISSUER
  value: {{ $signIn.oidc.issuer | quote }}
- name: OIDC_CLIENT_ID
  value: {{ $signIn.oidc.clientId | quote }}
- name: OIDC_CLIENT_SECRET
{{- else }}
- name: ACCESS_CLIENT_ID
  value: {{ $signIn.access.clientId | quote }}
- name: ACCESS_AUTHORIZATION_URL
  value: {{ $signIn.access.authorizationUrl | quote }}
- name: ACCESS_TOKEN_URL
  value: {{ $signIn.access.tokenUrl | quote }}
- name: ACCESS_JWKS_URL
  value: {{ $signIn.access.jwksUrl | quote }}
- name: ACCESS_CLIENT_SECRET
{{- end }}
  valueFrom:
    secretKeyRef:
      name: {{ $signIn.existingSecret }}
      key: {{ $signIn.secretKey }}
{{- with $signIn.emailTrust }}
- name: OIDC_EMAIL_TRUST
  value: {{ . }}
{{- end }}
{{- if $signIn.offline }}
- name: OIDC_OFFLINE
  value: "true"
{{- end }}
{{- with $signIn.tokenEndpointAuthMethod }}
- name: OIDC_TOKEN_ENDPOINT_AUTH_METHOD
  value: {{ . }}
{{- end }}
{{- with $signIn.requiredClaims }}
- name: OIDC_REQUIRED_CLAIMS
  value: {{ toJson . | quote }}
{{- end }}
- name: ACCESS_TOKEN_SECONDS
  value: {{ $signIn.accessTokenSeconds | quote }}
{{- if or $signIn.caBundle.configMap $signIn.caBundle.secret }}
- name: CA_BUNDLE
  value: /etc/productive-mcp/ca/{{ $signIn.caBundle.key }}
{{- end }}
{{- with .Values.proxy }}
{{- if .existingSecret }}
- name: HTTPS_PROXY
  valueFrom:
    secretKeyRef:
      name: {{ .existingSecret }}
      key: {{ .secretKey }}
{{- else if .httpsProxy }}
- name: HTTPS_PROXY
  value: {{ .httpsProxy | quote }}
{{- end }}
{{- with .noProxy }}
- name: NO_PROXY
  value: {{ join "," . | quote }}
{{- end }}
{{- end }}
- name: REDIRECT_HOSTS
  value: {{ join "," .Values.redirectHosts | quote }}
{{- with .Values.limits }}
{{- with .trustedProxies }}
- name: TRUSTED_PROXIES
  value: {{ join "," . | quote }}
{{- end }}
- name: LIMIT_REGISTER
  value: {{ .registerPerMinute | quote }}
- name: LIMIT_AUTHORIZE
  value: {{ .authorizePerMinute | quote }}
- name: LIMIT_TOKEN
  value: {{ .tokenPerMinute | quote }}
- name: LIMIT_FAILED_TOKENS
  value: {{ .failedTokensPerMinute | quote }}
- name: LIMIT_SIGN_INS
  value: {{ .signInsPerMinute | quote }}
- name: LIMIT_CLIENT_DOCUMENTS
  value: {{ .clientDocumentsPerMinute | quote }}
{{- end }}
- name: CLIENT_KINDS
  value: {{ join "," .Values.clients.kinds | quote }}
{{- if .Values.clients.existingSecret }}
- name: PREREGISTERED_CLIENTS
  value: /var/run/productive-mcp/clients
{{- end }}
{{- with .Values.clients.redirectSchemes }}
- name: REDIRECT_SCHEMES
  value: {{ join "," . | quote }}
{{- end }}
{{- with .Values.clients.denied }}
{{- if or .clients .hosts .names }}
- name: DENIED_CLIENTS
  value: {{ toJson . | quote }}
{{- end }}
{{- end }}
- name: CLIENT_DOCUMENT_HOSTS
  value: {{ join "," .Values.clients.documentHosts | quote }}
{{- with .Values.clients.deniedAddresses }}
- name: DENIED_ADDRESSES
  value: {{ join "," . | quote }}
{{- end }}
{{- with .Values.allowedOrigins }}
- name: ALLOWED_ORIGINS
  value: {{ join "," . | quote }}
{{- end }}
{{- with .Values.adminContact }}
- name: ADMIN_CONTACT
  value: {{ . | quote }}
{{- end }}
{{- end -}}
