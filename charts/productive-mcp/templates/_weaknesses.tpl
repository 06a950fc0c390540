{{/* What an administrator should know about the installation, as a list of sentences. */}}
{{- define "productive-mcp.weaknesses" -}}
{{- $weak := list
      (printf "Tokens of people are Secrets: see that your API server encrypts Secrets at rest, and who may read those of %s and %s." (include "productive-mcp.usersNamespace" .) .Release.Namespace) -}}
{{- if not (or .Values.ingress.enabled .Values.httpRoute.enabled (ne .Values.service.type "ClusterIP")) -}}
{{- $weak = append $weak (printf "Nothing leads from outside to the gateway: enable ingress or httpRoute, or lead %s to the Service %s-gateway yourself, with TLS." (include "productive-mcp.publicUrl" .) (include "productive-mcp.fullname" .)) -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.tls.enabled) -}}
{{- $weak = append $weak "The Ingress has no TLS: something in front of it must, since tokens pass through it." -}}
{{- end -}}
{{- if ne .Values.service.type "ClusterIP" -}}
{{- $weak = append $weak (printf "The Service is a %s and speaks plain HTTP: something in front of it must end TLS." .Values.service.type) -}}
{{- end -}}
{{- if lt (include "productive-mcp.fewestReplicas" .Values.gateway | int) 2 -}}
{{- $weak = append $weak "One replica of the gateway: a drained or lost node means minutes without it. Set gateway.replicas to 2." -}}
{{- else if not .Values.gateway.podDisruptionBudget.enabled -}}
{{- $weak = append $weak "No PodDisruptionBudget: a drain may take all replicas of the gateway at once." -}}
{{- end -}}
{{- if not .Values.networkPolicy.enabled -}}
{{- $weak = append $weak "No NetworkPolicy: any pod may reach the metrics port, and the programs may reach anything." -}}
{{- else if not .Values.networkPolicy.ingressFrom -}}
{{- $weak = append $weak "Any pod of the cluster may reach the gateway without TLS: set networkPolicy.ingressFrom to your ingress controller's namespace." -}}
{{- end -}}
{{- if and .Values.networkPolicy.enabled (not (or .Values.networkPolicy.apiServer.addresses .Values.networkPolicy.apiServer.egress (include "productive-mcp.cilium" .))) -}}
{{- $weak = append $weak (printf "The programs may reach any address on 6443, since the API server's are not known: set networkPolicy.apiServer.addresses. This shows them: %s" (include "productive-mcp.showApiServer" .)) -}}
{{- end -}}
{{- if not .Values.admissionPolicies.enabled -}}
{{- $weak = append $weak "Whoever may write Secrets in the release namespace may write the mapping: admissionPolicies.enabled leaves that to the operator." -}}
{{- end -}}
{{- if and .Values.signIn.oidc.issuer (eq .Values.signIn.emailTrust "issuer") (not .Values.signIn.requiredClaims) -}}
{{- $weak = append $weak "signIn.emailTrust is issuer without signIn.requiredClaims: at a provider of many companies anybody could claim a colleague's address. Require the claim of your tenant, such as {tid: …}." -}}
{{- end -}}
{{- if not .Values.adminContact -}}
{{- $weak = append $weak "adminContact is empty: people whose sign-in is refused are not told whom to ask." -}}
{{- end -}}
{{- toYaml $weak -}}
{{- end -}}
