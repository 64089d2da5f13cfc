# Metrics, dashboard, uptime checks, service levels and alerts, from deploy/monitoring. Those files have the shapes of Google's
# APIs. This file translates them to Terraform's. test/system/deploy/terraform-monitoring.test.ts translates a plan back and compares.
#   metrics.json        list of LogMetric (logging v2)
#   alerts.json         list of AlertPolicy (monitoring v3): conditionThreshold and conditionAbsent; the channels come from
#                       notification_channels
#   slos.json           { service, serviceLevelObjectives, alertPolicies } (monitoring v3): the last part of an objective's name is
#                       its id, in a service called keydesk; and the alerts on how fast the budgets burn
#   uptime-checks.json  list of UptimeCheckConfig (monitoring v3)
#   dashboard.json      one Dashboard (monitoring dashboard v1)
# In any of them PROJECT_ID means Keydesk's project, PLAYBOOKS_URL where docs/playbooks can be read; in the commands of alerts REGION and
# ORGANIZATION mean the functions' region and the slug of the policy's organization; in uptime checks
# TOKEN_HOST and WEBHOOK_HOST mean the hosts of those functions. Alerts whose label `playbook` begins with "probe" are for policies
# that have a credential called canary.

locals {
  # For some ten minutes Google refuses an alert or an objective on a new metric. And before there are
  # functions there is nothing to alert on.
  alerting = var.create_monitoring && var.webhook_tokens_version != null
  # As lists and objects of texts, so that a URL that is not known yet leaves everything else known.
  monitoring = {
    for name in ["metrics", "alerts", "slos", "dashboard", "uptime-checks"] : name => jsondecode(replace(
      file("${path.module}/../monitoring/${name}.json"), "PROJECT_ID", var.project_id
    ))
  }
  metrics = { for metric in local.monitoring.metrics : metric.name => metric if var.create_monitoring }
  slos = {
    for objective in local.monitoring.slos.serviceLevelObjectives : reverse(split("/", objective.name))[0] => objective
    if local.alerting
  }
  alerts = {
    for alert in concat(local.monitoring.alerts, local.monitoring.slos.alertPolicies) : alert.displayName => alert
    if local.alerting && (contains(keys(local.credentials), "canary") || !startswith(alert.userLabels.playbook, "probe"))
  }
  # By the function whose host a check names; those only that the internet reaches.
  uptime_checks = {
    for check in local.monitoring["uptime-checks"] : lower(trimsuffix(check.monitoredResource.labels.host, "_HOST")) => check
    if local.alerting && local.functions[lower(trimsuffix(check.monitoredResource.labels.host, "_HOST"))].ingress == "INGRESS_TRAFFIC_ALL"
  }
}

resource "google_logging_metric" "keydesk" {
  for_each = local.metrics

  project          = var.project_id
  name             = each.value.name
  description      = each.value.description
  filter           = each.value.filter
  value_extractor  = lookup(each.value, "valueExtractor", null)
  label_extractors = lookup(each.value, "labelExtractors", null)

  metric_descriptor {
    metric_kind  = each.value.metricDescriptor.metricKind
    value_type   = each.value.metricDescriptor.valueType
    unit         = each.value.metricDescriptor.unit
    display_name = each.value.metricDescriptor.displayName

    dynamic "labels" {
      for_each = lookup(each.value.metricDescriptor, "labels", [])
      content {
        key         = labels.value.key
        value_type  = labels.value.valueType
        description = labels.value.description
      }
    }
  }

  # Distributions have them.
  dynamic "bucket_options" {
    for_each = [for field, options in each.value : options if field == "bucketOptions"]
    content {
      dynamic "explicit_buckets" {
        for_each = [for kind, buckets in bucket_options.value : buckets if kind == "explicitBuckets"]
        content {
          bounds = explicit_buckets.value.bounds
        }
      }
      dynamic "exponential_buckets" {
        for_each = [for kind, buckets in bucket_options.value : buckets if kind == "exponentialBuckets"]
        content {
          num_finite_buckets = exponential_buckets.value.numFiniteBuckets
          growth_factor      = exponential_buckets.value.growthFactor
          scale              = exponential_buckets.value.scale
        }
      }
      dynamic "linear_buckets" {
        for_each = [for kind, buckets in bucket_options.value : buckets if kind == "linearBuckets"]
        content {
          num_finite_buckets = linear_buckets.value.numFiniteBuckets
          width              = linear_buckets.value.width
          offset             = linear_buckets.value.offset
        }
      }
    }
  }

  depends_on = [time_sleep.apis]
}

resource "google_monitoring_dashboard" "keydesk" {
  for_each = var.create_monitoring ? { keydesk = local.monitoring.dashboard } : {}

  project        = var.project_id
  dashboard_json = jsonencode(each.value)

  depends_on = [google_logging_metric.keydesk]
}

resource "google_monitoring_uptime_check_config" "keydesk" {
  for_each = local.uptime_checks

  project      = var.project_id
  display_name = each.value.displayName
  period       = each.value.period
  timeout      = each.value.timeout
  user_labels  = merge(var.labels, each.value.userLabels)

  http_check {
    path           = each.value.httpCheck.path
    port           = each.value.httpCheck.port
    use_ssl        = each.value.httpCheck.useSsl
    validate_ssl   = each.value.httpCheck.validateSsl
    request_method = each.value.httpCheck.requestMethod

    # 200 to 299 where a check says nothing.
    dynamic "accepted_response_status_codes" {
      for_each = lookup(each.value.httpCheck, "acceptedResponseStatusCodes", [])
      content {
        status_value = accepted_response_status_codes.value.statusValue
      }
    }
  }

  dynamic "content_matchers" {
    for_each = each.value.contentMatchers
    content {
      content = content_matchers.value.content
      matcher = content_matchers.value.matcher
    }
  }

  monitored_resource {
    type = each.value.monitoredResource.type
    labels = merge(each.value.monitoredResource.labels, {
      host = trimprefix(google_cloud_run_v2_service.keydesk[each.key].uri, "https://")
    })
  }
}
