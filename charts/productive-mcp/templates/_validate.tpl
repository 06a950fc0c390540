{{/* Reports everything that is missing or contradictory at once, with the remedy. values.schema.json has checked the types. */}}

{{- define "productive-mcp.validate" -}}
{{- $bad := concat
      (include "productive-mcp.badNames" . | fromYamlArray)
      (include "productive-mcp.badSettings" . | fromYamlArray)
      (include "productive-mcp.badSignIn" . | fromYamlArray)
      (include "productive-mcp.badExposure" . | fromYamlArray)
      (include "productive-mcp.badNetwork" . | fromYamlArray)
      (include "productive-mcp.badProxy" . | fromYamlArray)
      (include "productive-mcp.badCombinations" . | fromYamlArray)
      (include "productive-mcp.badDevelopment" . | fromYamlArray) -}}
{{- if and .Values.admissionPolicies.enabled (eq .Values.scope "namespaces") -}}
{{- $bad = append $bad "admissionPolicies.enabled creates cluster-wide objects, which scope namespaces excludes: disable it, and ask the cluster's administrator to apply the output of `helm template` with scope=all and --show-only templates/admission-policies.yaml." -}}
{{- end -}}
{{- if $bad -}}
{{- fail (printf "\n\nCorrect these values first:\n  - %s\n" (join "\n  - " $bad)) -}}
{{- end -}}
{{- end -}}

{{- define "productive-mcp.badNames" -}}
{{- $bad := list -}}
{{- $name := include "productive-mcp.fullname" . -}}
{{- if or (gt (len $name) 40) (not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $name)) -}}
{{- $bad = append $bad (printf "The name %q (of the release, or fullnameOverride) becomes a part of other names: use at most 40 lower-case letters, digits and dashes, starting with a letter." $name) -}}
{{- end -}}
{{- $users := include "productive-mcp.usersNamespace" . -}}
{{- $grants := include "productive-mcp.grantsNamespace" . -}}
{{- if ne 3 (len (uniq (list .Release.Namespace $users $grants))) -}}
{{- $bad = append $bad (printf "The namespaces of the release (%s), of users (%s) and of grants (%s) must be three different ones, because rights on Secrets apply to whole namespaces. Change namespaces.users or namespaces.grants." .Release.Namespace $users $grants) -}}
{{- end -}}
{{- if not (or .Values.hooks.enabled .Values.keys.existingSecret) -}}
{{- $bad = append $bad (printf "keys.existingSecret is missing: with hooks.enabled off nothing creates the key ring. Print one with `productive-gateway keys new --name %s-keys`, apply it to the namespace %s, and set keys.existingSecret to its name." (include "productive-mcp.fullname" .) .Release.Namespace) -}}
{{- end -}}
{{- if and .Values.keys.rotation.enabled .Values.keys.existingSecret -}}
{{- $bad = append $bad (printf "keys.rotation.enabled rotates the key ring that the chart makes, but keys.existingSecret names your own: what manages it would undo the change, and so end sign-ins. Disable keys.rotation.enabled, and put the output of `productive-gateway keys rotate --print --namespace %s --name %s` where the Secret comes from." .Release.Namespace .Values.keys.existingSecret) -}}
{{- end -}}
{{- if eq .Values.keys.existingSecret (include "productive-mcp.mapping" .) -}}
{{- $bad = append $bad (printf "keys.existingSecret is %s, which is the mapping: use another name for the key ring." .Values.keys.existingSecret) -}}
{{- end -}}
{{- if not .Values.clients.documentHosts -}}
{{- $bad = append $bad "clients.documentHosts is empty: list the hosts that may describe assistants, such as claude.ai, or write * for any." -}}
{{- end -}}
{{- if and (has "*" .Values.clients.documentHosts) (gt (len .Values.clients.documentHosts) 1) -}}
{{- $bad = append $bad "clients.documentHosts: * is any host; remove it, or the others." -}}
{{- end -}}
{{- range .Values.limits.trustedProxies -}}
{{- if hasSuffix "/0" . -}}
{{- $bad = append $bad (printf "limits.trustedProxies: %s is everybody, so anybody could claim any address; write the addresses or ranges of the ingress." .) -}}
{{- end -}}
{{- end -}}
{{- range .Values.clients.redirectSchemes -}}
{{- if has (splitList ":" . | first) (list "http" "https") -}}
{{- $bad = append $bad (printf "clients.redirectSchemes: %s is not a private-use scheme; https addresses belong to redirectHosts, and loopback addresses are always allowed." .) -}}
{{- end -}}
{{- end -}}
{{- toYaml $bad -}}
{{- end -}}

{{- define "productive-mcp.badSettings" -}}
{{- $bad := list -}}
{{- if not .Values.publicUrl -}}
{{- $bad = append $bad "publicUrl is missing: set it to the https address that people will use, such as --set publicUrl=https://mcp.example.com" -}}
{{- else if .Values.development.enabled -}}
{{- else if not (regexMatch "^https://[a-z0-9]([-a-z0-9.]*[a-z0-9])?(:[0-9]{1,5})?/?$" .Values.publicUrl) -}}
{{- $bad = append $bad (printf "publicUrl %q must be https, a host name in lower case and no path, such as https://mcp.example.com: the gateway needs a separate host name." .Values.publicUrl) -}}
{{- else if has (include "productive-mcp.host" .) (list "localhost" "127.0.0.1") -}}
{{- $bad = append $bad "publicUrl is on localhost, where the gateway can be reached only from its own pod: set the address that people will use." -}}
{{- end -}}
{{- if not (regexMatch "^[0-9]+$" (include "productive-mcp.organizationId" .)) -}}
{{- $bad = append $bad "productive.organizationId is missing or not a number: set it to the number in the address of your Productive organization, such as 1200 in https://app.productive.io/1200-company." -}}
{{- end -}}
{{- if not .Values.redirectHosts -}}
{{- $bad = append $bad "redirectHosts is empty: list the hosts of the assistants that people may connect, such as claude.ai." -}}
{{- end -}}
{{- range .Values.redirectHosts -}}
{{- if or (not (regexMatch "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?(:[0-9]{1,5})?(/|(/[A-Za-z0-9._~-]+)+/?)?$" .)) (regexMatch "/\\.{1,2}(/|$)" .) -}}
{{- $bad = append $bad (printf "redirectHosts: %q is not a host name in lower case, with or without a path; write each one, there are no patterns." .) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.clients.existingSecret (not (has "preregistered" .Values.clients.kinds)) -}}
{{- $bad = append $bad "clients.existingSecret has no effect: add preregistered to clients.kinds, or leave the Secret out." -}}
{{- end -}}
{{- if and (eq (join "," .Values.clients.kinds) "preregistered") (not .Values.clients.existingSecret) -}}
{{- $bad = append $bad "clients.existingSecret is missing: clients.kinds allows pre-registered clients only, so nobody could connect." -}}
{{- end -}}
{{- toYaml $bad -}}
{{- end -}}

{{- define "productive-mcp.badSignIn" -}}
{{- $bad := list -}}
{{- $oidc := .Values.signIn.oidc -}}
{{- $access := .Values.signIn.access -}}
{{- $oidcGiven := compact (list $oidc.issuer $oidc.clientId) -}}
{{- $accessGiven := compact (list $access.clientId $access.authorizationUrl $access.tokenUrl $access.jwksUrl) -}}
{{- if and $oidcGiven $accessGiven -}}
{{- $bad = append $bad "signIn.oidc and signIn.access are two sign-in providers: remove one of them." -}}
{{- else if not (or $oidcGiven $accessGiven) -}}
{{- $bad = append $bad "No sign-in provider is set: set signIn.oidc.issuer and signIn.oidc.clientId, or the four values of signIn.access for Cloudflare Access." -}}
{{- else if and $oidcGiven (ne 2 (len $oidcGiven)) -}}
{{- $bad = append $bad "signIn.oidc is incomplete: set both issuer and clientId." -}}
{{- else if and $accessGiven (ne 4 (len $accessGiven)) -}}
{{- $bad = append $bad "signIn.access is incomplete: set clientId, authorizationUrl, tokenUrl and jwksUrl." -}}
{{- end -}}
{{- range (concat (list $oidc.issuer $access.authorizationUrl $access.tokenUrl $access.jwksUrl .Values.productive.apiBaseUrl) | compact) -}}
{{- if not (or (hasPrefix "https://" .) $.Values.development.enabled) -}}
{{- $bad = append $bad (printf "%q must be an https address." .) -}}
{{- end -}}
{{- end -}}
{{- if not .Values.signIn.existingSecret -}}
{{- $bad = append $bad (printf "signIn.existingSecret is missing: create the Secret with `kubectl create secret generic productive-sign-in -n %s --from-literal=%s=…` and set it to productive-sign-in." .Release.Namespace .Values.signIn.secretKey) -}}
{{- end -}}
{{- if and .Values.signIn.caBundle.configMap .Values.signIn.caBundle.secret -}}
{{- $bad = append $bad "signIn.caBundle has both configMap and secret: remove one of them." -}}
{{- end -}}
{{- toYaml $bad -}}
{{- end -}}

{{- define "productive-mcp.badExposure" -}}
{{- $bad := list -}}
{{- if or .Values.ingress.enabled .Values.httpRoute.enabled -}}
{{- if and .Values.publicUrl (not (regexMatch "[a-z]" (include "productive-mcp.host" .))) -}}
{{- $bad = append $bad (printf "publicUrl %s has no host name, which an Ingress or HTTPRoute needs: give the gateway a name in your DNS." .Values.publicUrl) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) -}}
{{- $bad = append $bad "httpRoute.enabled needs httpRoute.parentRefs: set the Gateway to which the route attaches." -}}
{{- end -}}
{{- if and .Values.networkPolicy.enabled (hasPrefix "http://" .Values.tracing.endpoint) (not .Values.networkPolicy.tracingTo) -}}
{{- $bad = append $bad "tracing.endpoint is set, but the NetworkPolicy does not let the gateway reach the collector: set networkPolicy.tracingTo to its namespace, such as [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}]." -}}
{{- end -}}
{{- if and .Values.networkPolicy.enabled .Values.metrics.serviceMonitor.enabled (not .Values.networkPolicy.metricsFrom) -}}
{{- $bad = append $bad "metrics.serviceMonitor.enabled is on, but the NetworkPolicy allows nobody to scrape: set networkPolicy.metricsFrom to Prometheus' namespace, such as [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}]." -}}
{{- end -}}
{{- toYaml $bad -}}
{{- end -}}

{{/* Values that would cut the programs off, or open more than intended. */}}
{{- define "productive-mcp.badNetwork" -}}
{{- $bad := list -}}
{{- $policy := .Values.networkPolicy -}}
{{- if $policy.enabled -}}
{{- if not (or $policy.dns.egress $policy.dns.addresses) -}}
{{- $bad = append $bad "networkPolicy.dns has neither egress nor addresses, so no name could be resolved: set one of them." -}}
{{- end -}}
{{- if not (or $policy.apiServer.addresses $policy.apiServer.egress (include "productive-mcp.cilium" .)) -}}
{{- if not (include "productive-mcp.apiServerPorts" . | fromYamlArray) -}}
{{- $bad = append $bad (printf "networkPolicy.apiServer.ports is only 443, which would be open to every address: set networkPolicy.apiServer.addresses, which this command shows: %s" (include "productive-mcp.showApiServer" .)) -}}
{{- else if regexMatch "-(eks|gke)[-.]" .Capabilities.KubeVersion.Version -}}
{{- $bad = append $bad (printf "The API server of %s is on 443, which the NetworkPolicy opens for listed addresses only: set networkPolicy.apiServer.addresses, which this command shows: %s" .Capabilities.KubeVersion.Version (include "productive-mcp.showApiServer" .)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml $bad -}}
{{- end -}}

{{- define "productive-mcp.badProxy" -}}
{{- $bad := list -}}
{{- $proxy := .Values.proxy -}}
{{- $url := $proxy.httpsProxy | default "" -}}
{{- if not $url -}}
{{- if or $proxy.existingSecret $proxy.noProxy $proxy.addresses -}}
{{- $bad = append $bad "proxy.httpsProxy is missing: set it to the address of the proxy, without user and password." -}}
{{- end -}}
{{- else if contains "@" $url -}}
{{- $bad = append $bad (printf "proxy.httpsProxy contains a user or a password: put the whole address into a Secret under the key %s, set proxy.existingSecret to its name, and remove both here." $proxy.secretKey) -}}
{{- else if not (regexMatch "^https?://([a-zA-Z0-9][-a-zA-Z0-9.]*|\\[[0-9a-fA-F:.]+\\])(:[0-9]{1,5})?/?$" $url) -}}
{{- $bad = append $bad (printf "proxy.httpsProxy %q must be http:// or https://, a host and a port, such as http://proxy.example.com:3128." $url) -}}
{{- else if and .Values.networkPolicy.enabled (not (or $proxy.addresses .Values.networkPolicy.publicEgress)) (not (regexMatch "^([0-9.]+|.*:.*)$" (urlParse $url).hostname)) -}}
{{- $bad = append $bad (printf "proxy.addresses is missing: a network policy needs addresses, but %s is a name. Set it to the output of `getent hosts %s`." (urlParse $url).hostname (urlParse $url).hostname) -}}
{{- end -}}
{{- toYaml $bad -}}
{{- end -}}

{{- define "productive-mcp.badCombinations" -}}
{{- $bad := list -}}
{{- $scaling := .Values.gateway.autoscaling -}}
{{- if $scaling.enabled -}}
{{- if gt (int $scaling.minReplicas) (int $scaling.maxReplicas) -}}
{{- $bad = append $bad (printf "gateway.autoscaling.minReplicas (%d) is greater than maxReplicas (%d): change one of them." (int $scaling.minReplicas) (int $scaling.maxReplicas)) -}}
{{- end -}}
{{- if not (dig "requests" "cpu" "" .Values.gateway.resources) -}}
{{- $bad = append $bad "gateway.autoscaling.enabled needs gateway.resources.requests.cpu: the target is in percent of it." -}}
{{- end -}}
{{- end -}}
{{- range $component := list "gateway" "operator" -}}
{{- $values := index $.Values $component -}}
{{- if not (or $values.serviceAccount.create $values.serviceAccount.name) -}}
{{- $bad = append $bad (printf "%s.serviceAccount.create is off: set the name of your ServiceAccount in %s.serviceAccount.name." $component $component) -}}
{{- end -}}
{{- $needed := add (eq $component "gateway" | ternary 30 10) $values.preStopSeconds -}}
{{- if and (lt (int $values.terminationGracePeriodSeconds) (int $needed)) (not $.Values.development.enabled) -}}
{{- $bad = append $bad (printf "%s.terminationGracePeriodSeconds (%d) is too short, so running work would be interrupted: set it to at least %d, which is preStopSeconds and the time to finish." $component (int $values.terminationGracePeriodSeconds) (int $needed)) -}}
{{- end -}}
{{- end -}}
{{- toYaml $bad -}}
{{- end -}}
