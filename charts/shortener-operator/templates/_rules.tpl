{{/*
What the operator may do where UrlShorteners are. Each rule says what it is for; a test holds that the operator uses every one
and needs no other.
*/}}
{{- define "operator.rules" -}}
# The resources themselves, and what is reported of them. The operator never changes a spec.
- apiGroups: [urlshortener.dev]
  resources: [urlshorteners]
  verbs: [get, list, watch]
- apiGroups: [urlshortener.dev]
  resources: [urlshorteners/status]
  verbs: [patch]
# An owner may block the deletion of what it owns where the cluster asks for this right.
- apiGroups: [urlshortener.dev]
  resources: [urlshorteners/finalizers]
  verbs: [update]
# What is made for a resource: watched, applied, and pruned where it may not be asked for any more. The rest goes with its owner.
- apiGroups: [""]
  resources: [configmaps, services]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [serviceaccounts]
  verbs: [get, list, watch, create, patch]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
# Never deleted: their volumes are data, and go by the owner and the policy of the resource alone.
- apiGroups: [apps]
  resources: [statefulsets]
  verbs: [get, list, watch, create, patch]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch]
- apiGroups: [networking.k8s.io]
  resources: [ingresses, networkpolicies]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [gateway.networking.k8s.io]
  resources: [httproutes]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [monitoring.coreos.com]
  resources: [prometheusrules, servicemonitors]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [keda.sh]
  resources: [scaledobjects]
  verbs: [get, list, watch, create, patch, delete]
# A database goes by its owner and the policy of the resource alone.
- apiGroups: [postgresql.cnpg.io]
  resources: [clusters]
  verbs: [get, list, watch, create, patch]
# Credentials are read by name when they are needed. There is no right to list them.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, create, patch]
# Why pods do not become ready, and whether an autoscaler still has its hands on the replicas.
- apiGroups: [""]
  resources: [pods]
  verbs: [list]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get]
# Whether a managed Postgres has data already, over which no new password may be drawn.
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [get]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}
