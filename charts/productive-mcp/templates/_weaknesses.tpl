{{/* What an administrator should know about the installation, as a list of messages. */}}
{{- define "productive-mcp.weaknesses" -}}
{{- $weak := list
      (printf "People's tokens are Secrets: check that your API server encrypts Secrets at rest, and who may read those of %s and %s." (include "productive-mcp.usersNamespace" .) .Release.Namespace) -}}
{{- if not (or .Values.ingress.enabled .Values.httpRoute.enabled (ne .Values.service.type "ClusterIP")) -}}
{{- $weak = append $weak (printf "The gateway cannot be reached from outside: enable ingress or httpRoute, or route %s to the Service %s-gateway yourself, with TLS." (include "productive-mcp.publicUrl" .) (include "productive-mcp.fullname" .)) -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.tls.enabled) -}}
{{- $weak = append $weak "The Ingress has no TLS: something in front of it must terminate TLS, because tokens pass through it." -}}
{{- end -}}
{{- if ne .Values.service.type "ClusterIP" -}}
{{- $weak = append $weak (printf "The Service is a %s and serves plain HTTP: something in front of it must terminate TLS." .Values.service.type) -}}
{{- end -}}
{{- if lt (include "productive-mcp.fewestReplicas" .Values.gateway | int) 2 -}}
{{- $weak = append $weak "The gateway has one replica: while its node is drained or lost, nobody can work. Set gateway.replicas to 2." -}}
{{- else if not .Values.gateway.podDisruptionBudget.enabled -}}
{{- $weak = append $weak "There is no PodDisruptionBudget: a drain may stop all replicas of the gateway at once." -}}
{{- end -}}
{{- if not .Values.networkPolicy.enabled -}}
{{- $weak = append $weak "There is no NetworkPolicy: any pod can reach the metrics port, and the programs can reach anything." -}}
{{- else if not .Values.networkPolicy.ingressFrom -}}
{{- $weak = append $weak "Any pod in the cluster can reach the gateway without TLS: set networkPolicy.ingressFrom to the namespace of your ingress controller." -}}
{{- end -}}
{{- if and .Values.networkPolicy.enabled (not (or .Values.networkPolicy.apiServer.addresses .Values.networkPolicy.apiServer.egress (include "productive-mcp.cilium" .))) -}}
{{- $weak = append $weak (printf "The programs can reach any address on 6443, because those of the API server are not known: set networkPolicy.apiServer.addresses, which this command shows: %s" (include "productive-mcp.showApiServer" .)) -}}
{{- end -}}
{{- if not .Values.admissionPolicies.enabled -}}
{{- $weak = append $weak "Everybody who may write Secrets in the release namespace can change the mapping: admissionPolicies.enabled restricts that to the operator." -}}
{{- end -}}
{{- if and .Values.signIn.oidc.issuer (eq .Values.signIn.emailTrust "issuer") (not .Values.signIn.requiredClaims) -}}
{{- $weak = append $weak "signIn.emailTrust is issuer without signIn.requiredClaims: at a provider of many companies, anybody could claim a colleague's address. Require the claim of your tenant, such as {tid: …}." -}}
{{- end -}}
{{- if not .Values.limits.trustedProxies -}}
{{- $weak = append $weak "Limits per address are off, because all requests come from the ingress: set limits.trustedProxies to the addresses or ranges of its pods or of the load balancer (docs/operations.md says how to find them)." -}}
{{- end -}}
{{- if not .Values.adminContact -}}
{{- $weak = append $weak "adminContact is empty: people whose sign-in is refused do not learn whom to contact." -}}
{{- end -}}
{{- toYaml $weak -}}
{{- end -}}
