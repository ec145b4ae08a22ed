{{- define "tocsin.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 50 characters: the longest suffix is that of a CronJob's or a topic job's pods. */}}
{{- define "tocsin.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "tocsin.name" . -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What never changes from one version of the chart to the next: Deployments refuse another selector. */}}
{{- define "tocsin.selectorLabels" -}}
app.kubernetes.io/name: {{ include "tocsin.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{- define "tocsin.labels" -}}
{{ include "tocsin.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: tocsin
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "tocsin.metadata" -}}
name: {{ .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "tocsin.labels" . | nindent 2 }}
{{- end -}}

{{- define "tocsin.serviceAccountName" -}}
{{- default (ternary (include "tocsin.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name -}}
{{- end -}}

{{- define "tocsin.image" -}}
{{- $image := .root.Values.image -}}
{{- $path := compact (list $image.registry (default $image.repository .repository)) | join "/" -}}
{{- if and $image.digest (not .repository) -}}
{{- printf "%s@%s" $path $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $path (default .root.Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{/* The roles that have a Deployment: JSON list. */}}
{{- define "tocsin.roles" -}}
{{- ternary (list "all") (list "ingest" "detect" "explain" "deliver") (eq .Values.mode "single") | toJson -}}
{{- end -}}

{{/* Whether workers train by themselves: nobody gave them a bundle. */}}
{{- define "tocsin.learns" -}}
{{- if not (or .Values.bundle.volume .Values.settings.bundle (eq (toString .Values.settings.learn_after_s) "0")) }}true{{ end -}}
{{- end -}}

{{/* Whether a component keeps files in the claim: the search index, or what it learned. */}}
{{- define "tocsin.keepsFiles" -}}
{{- if and .root.Values.persistence.enabled (or (has .component (list "all" "explain")) (include "tocsin.learns" .root)) }}true{{ end -}}
{{- end -}}

{{/* tocsin.toml: what the chart knows of its pods, under what the user set. */}}
{{- define "tocsin.settings" -}}
{{- $own := dict
      "index_path" "/var/lib/tocsin/index"
      "state_path" "/var/lib/tocsin/learned"
      "cache_path" "/tmp/cache"
      "ui_host" "0.0.0.0" -}}
{{- with .root.Values.kafka.tls.ca.name }}{{ $_ := set $own "kafka_ssl_cafile" "/run/tls/ca/ca.crt" }}{{ end -}}
{{- with .root.Values.kafka.tls.client.name -}}
{{- $_ := set $own "kafka_ssl_certfile" "/run/tls/client/tls.crt" -}}
{{- $_ := set $own "kafka_ssl_keyfile" "/run/tls/client/tls.key" -}}
{{- end -}}
{{- if .root.Values.tls.name -}}
{{- $_ := set $own "tls_certfile" "/run/tls/own/tls.crt" -}}
{{- $_ := set $own "tls_keyfile" "/run/tls/own/tls.key" -}}
{{- end -}}
{{- if .root.Values.bundle.volume -}}
{{- $_ := set $own "bundle" (printf "/bundle/%s" .root.Values.bundle.path | trimSuffix "/") -}}
{{- end -}}
{{- if .root.Values.training.signingKey.name }}{{ $_ := set $own "signing_key" "/run/signing/key.pem" }}{{ end -}}
{{- range $setting, $_ := .secretSettings -}}
{{- $_ := set $own (printf "%s_file" $setting) (printf "/run/secrets/tocsin/%s" $setting) -}}
{{- end -}}
{{- merge (deepCopy (default dict .settings)) .root.Values.settings $own | toToml -}}
{{- end -}}

{{/* Variables of every container. */}}
{{- define "tocsin.env" -}}
- name: TOCSIN_CONFIG
  value: /etc/tocsin/tocsin.toml
- name: HOME
  value: /tmp
{{- with .Values.anthropicApiKey.name }}
- name: ANTHROPIC_API_KEY
  valueFrom:
    secretKeyRef:
      name: {{ . }}
      key: {{ $.Values.anthropicApiKey.key }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Mounts of every container; .component says whether it keeps files. */}}
{{- define "tocsin.mounts" -}}
- name: config
  mountPath: /etc/tocsin
  readOnly: true
- name: tmp
  mountPath: /tmp
- name: state
  mountPath: /var/lib/tocsin
{{- if .secretSettings }}
- name: secrets
  mountPath: /run/secrets/tocsin
  readOnly: true
{{- end }}
{{- if .root.Values.kafka.tls.ca.name }}
- name: kafka-ca
  mountPath: /run/tls/ca
  readOnly: true
{{- end }}
{{- if .root.Values.kafka.tls.client.name }}
- name: kafka-client
  mountPath: /run/tls/client
  readOnly: true
{{- end }}
{{- if .root.Values.tls.name }}
- name: tls
  mountPath: /run/tls/own
  readOnly: true
{{- end }}
{{- if .root.Values.bundle.volume }}
- name: bundle
  mountPath: /bundle
  readOnly: true
{{- end }}
{{- with .root.Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "tocsin.volumes" -}}
- name: config
  configMap:
    name: {{ .config }}
- name: tmp
  emptyDir:
    sizeLimit: {{ .root.Values.tmpSize }}
- name: state
{{- if include "tocsin.keepsFiles" . }}
  persistentVolumeClaim:
    claimName: {{ default (include "tocsin.fullname" .root) .root.Values.persistence.existingClaim }}
{{- else }}
  emptyDir: {}
{{- end }}
{{- with .secretSettings }}
- name: secrets
  projected:
    sources:
      {{- range $setting, $secret := . }}
      - secret:
          name: {{ $secret.name }}
          items:
            - key: {{ $secret.key }}
              path: {{ $setting }}
      {{- end }}
{{- end }}
{{- with .root.Values.kafka.tls.ca }}
{{- if .name }}
- name: kafka-ca
  secret:
    secretName: {{ .name }}
    items:
      - key: {{ .key }}
        path: ca.crt
{{- end }}
{{- end }}
{{- with .root.Values.kafka.tls.client }}
{{- if .name }}
- name: kafka-client
  secret:
    secretName: {{ .name }}
    items:
      - key: {{ .certKey }}
        path: tls.crt
      - key: {{ .keyKey }}
        path: tls.key
{{- end }}
{{- end }}
{{- with .root.Values.tls }}
{{- if .name }}
- name: tls
  secret:
    secretName: {{ .name }}
    items:
      - key: {{ .certKey }}
        path: tls.crt
      - key: {{ .keyKey }}
        path: tls.key
{{- end }}
{{- end }}
{{- with .root.Values.bundle.volume }}
- name: bundle
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* What pods of every kind have in their spec. */}}
{{- define "tocsin.podSpec" -}}
serviceAccountName: {{ .serviceAccount }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml .root.Values.podSecurityContext | nindent 2 }}
{{- with .root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .root.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Kafka's topic that a role scales with, and its partitions: JSON. */}}
{{- define "tocsin.scaling" -}}
{{- $settings := .root.Values.settings -}}
{{- $topic := ternary "logs.raw" "logs.events" (eq .component "ingest") -}}
{{- $partitions := ternary $settings.raw_partitions $settings.events_partitions (eq .component "ingest") -}}
{{- $scaling := (index .root.Values.roles .component).autoscaling -}}
{{- dict "topic" (print $settings.topic_prefix $topic)
         "max" (min (int $partitions) (int $scaling.maxReplicas))
         "min" (min (int $partitions) (int $scaling.maxReplicas) (int $scaling.minReplicas))
         "lag" (int $scaling.lag) | toJson -}}
{{- end -}}

{{/* What a monitor says of the port, beside its name. */}}
{{- define "tocsin.endpoint" -}}
interval: {{ .Values.monitoring.interval }}
{{- if .Values.tls.name }}
scheme: https
{{- with .Values.monitoring.tlsConfig }}
tlsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- with .Values.secretSettings.metrics_token }}
authorization:
  credentials:
    {{- toYaml . | nindent 4 }}
{{- end }}
{{- end -}}

{{/* Values that each make sense and together do not. */}}
{{- define "tocsin.check" -}}
{{- if and (eq .Values.mode "separate") (include "tocsin.learns" .) (not (and .Values.persistence.enabled (or .Values.persistence.existingClaim (has "ReadWriteMany" .Values.persistence.accessModes)))) -}}
{{- fail "mode separate: roles without a bundle share what they learn. Set settings.bundle or bundle.volume, or persistence.enabled with accessModes [ReadWriteMany], or settings.learn_after_s: 0" -}}
{{- end -}}
{{- if and (eq .Values.topics.create "strimzi") (not .Values.topics.strimzi.cluster) -}}
{{- fail "topics.create strimzi: set topics.strimzi.cluster to the name of the Kafka resource" -}}
{{- end -}}
{{- if and .Values.training.enabled (not .Values.settings.models) -}}
{{- fail "training.enabled: set settings.models to the store that versions are put into, such as s3://bucket/prefix" -}}
{{- end -}}
{{- if and .Values.votes.enabled (not .Values.secretSettings.slack_signing_secret) -}}
{{- fail "votes.enabled: set secretSettings.slack_signing_secret, or nobody answers on the port" -}}
{{- end -}}
{{- if and .Values.ui.enabled (eq (default "none" .Values.settings.ui_auth) "none") -}}
{{- fail "ui.enabled: set settings.ui_auth to oidc, proxy or basic; without, the page is served to its own machine only, and does not start" -}}
{{- end -}}
{{- if and (not .Values.settings.metrics_port) -}}
{{- fail "settings.metrics_port: 0 turns the probes off; set a port" -}}
{{- end -}}
{{- end -}}
