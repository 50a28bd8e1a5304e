{{/* Names and labels that several templates share. */}}

{{- define "posthuman.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "posthuman.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains (include "posthuman.name" .) .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else if hasPrefix (printf "%s-" .Release.Name) (include "posthuman.name" .) }}
{{- include "posthuman.name" . }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "posthuman.name" .) | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "posthuman.serviceAccount" -}}
{{- default (include "posthuman.fullname" .) .Values.serviceAccount.name }}
{{- end }}

{{/* The operator's name as the API server writes it. */}}
{{- define "posthuman.username" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "posthuman.serviceAccount" . }}
{{- end }}

{{- define "posthuman.selector" -}}
app.kubernetes.io/name: {{ include "posthuman.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "posthuman.labels" -}}
{{ include "posthuman.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* A reference that a kubelet can pull: (dict "image" .Values.images.jobkit "chart" .Chart) */}}
{{- define "posthuman.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ default .chart.AppVersion .image.tag }}
{{- end }}
{{- end }}

{{- define "posthuman.gateway.fullname" -}}
{{- printf "%s-gateway" (include "posthuman.fullname" . | trunc 55 | trimSuffix "-") }}
{{- end }}

{{/* Another name than the operator's, so that no selector of one finds pods of the other. */}}
{{- define "posthuman.gateway.selector" -}}
app.kubernetes.io/name: {{ printf "%s-gateway" (include "posthuman.name" . | trunc 55 | trimSuffix "-") }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "posthuman.gateway.labels" -}}
{{ include "posthuman.gateway.selector" . }}
app.kubernetes.io/component: gateway
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}
