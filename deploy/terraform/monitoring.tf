# Metrics, dashboard, service levels, alerts and the uptime check, from deploy/monitoring. Those files are in the shapes of
# Google's APIs, so that they are checked against Google's own descriptions and could be applied with curl; here they are
# only spelled Terraform's way. What is assumed of them:
#   metrics.json   list of LogMetric (logging v2)
#   alerts.json    list of AlertPolicy (monitoring v3): conditionThreshold, conditionAbsent, conditionMatchedLog and
#                  conditionPrometheusQueryLanguage; the channels come from notification_channels
#   slos.json      { serviceLevelObjectives, alertPolicies }: ServiceLevelObjective (monitoring v3), the last part of whose
#                  name is its id, in a service called keydesk; and the alerts on how fast they burn
#   dashboard.json one Dashboard (monitoring dashboard v1)
# In any of them PROJECT_ID stands for the desk's project, and PLAYBOOKS_URL for where docs/playbooks can be read. Alerts whose
# label `playbook` begins with "probe" are for policies that have a credential called canary.

locals {
  # Google refuses an alert on a metric that it does not know yet, for some ten minutes; and before there are functions there is
  # nothing to be told of.
  alerting = var.create_monitoring && var.webhook_tokens_version != null
  monitoring = {
    for name in ["metrics", "alerts", "slos", "dashboard"] : name => jsondecode(replace(replace(
      file("${path.module}/../monitoring/${name}.json"), "PROJECT_ID", var.project_id), "PLAYBOOKS_URL", var.playbooks_url
    ))
  }
  metrics = { for metric in local.monitoring.metrics : metric.name => metric if var.create_monitoring }
  slos = {
    for objective in local.monitoring.slos.serviceLevelObjectives : reverse(split("/", objective.name))[0] => objective
    if var.create_monitoring
  }
  alerts = {
    for alert in concat(local.monitoring.alerts, local.monitoring.slos.alertPolicies) : alert.displayName => alert
    if local.alerting && (contains(keys(local.credentials), "canary") || !startswith(try(alert.userLabels.playbook, ""), "probe"))
  }
}

resource "google_logging_metric" "desk" {
  for_each = local.metrics

  project          = var.project_id
  name             = each.value.name
  description      = try(each.value.description, null)
  filter           = each.value.filter
  value_extractor  = try(each.value.valueExtractor, null)
  label_extractors = try(each.value.labelExtractors, null)

  metric_descriptor {
    metric_kind  = each.value.metricDescriptor.metricKind
    value_type   = each.value.metricDescriptor.valueType
    unit         = try(each.value.metricDescriptor.unit, null)
    display_name = try(each.value.metricDescriptor.displayName, null)

    dynamic "labels" {
      for_each = try(each.value.metricDescriptor.labels, [])
      content {
        key         = labels.value.key
        value_type  = try(labels.value.valueType, null)
        description = try(labels.value.description, null)
      }
    }
  }

  dynamic "bucket_options" {
    for_each = can(each.value.bucketOptions) ? [each.value.bucketOptions] : []
    content {
      dynamic "explicit_buckets" {
        for_each = can(bucket_options.value.explicitBuckets) ? [bucket_options.value.explicitBuckets] : []
        content {
          bounds = explicit_buckets.value.bounds
        }
      }
      dynamic "exponential_buckets" {
        for_each = can(bucket_options.value.exponentialBuckets) ? [bucket_options.value.exponentialBuckets] : []
        content {
          num_finite_buckets = exponential_buckets.value.numFiniteBuckets
          growth_factor      = exponential_buckets.value.growthFactor
          scale              = exponential_buckets.value.scale
        }
      }
      dynamic "linear_buckets" {
        for_each = can(bucket_options.value.linearBuckets) ? [bucket_options.value.linearBuckets] : []
        content {
          num_finite_buckets = linear_buckets.value.numFiniteBuckets
          width              = linear_buckets.value.width
          offset             = linear_buckets.value.offset
        }
      }
    }
  }

  depends_on = [google_project_service.needed]
}

resource "google_monitoring_dashboard" "desk" {
  for_each = var.create_monitoring ? { keydesk = local.monitoring.dashboard } : {}

  project        = var.project_id
  dashboard_json = jsonencode(each.value)

  depends_on = [google_logging_metric.desk]
}

resource "google_monitoring_uptime_check_config" "health" {
  for_each = { for name, function in local.deployed : name => function if name == "token" && var.create_monitoring && function.ingress == "ALLOW_ALL" }

  project      = var.project_id
  display_name = "Keydesk: the desk answers"
  period       = "60s"
  timeout      = "10s"

  http_check {
    path           = "/health"
    port           = 443
    use_ssl        = true
    validate_ssl   = true
    request_method = "GET"
  }

  monitored_resource {
    type = "uptime_url"
    labels = {
      project_id = var.project_id
      host       = trimprefix(google_cloudfunctions2_function.desk[each.key].service_config[0].uri, "https://")
    }
  }
}
